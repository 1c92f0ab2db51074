#include "cli/registry_options.h"

#include <cstdlib>

#include "lib/base/file.h"
#include "lib/http/curl_transport.h"

namespace stagewright::cli {

namespace {

constexpr std::size_t kMaxCredentialsFile = 1024 * 1024;

Status addUserPassword(std::string_view text, const std::string& host,
                       registry::Credentials& credentials) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) {
    text.remove_suffix(1);
  }
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0) {
    return invalid("credentials must look like USER:PASSWORD");
  }
  credentials.add(
      host, {std::string(text.substr(0, colon)), std::string(text.substr(colon + 1)), "", ""});
  return ok();
}

/// USER:PASSWORD on one line, or a docker config.json.
Status addCredentialsFile(const std::string& path, const std::string& host,
               registry::Credentials& credentials) {
  TRY(std::string text, loadFile(path, kMaxCredentialsFile));
  if (text.find_first_not_of(" \t\r\n") == std::string::npos ||
      text[text.find_first_not_of(" \t\r\n")] != '{') {
    return addUserPassword(text, host, credentials);
  }
  TRY(registry::Credentials parsed, registry::Credentials::parseDockerConfig(text));
  credentials.append(parsed);
  return ok();
}

/// What `docker login` left. Credential helpers and broken files are no error: nobody named this
/// file.
void addDefault(registry::Credentials& credentials) {
  const char* directory = std::getenv("DOCKER_CONFIG");
  const char* home = std::getenv("HOME");
  const std::string path = directory != nullptr
                               ? std::string(directory) + "/config.json"
                               : std::string(home == nullptr ? "" : home) + "/.docker/config.json";
  if (const Result<std::string> text = loadFile(path, kMaxCredentialsFile)) {
    if (const auto parsed = registry::Credentials::parseDockerConfig(*text)) {
      credentials.append(*parsed);
    }
  }
}

registry::HostConfig hostConfig(const Arguments& arguments, const std::string& host,
                                registry::HostConfig::Tls tls) {
  registry::HostConfig config;
  config.tls = tls;
  config.host = host;
  config.caFile = arguments.last("--ca-file", "");
  if (arguments.has("--plain-http")) {
    config.tls = registry::HostConfig::Tls::kPlainHttp;
  } else if (arguments.has("--insecure")) {
    config.tls = registry::HostConfig::Tls::kSkipVerify;
  }
  return config;
}

}  // namespace

const std::vector<Option>& registryOptions() {
  static const std::vector<Option> kOptions = {
      {"--creds", "USER:PASSWORD",
       "credentials (other users of the machine see them: prefer a file)"},
      {"--creds-file", "FILE", "a file with USER:PASSWORD, or a docker config.json"},
      {"--registry-user-file", "FILE", "the same as --creds-file"},
      {"--plain-http", "", "speak HTTP without TLS to the registry"},
      {"--insecure", "", "do not verify the registry's certificate"},
      {"--ca-file", "FILE", "trust these authorities besides the system's"},
  };
  return kOptions;
}

Result<RegistryAccess> makeRegistryAccess(const Arguments& arguments,
                                          const oci::Reference& reference,
                                          registry::HostConfig::Tls tls,
                                          const registry::Credentials& more) {
  const std::string& host = reference.repository.registry;
  registry::ClientConfig config;
  config.hosts = {hostConfig(arguments, host, tls)};
  config.retry.budget = Millis(30'000);
  if (const auto text = arguments.last("--creds")) {
    CHECK_OK(addUserPassword(*text, host, config.credentials));
  }
  for (const std::string_view option : {"--creds-file", "--registry-user-file"}) {
    if (const auto path = arguments.last(option)) {
      CHECK_OK(addCredentialsFile(*path, host, config.credentials));
    }
  }
  addDefault(config.credentials);
  config.credentials.append(more);
  RegistryAccess access;
  access.transport = http::makeCurlTransport();
  access.clock = std::make_unique<SystemClock>();
  access.client =
      std::make_unique<registry::Client>(*access.transport, *access.clock, std::move(config));
  return access;
}

}  // namespace stagewright::cli
