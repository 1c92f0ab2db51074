// Time as a parameter: whoever waits or stamps receives a Clock.
#pragma once

#include <chrono>
#include <stop_token>
#include <string>
#include <string_view>

#include "lib/base/error.h"

namespace stagewright {

using TimePoint = std::chrono::system_clock::time_point;          ///< wall time, for people and for status
using SteadyPoint = std::chrono::steady_clock::time_point;        ///< for durations and deadlines

class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const = 0;
  virtual SteadyPoint steadyNow() const = 0;
  /// Sleeps for `duration` or until a stop is requested. Returns false if it was stopped.
  virtual bool sleepFor(Millis duration, std::stop_token stop) = 0;
};

/// The machine's clock. Thread-safe.
class SystemClock final : public Clock {
 public:
  TimePoint now() const override;
  SteadyPoint steadyNow() const override;
  bool sleepFor(Millis duration, std::stop_token stop) override;
};

/// RFC 3339 in UTC with whole seconds, as Kubernetes writes metav1.Time: 2026-11-23T08:00:01Z.
std::string formatTime(TimePoint t);
/// RFC 3339 in UTC with microseconds, as metav1.MicroTime.
std::string formatMicroTime(TimePoint t);
/// RFC 3339 with optional fraction and `Z` or a numeric offset. kInvalid otherwise.
Result<TimePoint> parseTime(std::string_view text);

/// `90s`, `1h30m`, `500ms`: the subset of Go's durations that api.md allows; never negative. kInvalid otherwise.
Result<Millis> parseDuration(std::string_view text);
/// The shortest such text: `1h30m`, `90s` becomes `1m30s`.
std::string formatDuration(Millis duration);

}  // namespace stagewright
