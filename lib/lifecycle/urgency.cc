// Which status may wait: news for people, as opposed to intents and ends.
#include <algorithm>

#include "lib/api/conditions.h"
#include "lib/lifecycle/phases.h"

namespace stagewright::lifecycle {

namespace {
using api::AttemptState;

/// It only got on as expected: the same attempt began to run, or ended well.
bool gotOn(const api::AttemptStatus& before, const api::AttemptStatus& after) {
  const bool forward =
      (before.state == AttemptState::kCreating && after.state == AttemptState::kRunning) ||
      (before.state == AttemptState::kCreating && after.state == AttemptState::kSucceeded) ||
      (before.state == AttemptState::kRunning && after.state == AttemptState::kSucceeded);
  return before.attempt == after.attempt && before.reason == after.reason &&
         (before.state == after.state || forward);
}

bool isReadyTheSame(const api::ImageBuildStatus& before, const api::ImageBuildStatus& after) {
  const api::Condition* a = before.conditions.find(api::condition::kReady);
  const api::Condition* b = after.conditions.find(api::condition::kReady);
  return a != nullptr && b != nullptr && a->status == b->status && a->reason == b->reason;
}
}  // namespace

bool mayWait(const api::ImageBuild& build, const Decision& decision) {
  const api::ImageBuildStatus& before = build.status;
  const api::ImageBuildStatus& after = decision.status;
  if (!before.run || !after.run || before.run->id != after.run->id ||
      before.run->result != after.run->result || !decision.actions.empty() ||
      !decision.confirmAbsent.empty() || before.stages.size() != after.stages.size() ||
      before.observedGeneration != after.observedGeneration) {
    return false;
  }
  return isReadyTheSame(before, after) && gotOn(before.run->prepare, after.run->prepare) &&
         gotOn(before.run->publish, after.run->publish) &&
         std::equal(before.stages.begin(), before.stages.end(), after.stages.begin(), gotOn);
}

}  // namespace stagewright::lifecycle
