// Virtual time: sleeping takes none, and moves the clock.
#pragma once

#include <atomic>
#include <functional>

#include "lib/base/clock.h"

namespace stagewright::kube {

/// Thread-safe. `onSleep` runs in each sleepFor, before time moves: a test steers from there.
class FakeApiClock final : public Clock {
 public:
  explicit FakeApiClock(std::function<void(Millis)> onSleep = nullptr)
      : onSleep_(std::move(onSleep)) {}

  TimePoint now() const override {
    return TimePoint(std::chrono::seconds(1'800'000'000) + Millis(elapsed_.load()));
  }
  SteadyPoint steadyNow() const override {
    return SteadyPoint(std::chrono::hours(1) + Millis(elapsed_.load()));
  }
  bool sleepFor(Millis duration, std::stop_token stop) override {
    if (onSleep_) {
      onSleep_(duration);
    }
    advance(duration);
    return !stop.stop_requested();
  }
  void advance(Millis duration) { elapsed_.fetch_add(duration.count()); }
  Millis elapsed() const { return Millis(elapsed_.load()); }

 private:
  std::atomic<Millis::rep> elapsed_ = 0;
  std::function<void(Millis)> onSleep_;
};

}  // namespace stagewright::kube
