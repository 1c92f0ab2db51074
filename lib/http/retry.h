// When to try again, and after how long: exponential backoff with full jitter, bounded by a time
// budget.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/http/transport.h"

namespace stagewright::http {

struct RetryPolicy {
  Millis base{200};  ///< the first delay is random in [0, base], the n-th in [0, base * 2^(n-1)]
  Millis longest{10'000};  ///< cap of one delay; also of what a server's Retry-After may demand
  Millis budget{120'000};  ///< no new attempt starts later than this after the first
};

/// 408, 429, 500, 502, 503, 504.
bool isRetriableStatus(int status);
/// Seconds or an HTTP date. Nothing if unreadable; a time in the past is 0.
std::optional<Millis> parseRetryAfter(std::string_view value, TimePoint now);
/// Delay before attempt `attempt` + 1 (attempts count from 1). `random` in [0, 1). The server's
/// wish is a lower bound.
Millis backoffDelay(const RetryPolicy& policy, int attempt, double random, Millis retryAfter);

/// Counts attempts and time for one operation. Not thread-safe.
class Retrier {
 public:
  Retrier(Clock& clock, const RetryPolicy& policy)
      : clock_(clock), policy_(policy), start_(clock.steadyNow()) {}
  /// True after waiting, if `error` is kUnavailable and the budget allows another attempt. False if
  /// stopped.
  bool waitBeforeRetry(const Error& error, std::stop_token stop);
  int attempts() const { return attempt_; }

 private:
  Clock& clock_;
  RetryPolicy policy_;
  SteadyPoint start_;
  int attempt_ = 1;
};

/// Runs `operation` until it succeeds, fails for good, or the budget is spent; then the last error.
template <class Operation>
auto retry(Clock& clock, const RetryPolicy& policy, std::stop_token stop, Operation operation)
    -> decltype(operation()) {
  Retrier retrier(clock, policy);
  while (true) {
    auto result = operation();
    if (result || !retrier.waitBeforeRetry(result.error(), stop)) {
      return result;
    }
  }
}

}  // namespace stagewright::http
