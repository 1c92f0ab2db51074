// How often a status that is only news is written.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/guarded.h"

namespace stagewright::op {

/// Pods of a build begin and end in bunches; what only tells of it (lifecycle::mayWait) is written
/// at most once in kPace, together with what comes meanwhile. Intents and ends never wait.
/// Thread-safe.
class NewsPace {
 public:
  explicit NewsPace(const Clock& clock) : clock_(clock) {}

  /// How long news about `key` has to wait; nothing: write it now.
  std::optional<Millis> rest(const std::string& key) const {
    auto written = written_.lock();
    const auto it = written->find(key);
    if (it == written->end()) {
      return std::nullopt;
    }
    const auto left = std::chrono::ceil<Millis>(it->second + kPace - clock_.steadyNow());
    return left > Millis(0) ? std::optional(left) : std::nullopt;
  }
  void wrote(const std::string& key) { (*written_.lock())[key] = clock_.steadyNow(); }
  /// The build is gone, or its run has ended: there will be no news.
  void forget(const std::string& key) { written_.lock()->erase(key); }

 private:
  static constexpr Millis kPace{2'000};

  const Clock& clock_;
  mutable Guarded<std::map<std::string, SteadyPoint>> written_;
};

}  // namespace stagewright::op
