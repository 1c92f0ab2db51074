// What ADD names and nobody has yet: URLs and git repositories. The pod and the local engine fetch
// them by the same code.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "builder-pod/prepare/refusal.h"
#include "lib/base/clock.h"
#include "lib/http/retry.h"
#include "lib/http/transport.h"
#include "lib/plan/plan.h"

namespace stagewright::prepare {

struct FetchRules {
  /// Where servers may be. In a pod everything is refused that a Dockerfile of a stranger must not
  /// reach; the local engine has none.
  http::AddressCheck checkAddress;
  std::int64_t sizeLimit = std::int64_t{16} * 1024 * 1024 * 1024;
  Millis timeLimit{std::chrono::minutes(30)};
  std::vector<std::string> gitEnvironment;  ///< K=V: proxies, certificates
  http::RetryPolicy retry;
};

/// What a pod may fetch from: no address of http::deniedAddressKind() and none of `denied`
/// (numeric), such as the API server's.
http::AddressCheck podAddressCheck(std::vector<std::string> denied);

struct FetchedSource {
  std::string what;      ///< for people: size, or the commit
  std::string identity;  ///< digest of the file, or commit
};

class SourceFetcher {
 public:
  /// Borrows `transport` and `clock`.
  SourceFetcher(FetchRules rules, http::Transport& transport, Clock& clock, std::stop_token stop)
      : rules_(std::move(rules)), transport_(transport), clock_(clock), stop_(std::move(stop)) {}

  /// Makes `path`, which must not exist: a file (mode 0600, its time that of Last-Modified, else
  /// 1970), or for git a directory. Beside it `<path>.tmp` is used. Refuses: SourceNotFound,
  /// SourceRevisionNotFound, SourceAuthFailed, SourceUnavailable, DockerfileInvalid (checksum, kind
  /// of URL, too large), PolicyViolation, WorkspaceFull, InternalError.
  Outcome<FetchedSource> fetch(const plan::Fetch& fetch, const std::string& path);

 private:
  Outcome<FetchedSource> download(const plan::Fetch& fetch, const std::string& path);
  Outcome<FetchedSource> clone(const plan::Fetch& fetch, const std::string& path);

  FetchRules rules_;
  http::Transport& transport_;
  Clock& clock_;
  std::stop_token stop_;
};

}  // namespace stagewright::prepare
