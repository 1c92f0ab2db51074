#include "builder-pod/prepare/git_source.h"

#include <netdb.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "builder-pod/prepare/git_verdict.h"
#include "builder-pod/prepare/subprocess.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/http/url.h"

namespace stagewright::prepare {

namespace {

using Settings = std::vector<std::pair<std::string, std::string>>;

constexpr std::string_view kRef = "refs/stagewright/source";
constexpr std::string_view kNobody = "192.0.2.1";  // RFC 5737: no host has this address

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// http(s)://host[:port]
std::string originOf(const std::string& url) {
  const std::size_t host = url.find("://");
  const std::size_t slash = host == std::string::npos ? std::string::npos : url.find('/', host + 3);
  return url.substr(0, slash);
}

Status checkUrl(const std::string& url, const std::string& field) {
  if (!url.starts_with("https://") && !url.starts_with("http://")) {
    return invalid(field + " " + quoted(url) + ": only http and https are supported");
  }
  const std::string origin = originOf(url);
  if (contains(origin, "@")) {
    return invalid(field +
                   " holds credentials: put them into a Secret and name it in "
                   "source.git.secretRef");
  }
  const auto isBad = [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7f'; };
  if (origin.size() <= std::string_view("https://").size() ||
      std::any_of(url.begin(), url.end(), isBad)) {
    return invalid(field + " " + quoted(url) + ": not a URL");
  }
  return ok();
}

/// A name that git cannot take for an option, a refspec or a path. git itself checks the rest.
Status checkRefName(std::string_view field, const std::string& name) {
  const auto isBad = [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || contains("\x7f~^:?*[\\+", {&c, 1});
  };
  if (name.starts_with("-") || contains(name, "..") ||
      std::any_of(name.begin(), name.end(), isBad)) {
    return invalid("source.git.ref." + std::string(field) + " " + quoted(name) +
                   ": not a valid name");
  }
  return ok();
}

bool isFullCommit(std::string_view commit) {
  const auto isHex = [](unsigned char c) { return std::isxdigit(c) != 0; };
  return (commit.size() == 40 || commit.size() == 64) &&
         std::all_of(commit.begin(), commit.end(), isHex);
}

std::string remoteRef(const plan::GitSource& source) {
  if (!source.branch.empty()) {
    return "refs/heads/" + source.branch;
  }
  if (!source.tag.empty()) {
    return "refs/tags/" + source.tag;
  }
  if (!source.revision.empty()) {
    return source.revision;  // git looks for a full name, a tag, a branch, in this order
  }
  return source.commit.empty() ? "HEAD" : source.commit;
}

/// The commit that was asked for by its name or an abbreviation of it, or what may be one.
std::string commitOf(const plan::GitSource& source) {
  if (!source.commit.empty()) {
    return source.commit;
  }
  const auto isHex = [](unsigned char c) { return std::isxdigit(c) != 0; };
  const bool mayBe = source.revision.size() >= 4 &&
                     std::all_of(source.revision.begin(), source.revision.end(), isHex);
  return mayBe ? source.revision : "";
}

/// `host:port:address,address` for every address of the server, all of which have passed. With a
/// proxy a name need not resolve here; then git must not resolve it either, lest a host that the
/// proxy does not count for turns out to have an address that nobody has looked at.
Outcome<std::string> pinServer(const std::string& url, const http::AddressCheck& check,
                               bool proxied) {
  TRY_OR(const http::Url parsed, http::parseUrl(url), error,
         refuseInput("InvalidSpec", error.message));
  std::string name = parsed.host;
  std::erase_if(name, [](char c) { return c == '[' || c == ']'; });
  ::addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  ::addrinfo* found = nullptr;
  const std::string server = parsed.host + ":" + std::to_string(parsed.port) + ":";
  if (const int error = ::getaddrinfo(name.c_str(), nullptr, &hints, &found); error != 0) {
    if (proxied) {
      return server + std::string(kNobody);
    }
    return refuse(plan::Exit::kUnavailable, "SourceUnavailable",
                  "fetch " + quoted(url) + ": resolve " + name + ": " + ::gai_strerror(error));
  }
  const std::unique_ptr<::addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  std::string pin;
  for (const ::addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    CHECK_OR(check(*entry->ai_addr), error,
             refuseInput("PolicyViolation", "fetch " + quoted(url) + ": " + error.message));
    const bool isV6 = entry->ai_family == AF_INET6;
    const std::string address = http::addressText(*entry->ai_addr);
    pin += (pin.empty() ? "" : ",") + (isV6 ? "[" + address + "]" : address);
  }
  return server + pin;
}

bool namesProxy(const std::vector<std::string>& env) {
  return std::any_of(env.begin(), env.end(), [](const std::string& variable) {
    const std::string name = variable.substr(0, variable.find('='));
    return name.ends_with("_proxy") || name.ends_with("_PROXY");
  });
}

Settings settingsFor(const std::string& url, const std::optional<GitCredentials>& credentials) {
  Settings settings = {
      {"core.hooksPath", "/dev/null"},
      {"credential.helper", ""},
      {"gc.auto", "0"},
      {"maintenance.auto", "false"},
      {"protocol.allow", "never"},
      {"protocol.http.allow", "always"},
      {"protocol.https.allow", "always"},
      {"http.lowSpeedLimit", "1"},
      {"http.lowSpeedTime", "60"},
      {"submodule.recurse", "false"},
      {"core.fsmonitor", "false"},
      {"advice.detachedHead", "false"},
  };
  if (credentials) {
    const std::string basic = toBase64(credentials->username + ":" + credentials->password);
    settings.emplace_back("http." + originOf(url) + "/.extraHeader",
                          "Authorization: Basic " + basic);
    // git would send the header to the target of a redirect as well.
    settings.emplace_back("http.followRedirects", "false");
  }
  return settings;
}

std::vector<std::string> environmentFor(const std::string& directory, const Settings& settings,
                                        const std::vector<std::string>& extra) {
  std::vector<std::string> env = extra;
  const char* path = std::getenv("PATH");
  env.push_back(std::string("PATH=") + (path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin"));
  // Messages are matched below; a home without files; no configuration but ours.
  for (const char* fixed :
       {"LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_ATTR_NOSYSTEM=1",
        "GIT_TERMINAL_PROMPT=0", "GIT_ALLOW_PROTOCOL=http:https", "GIT_PROTOCOL_FROM_USER=0",
        "GIT_ADVICE=0"}) {
    env.emplace_back(fixed);
  }
  env.push_back("HOME=" + directory + "/.git");
  // A directory above, were it a repository, is none of our business.
  env.push_back("GIT_CEILING_DIRECTORIES=" + directory);
  env.push_back("GIT_CONFIG_COUNT=" + std::to_string(settings.size()));
  for (std::size_t i = 0; i < settings.size(); ++i) {
    env.push_back("GIT_CONFIG_KEY_" + std::to_string(i) + "=" + settings[i].first);
    env.push_back("GIT_CONFIG_VALUE_" + std::to_string(i) + "=" + settings[i].second);
  }
  return env;
}

/// One checkout: the same directory, environment and limits for every command.
class Checkout {
 public:
  Checkout(const plan::GitSource& source, const std::optional<GitCredentials>& credentials,
           std::string directory, const GitOptions& options, const Settings& pinned)
      : source_(source), authenticated_(credentials.has_value()), directory_(std::move(directory)) {
    Settings settings = settingsFor(source.url, credentials);
    settings.insert(settings.end(), pinned.begin(), pinned.end());
    program_.env = environmentFor(directory_, settings, options.env);
    program_.directory = directory_;
    program_.timeout = options.timeout;
  }

  Outcome<GitRevision> run() {
    CHECK_OK(must({"init", "-q", "--template="}));
    CHECK_OK(fetch());
    TRY(GitRevision revision, resolve());
    CHECK_OK(must({"checkout", "-q", "--detach", "--no-recurse-submodules", revision.commit}));
    return revision;
  }

 private:
  Outcome<ProgramEnd> git(std::vector<std::string> args) {
    program_.argv = std::move(args);
    program_.argv.insert(program_.argv.begin(), "git");
    TRY_OR(ProgramEnd end, runProgram(program_), error,
           refuse(plan::Exit::kInternal, "InternalError", error.message));
    if (end.exitCode != 0 && isVolumeFull(directory_)) {
      return refuseVolume(directory_, unavailable("git: " + lastWords(end.err)));
    }
    return end;
  }

  /// A command that fails by our own fault only.
  Outcome<void> must(std::vector<std::string> args) {
    const std::string name = args[0];
    TRY(const ProgramEnd end, git(std::move(args)));
    if (end.exitCode != 0) {
      return refuse(plan::Exit::kInternal, "InternalError",
                    "git " + name + " of " + quoted(source_.url) + ": " + lastWords(end.err));
    }
    return {};
  }

  Outcome<ProgramEnd> fetchRefs(std::vector<std::string> refspecs, bool shallow) {
    std::vector<std::string> args = {"fetch", "-q", "--no-tags", "--no-recurse-submodules",
                                     "--no-auto-maintenance"};
    if (shallow) {
      args.insert(args.end(), {"--depth", "1"});
    }
    args.insert(args.end(), {"--end-of-options", source_.url});
    args.insert(args.end(), refspecs.begin(), refspecs.end());
    return git(std::move(args));
  }

  Outcome<void> fetch() {
    const std::vector<std::string> one = {"+" + remoteRef(source_) + ":" + std::string(kRef)};
    const std::string commit = commitOf(source_);
    const bool abbreviated = !source_.commit.empty() && !isFullCommit(source_.commit);
    if (!abbreviated) {
      TRY(ProgramEnd end, fetchRefs(one, true));
      if (contains(end.err, "does not support shallow")) {  // a server of plain files
        TRY(end, fetchRefs(one, false));
      }
      if (end.exitCode == 0 || commit.empty() || !isRevisionMissing(end)) {
        return judgeFetch(source_, authenticated_, end);
      }
    }
    return fetchEverything(commit);
  }

  /// For a commit that is abbreviated, or that the server does not give out by its name: take all
  /// branches and tags.
  Outcome<void> fetchEverything(const std::string& commit) {
    TRY(const ProgramEnd end,
        fetchRefs({"+refs/heads/*:refs/remotes/source/*", "+refs/tags/*:refs/tags/*"}, false));
    CHECK_OK(judgeFetch(source_, authenticated_, end));
    TRY(const ProgramEnd found,
        git({"rev-parse", "-q", "--verify", "--end-of-options", commit + "^{commit}"}));
    if (found.exitCode != 0) {
      return refuseRevision(source_, "");
    }
    return must({"update-ref", std::string(kRef), found.out.substr(0, found.out.find('\n'))});
  }

  Outcome<GitRevision> resolve() {
    TRY(const ProgramEnd end,
        git({"log", "-1", "--no-show-signature", "--format=%H %ct", std::string(kRef), "--"}));
    const std::size_t space = end.out.find(' ');
    if (end.exitCode != 0 || space == std::string::npos) {
      return refuseRevision(source_, end.err);
    }
    GitRevision revision;
    revision.commit = end.out.substr(0, space);
    revision.commitTime = std::strtoll(end.out.c_str() + space, nullptr, 10);
    return revision;
  }

  plan::GitSource source_;
  bool authenticated_;
  std::string directory_;
  Program program_;
};

}  // namespace

Outcome<GitCredentials> loadGitCredentials(const std::string& directory) {
  constexpr std::size_t kLimit = 64 * 1024;
  GitCredentials credentials;
  const auto password = loadFile(directory + "/password", kLimit);
  if (!password) {
    return refuse(
        plan::Exit::kSecretMissing, "CredentialsNotFound",
        "the Secret of spec.source.git.secretRef does not exist or has no key \"password\" "
        "(its type should be kubernetes.io/basic-auth)");
  }
  credentials.password = *password;
  // Tokens often stand alone; every server takes some name beside them.
  credentials.username = loadFile(directory + "/username", kLimit).value_or("git");
  for (std::string* text : {&credentials.username, &credentials.password}) {
    while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) {
      text->pop_back();
    }
  }
  return credentials;
}

Outcome<GitRevision> fetchGit(const plan::GitSource& source,
                              const std::optional<GitCredentials>& credentials,
                              const std::string& directory, const GitOptions& options) {
  CHECK_OR(checkUrl(source.url, options.urlField), error,
           refuseInput("InvalidSpec", error.message));
  CHECK_OR(checkRefName("branch", source.branch), error, refuseInput("InvalidSpec", error.message));
  CHECK_OR(checkRefName("tag", source.tag), error, refuseInput("InvalidSpec", error.message));
  CHECK_OR(checkRefName("commit", source.commit), error, refuseInput("InvalidSpec", error.message));
  CHECK_OR(checkRefName("name", source.revision), error, refuseInput("InvalidSpec", error.message));
  Settings pinned;
  if (options.checkAddress) {
    TRY(std::string server, pinServer(source.url, options.checkAddress, namesProxy(options.env)));
    pinned = {{"http.curloptResolve", std::move(server)}, {"http.followRedirects", "false"}};
  }
  return Checkout(source, credentials, directory, options, pinned).run();
}

std::vector<std::string> inheritedGitEnvironment() {
  std::vector<std::string> env;
  for (const char* name : {"http_proxy", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY",
                           "all_proxy", "ALL_PROXY", "GIT_SSL_CAINFO", "GIT_EXEC_PATH"}) {
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0') {
      env.push_back(std::string(name) + "=" + value);
    }
  }
  return env;
}

}  // namespace stagewright::prepare
