// A clock that moves only when somebody sleeps on it.
#pragma once

#include <vector>

#include "lib/base/clock.h"
#include "lib/base/guarded.h"

namespace stagewright::testing {

/// Thread-safe.
class FakeClock final : public Clock {
 public:
  TimePoint now() const override {
    return TimePoint(std::chrono::seconds(1'700'000'000)) + elapsed();
  }
  SteadyPoint steadyNow() const override { return SteadyPoint(elapsed()); }
  bool sleepFor(Millis duration, std::stop_token stop) override {
    auto state = state_.lock();
    state->elapsed += duration;
    state->sleeps.push_back(duration);
    return !stop.stop_requested();
  }

  void advance(Millis duration) { state_.lock()->elapsed += duration; }
  Millis elapsed() const { return state_.lock()->elapsed; }
  std::vector<Millis> sleeps() const { return state_.lock()->sleeps; }

 private:
  struct State {
    Millis elapsed{0};
    std::vector<Millis> sleeps;
  };
  mutable Guarded<State> state_;
};

}  // namespace stagewright::testing
