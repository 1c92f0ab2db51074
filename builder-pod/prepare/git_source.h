// A git repository as source, by the git program.
//
// Repository and server are hostile: http and https only, no hooks, no configuration of the machine
// or the user, no filters, no submodules, no prompts. The password goes to git in its environment,
// never in argv, a file or a message.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "builder-pod/prepare/refusal.h"
#include "lib/base/error.h"
#include "lib/http/address.h"
#include "lib/plan/request.h"

namespace stagewright::prepare {

struct GitCredentials {
  std::string username;
  std::string password;
};

struct GitRevision {
  std::string commit;
  std::int64_t commitTime = 0;  ///< seconds since 1970
};

struct GitOptions {
  Millis timeout{std::chrono::minutes(30)};  ///< of each git command
  std::vector<std::string> env;  ///< K=V that git gets besides ours: proxies, certificates
  /// Every address of the server must pass, and git is bound to these addresses and follows no
  /// redirect. A name that only the proxy of `env` can resolve is left to it. May be empty.
  http::AddressCheck checkAddress;
  std::string urlField = "source.git.url";  ///< what messages call the URL
};

/// Reads `username` and `password` of a mounted kubernetes.io/basic-auth Secret.
/// Refuses: SecretsMissing (exit 21) as CredentialsNotFound if the password is not there.
Outcome<GitCredentials> loadGitCredentials(const std::string& directory);

/// Checks out the revision into `directory`, which must be empty, with its .git: as shallow as the
/// server allows. Refuses: InvalidSpec, SourceNotFound, SourceRevisionNotFound, SourceAuthFailed,
/// SourceUnavailable, PolicyViolation (an address that does not pass), WorkspaceFull,
/// InternalError.
Outcome<GitRevision> fetchGit(const plan::GitSource& source,
                              const std::optional<GitCredentials>& credentials,
                              const std::string& directory, const GitOptions& options);

/// Proxy and certificate variables of this process that git understands.
std::vector<std::string> inheritedGitEnvironment();

}  // namespace stagewright::prepare
