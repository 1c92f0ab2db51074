#include "lib/http/retry.h"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <random>
#include <string>

#include "lib/http/headers.h"

namespace stagewright::http {

namespace {

double randomFraction() {
  thread_local std::minstd_rand generator(std::random_device{}());
  return std::uniform_real_distribution<double>(0.0, 1.0)(generator);
}

}  // namespace

bool isRetriableStatus(int status) {
  return status == 408 || status == 429 || status == 500 || (status >= 502 && status <= 504);
}

std::optional<Millis> parseRetryAfter(std::string_view value, TimePoint now) {
  value = trim(value);
  std::int64_t seconds = 0;
  auto [end, ec] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (ec == std::errc() && end == value.data() + value.size() && seconds >= 0) {
    return Millis(std::min<std::int64_t>(seconds, 86'400) * 1000);
  }
  std::tm tm{};
  const std::string text(value);
  const char* rest = strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &tm);
  if (rest == nullptr || *rest != '\0') {
    return std::nullopt;
  }
  const TimePoint when = std::chrono::system_clock::from_time_t(timegm(&tm));
  const auto wait = std::chrono::duration_cast<Millis>(when - now);
  return std::clamp(wait, Millis(0), Millis(86'400'000));
}

Millis backoffDelay(const RetryPolicy& policy, int attempt, double random, Millis retryAfter) {
  const int doublings = std::clamp(attempt - 1, 0, 20);
  const double ceiling =
      std::min(static_cast<double>(policy.base.count()) * static_cast<double>(1 << doublings),
               static_cast<double>(policy.longest.count()));
  const Millis jittered(static_cast<std::int64_t>(ceiling * random));
  return std::max(jittered, std::min(retryAfter, policy.longest));
}

bool Retrier::waitBeforeRetry(const Error& error, std::stop_token stop) {
  if (error.code != Code::kUnavailable || stop.stop_requested()) {
    return false;
  }
  const Millis delay = backoffDelay(policy_, attempt_, randomFraction(), error.retryAfter);
  if (clock_.steadyNow() + delay - start_ > policy_.budget) {
    return false;
  }
  ++attempt_;
  return clock_.sleepFor(delay, stop);
}

}  // namespace stagewright::http
