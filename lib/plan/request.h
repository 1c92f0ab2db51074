// What the operator asks of prepare and of publish, as JSON in STAGEWRIGHT_REQUEST.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/json.h"
#include "lib/oci/manifest.h"

namespace stagewright::plan {

/// How we talk to one registry host. The nodes have their own configuration.
struct RegistryAccess {
  enum class Tls { kVerify, kSkipVerify, kPlainHttp };
  std::string host;
  Tls tls = Tls::kVerify;
  std::string caFile;               ///< a mounted file, or empty
  std::vector<std::string> mirrors;
};

struct GitSource {
  std::string url;
  std::string branch, tag, commit;  ///< at most one is set; none: the remote's HEAD
  bool authenticated = false;       ///< kSourceSecretDir is mounted; its absence is exit 21
  std::string revision{};           ///< instead of branch, tag, commit: whichever of them, or refs/…, has this name (ADD)
};

/// Where layers of steps may be found.
struct CacheSource {
  std::string repository;  ///< host/path
  bool read = true;        ///< false: keys are made for who writes, but nothing is taken
  /// Goes into every key: the namespace, so that builds of two namespaces never share one, and what
  /// else makes equal steps give different blobs.
  std::string scope;
};

/// Where SOURCE_DATE_EPOCH comes from, if not from the build arguments.
enum class TimePolicy { kNow, kSource, kFixed };

struct BuildRequest {
  std::optional<GitSource> git;
  bool configMap = false;           ///< the source is kConfigMapDir
  std::string contextDir = ".";
  std::string dockerfile = "Dockerfile";
  std::optional<std::string> dockerfileInline;
  std::string target;               ///< empty: the last stage
  oci::Platform platform;
  std::vector<std::pair<std::string, std::string>> buildArgs;
  /// Names of arguments whose values are files of kBuildArgsDir, each with where it comes from, for messages
  std::vector<std::pair<std::string, std::string>> buildArgFiles;
  std::vector<std::pair<std::string, std::string>> labels;
  std::vector<std::pair<std::string, std::string>> contexts;  ///< name, image reference or scratch
  TimePolicy timePolicy = TimePolicy::kNow;
  std::int64_t fixedTime = 0;       ///< kFixed: seconds since 1970
  std::optional<CacheSource> cache;
  std::string claimOwner;           ///< uid of the ImageBuild if its claim outlives the run, else empty
  std::vector<std::string> secretIds;  ///< what RUN --mount=type=secret may require
  std::vector<std::string> sshIds;     ///< the same for type=ssh
  std::vector<RegistryAccess> registries;
  std::vector<std::pair<std::string, std::string>> proxies;  ///< variables for RUN; our own are in the environment
  std::string trustedCa;            ///< the ConfigMap behind kTrustedCaFile, for messages; empty: none
  bool authoritiesInRun = false;    ///< RUN is to trust them too
  int pullSecrets = 0;              ///< pull/<0..n-1>/.dockerconfigjson may exist
  int maxAttempts = 1;              ///< stages/<i>/a1..a<n> are made
};

/// Where logs go that are to outlive their pods.
struct LogsRequest {
  std::string tag;                  ///< of the output's repository: logsTag()
  int keep = 1;                     ///< runs
};

struct PublishRequest {
  std::string repository;           ///< host/path
  std::vector<std::string> tags;
  std::vector<RegistryAccess> registries;
  std::string trustedCa;            ///< as in BuildRequest
  int pullSecrets = 0;
  bool pushSecret = false;          ///< kPushSecretDir is mounted; its absence is exit 21
  std::string pushSecretName;       ///< for messages
  bool dockerFormat = false;
  bool zstd = false;                ///< layers of steps; base layers stay as they are
  std::vector<std::pair<std::string, std::string>> annotations;  ///< of the manifest
  std::string cacheRepository;      ///< host/path; empty: no cache is read or written
  std::optional<LogsRequest> logs;
};

Json toJson(const BuildRequest& r);
Json toJson(const PublishRequest& r);
Result<BuildRequest> parseBuildRequest(std::string_view text);
Result<PublishRequest> parsePublishRequest(std::string_view text);

}  // namespace stagewright::plan
