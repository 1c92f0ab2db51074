// How often a status that is only news is written.
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/guarded.h"

namespace stagewright::op {

/// Pods of a build begin and end in bunches; what only tells of it (lifecycle::mayWait) is written
/// at most once in two seconds, together with what comes meanwhile, and less often the more builds
/// run, so that up to 1500 of them together write no more than fifty such a second; each still
/// writes twice a minute, however many run. Intents and ends never wait. Thread-safe.
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
    const auto left =
        std::chrono::ceil<Millis>(it->second + paceOf(written->size()) - clock_.steadyNow());
    return left > Millis(0) ? std::optional(left) : std::nullopt;
  }
  void wrote(const std::string& key) { (*written_.lock())[key] = clock_.steadyNow(); }
  /// The build is gone, or its run has ended: there will be no news.
  void forget(const std::string& key) { written_.lock()->erase(key); }

 private:
  static constexpr Millis kFastest{2'000};
  static constexpr Millis kSlowest{30'000};
  static constexpr Millis kPerBuild{20};

  static Millis paceOf(std::size_t builds) {
    return std::clamp(kPerBuild * static_cast<Millis::rep>(builds), kFastest, kSlowest);
  }

  const Clock& clock_;
  mutable Guarded<std::map<std::string, SteadyPoint>> written_;
};

}  // namespace stagewright::op
