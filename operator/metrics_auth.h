// Who may read /metrics: whoever the API server knows by the bearer token and allows to `get` the
// path. Build names of all teams do not stand there, but hosts, reasons and numbers do.
#pragma once

#include <map>
#include <stop_token>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/guarded.h"
#include "lib/kube/client.h"

namespace stagewright::op {

/// Thread-safe. Answers are kept for a minute, refusals for ten seconds, at most 256 of them, by
/// the hash of the token.
class MetricsAuth {
 public:
  enum class Verdict { kAllowed, kUnauthenticated, kForbidden, kUnavailable };

  /// `client` should not wait long: a scrape does not either.
  MetricsAuth(kube::ApiClient& client, const Clock& clock) : client_(client), clock_(clock) {}

  /// `authorization` is the header.
  Verdict judge(const std::string& authorization, const std::string& path, std::stop_token stop);

 private:
  static constexpr std::chrono::seconds kKeepAllowed{60};
  static constexpr std::chrono::seconds kKeepRefused{10};
  static constexpr std::size_t kMaxKept = 256;

  struct Kept {
    Verdict verdict;
    SteadyPoint until;
  };
  Verdict ask(const std::string& token, const std::string& path, std::stop_token stop);

  kube::ApiClient& client_;
  const Clock& clock_;
  Guarded<std::map<std::string, Kept>> kept_;
};

}  // namespace stagewright::op
