// For how long nothing has moved although something should: the metric behind the alert NoProgress.
#pragma once

#include <string>

#include "lib/api/status.h"
#include "lib/base/clock.h"
#include "lib/base/guarded.h"

namespace stagewright::op {

/// Thread-safe.
class Progress {
 public:
  explicit Progress(const Clock& clock) : clock_(clock) {}

  /// A build changed its phase; empty: it did not exist, or does not any more.
  void onPhase(const std::string& from, const std::string& to);
  /// A run, stage or attempt has advanced.
  void onAdvance();
  /// Since the last advance of any build; 0 while none is in flight.
  Millis since() const;

 private:
  struct State {
    int inFlight = 0;
    SteadyPoint last{};
  };
  const Clock& clock_;
  mutable Guarded<State> state_;
};

/// True if these differ in more than in what only waits: another run, phase, attempt or state of
/// one.
bool hasAdvanced(const api::ImageBuildStatus& before, const api::ImageBuildStatus& after);

}  // namespace stagewright::op
