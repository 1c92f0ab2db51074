// Growing waits with jitter.
#pragma once

#include <algorithm>
#include <random>

#include "lib/base/clock.h"

namespace stagewright::kube {

/// Waits of a reader of the API (controllers.md item 4): 800 ms doubling to 30 s, plus up to as
/// much again at random, back to the beginning after two healthy minutes. Not thread-safe.
class RetryDelay {
 public:
  RetryDelay(const Clock& clock, std::uint64_t seed) : clock_(clock), random_(seed) {}

  Millis next() {
    const SteadyPoint now = clock_.steadyNow();
    if (now - last_ > kHealthy) {
      base_ = kFirst;
    }
    last_ = now;
    const Millis base = std::exchange(base_, std::min(base_ * 2, kLongest));
    return base + Millis(std::uniform_int_distribution<Millis::rep>(0, base.count())(random_));
  }

 private:
  static constexpr Millis kFirst{800};
  static constexpr Millis kLongest{30'000};
  static constexpr std::chrono::minutes kHealthy{2};

  const Clock& clock_;
  std::mt19937_64 random_;
  Millis base_ = kFirst;
  SteadyPoint last_{};
};

}  // namespace stagewright::kube
