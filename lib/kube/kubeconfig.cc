#include "lib/kube/kubeconfig.h"

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/json.h"
#include "lib/kube/yaml.h"

namespace stagewright::kube {

namespace {

constexpr std::size_t kMaxConfig = 4 << 20;
constexpr std::size_t kMaxPem = 1 << 20;
constexpr std::string_view kServiceAccount = "/var/run/secrets/kubernetes.io/serviceaccount";

struct ConfigFile {
  std::string directory;
  Json value;
};

std::string environment(const char* name) {
  const char* value =
      std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody sets variables after start
  return value == nullptr ? "" : value;
}

std::string directoryOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

std::string resolved(const std::string& directory, const std::string& path) {
  return path.empty() || path.starts_with('/') ? path : directory + "/" + path;
}

Result<std::vector<ConfigFile>> loadFiles(const std::string& paths) {
  std::vector<ConfigFile> files;
  std::optional<Error> missing;
  for (std::size_t from = 0; from <= paths.size();) {
    const std::size_t end = std::min(paths.find(':', from), paths.size());
    const std::string path = paths.substr(from, end - from);
    from = end + 1;
    if (path.empty()) {
      continue;
    }
    Result<std::string> text = loadFile(path, kMaxConfig);
    if (!text) {
      if (text.error().code != Code::kNotFound) {
        return std::move(text).error().during("read kubeconfig");
      }
      missing = std::move(text).error();
      continue;
    }
    Result<Json> value = parseYaml(*text);
    if (!value || !value->is_object()) {
      return invalid("kubeconfig " + stagewright::quoted(path) + ": " +
                     (value ? "not a mapping" : value.error().message));
    }
    files.push_back(ConfigFile{directoryOf(path), std::move(*value)});
  }
  if (files.empty()) {
    return missing ? std::move(*missing).during("read kubeconfig")
                   : notFound("no kubeconfig is named");
  }
  return files;
}

/// The entry `name` of a list like clusters, and the directory its file stands in.
struct Entry {
  JsonReader reader;
  std::string directory;
};

Result<Entry> findEntry(const std::vector<ConfigFile>& files, const std::string& list,
                        const std::string& key, const std::string& name) {
  for (const ConfigFile& file : files) {
    TRY(std::vector<JsonReader> entries, JsonReader(file.value).array(list));
    for (const JsonReader& entry : entries) {
      TRY(std::string entryName, entry.string("name", ""));
      if (entryName == name) {
        TRY(JsonReader reader, entry.object(key));
        return Entry{std::move(reader), file.directory};
      }
    }
  }
  return notFound("kubeconfig has no " + key + " " + stagewright::quoted(name));
}

/// `<key>-data` in base64, or the file that `<key>` names, or empty.
Result<std::string> pemOf(const Entry& entry, const std::string& key) {
  TRY(std::string encoded, entry.reader.string(key + "-data", ""));
  if (!encoded.empty()) {
    Result<std::string> pem = fromBase64(encoded);
    return pem ? std::move(pem) : entry.reader.error(key + "-data is not base64");
  }
  TRY(std::string path, entry.reader.string(key, ""));
  if (path.empty()) {
    return std::string();
  }
  return loadFile(resolved(entry.directory, path), kMaxPem);
}

Status readCluster(const Entry& entry, ClusterConfig& config) {
  const JsonReader& cluster = entry.reader;
  TRY(config.server, cluster.string("server"));
  if (!config.server.starts_with("https://") && !config.server.starts_with("http://")) {
    return cluster.error("server must be an http or https URL, got " +
                         stagewright::quoted(config.server));
  }
  TRY(config.insecureSkipVerify, cluster.boolean("insecure-skip-tls-verify", false));
  TRY(config.caPem, pemOf(entry, "certificate-authority"));
  for (const std::string_view unsupported : {"proxy-url", "tls-server-name"}) {
    if (cluster.has(unsupported)) {
      return cluster.error(std::string(unsupported) + " is not supported");
    }
  }
  return ok();
}

Status readUser(const Entry& entry, ClusterConfig& config) {
  const JsonReader& user = entry.reader;
  for (const std::string_view unsupported : {"exec", "auth-provider"}) {
    if (user.has(unsupported)) {
      return user.error("credentials from " + std::string(unsupported) +
                        " are not supported; use a token, tokenFile or client certificate");
    }
  }
  TRY(config.clientCertificatePem, pemOf(entry, "client-certificate"));
  TRY(config.clientKeyPem, pemOf(entry, "client-key"));
  TRY(config.token, user.string("token", ""));
  TRY(std::string tokenFile, user.string("tokenFile", ""));
  config.tokenFile = resolved(entry.directory, tokenFile);
  TRY(config.basicUser, user.string("username", ""));
  TRY(config.basicPassword, user.string("password", ""));
  if (config.clientCertificatePem.empty() != config.clientKeyPem.empty()) {
    return user.error("client-certificate and client-key belong together, but only one is given");
  }
  return ok();
}

std::string currentContext(const std::vector<ConfigFile>& files) {
  for (const ConfigFile& file : files) {
    const Result<std::string> name = JsonReader(file.value).string("current-context", "");
    if (name && !name->empty()) {
      return *name;
    }
  }
  return "";
}

}  // namespace

Result<ClusterConfig> loadKubeconfig(const std::string& paths, const std::string& context) {
  TRY(std::vector<ConfigFile> files, loadFiles(paths));
  const std::string name = context.empty() ? currentContext(files) : context;
  if (name.empty()) {
    return notFound("kubeconfig has no current-context, and no context is named");
  }
  TRY(Entry chosen, findEntry(files, "contexts", "context", name));
  TRY(std::string clusterName, chosen.reader.string("cluster"));
  TRY(std::string userName, chosen.reader.string("user", ""));
  ClusterConfig config;
  TRY(config.defaultNamespace, chosen.reader.string("namespace", "default"));
  TRY(Entry cluster, findEntry(files, "clusters", "cluster", clusterName));
  CHECK_OK(readCluster(cluster, config));
  if (!userName.empty()) {
    TRY(Entry user, findEntry(files, "users", "user", userName));
    CHECK_OK(readUser(user, config));
  }
  return config;
}

Result<ClusterConfig> loadInClusterConfig() {
  const std::string host = environment("KUBERNETES_SERVICE_HOST");
  const std::string port = environment("KUBERNETES_SERVICE_PORT");
  if (host.empty() || port.empty()) {
    return notFound(
        "not in a pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set");
  }
  const std::string directory(kServiceAccount);
  ClusterConfig config;
  config.server =
      "https://" + (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + port;
  config.tokenFile = directory + "/token";
  config.caFile = directory + "/ca.crt";
  TRY(config.caPem, loadFile(config.caFile, kMaxPem));
  TRY(std::string token, loadFile(config.tokenFile, kMaxPem));
  if (const Result<std::string> ns = loadFile(directory + "/namespace", 256); ns && !ns->empty()) {
    config.defaultNamespace = *ns;
  }
  return config;
}

Result<ClusterConfig> loadClusterConfig(const std::string& kubeconfig, const std::string& context) {
  if (!kubeconfig.empty()) {
    return loadKubeconfig(kubeconfig, context);
  }
  if (const std::string paths = environment("KUBECONFIG"); !paths.empty()) {
    return loadKubeconfig(paths, context);
  }
  if (context.empty()) {
    Result<ClusterConfig> inCluster = loadInClusterConfig();
    if (inCluster || inCluster.error().code != Code::kNotFound) {
      return inCluster;
    }
  }
  const std::string home = environment("HOME");
  if (home.empty()) {
    return notFound(
        "no kubeconfig: neither --kubeconfig, KUBECONFIG, a service account nor HOME is there");
  }
  return loadKubeconfig(home + "/.kube/config", context);
}

}  // namespace stagewright::kube
