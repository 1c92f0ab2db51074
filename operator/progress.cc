#include "operator/progress.h"

#include <algorithm>

namespace stagewright::op {

namespace {

bool isInFlight(const std::string& phase) {
  return phase == "Preparing" || phase == "Building" || phase == "Publishing";
}

bool isSame(const api::AttemptStatus& a, const api::AttemptStatus& b) {
  return a.state == b.state && a.attempt == b.attempt;
}

}  // namespace

void Progress::onPhase(const std::string& from, const std::string& to) {
  const int change = (isInFlight(to) ? 1 : 0) - (isInFlight(from) ? 1 : 0);
  if (change == 0) {
    return;
  }
  auto state = state_.lock();
  state->inFlight += change;
  state->last = clock_.steadyNow();
}

void Progress::onAdvance() { state_.lock()->last = clock_.steadyNow(); }

Millis Progress::since() const {
  auto state = state_.lock();
  return state->inFlight > 0 ? std::chrono::duration_cast<Millis>(clock_.steadyNow() - state->last)
                             : Millis(0);
}

bool hasAdvanced(const api::ImageBuildStatus& before, const api::ImageBuildStatus& after) {
  if (before.phase != after.phase || before.run.has_value() != after.run.has_value()) {
    return true;
  }
  if (after.run &&
      (before.run->id != after.run->id || !isSame(before.run->prepare, after.run->prepare) ||
       !isSame(before.run->publish, after.run->publish))) {
    return true;
  }
  return !std::equal(before.stages.begin(), before.stages.end(), after.stages.begin(),
                     after.stages.end(), isSame);
}

}  // namespace stagewright::op
