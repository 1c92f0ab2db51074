#include "lib/lifecycle/lifecycle.h"

#include "lib/api/reasons.h"
#include "lib/lifecycle/phases.h"
#include "lib/policy/defaults.h"

namespace stagewright::lifecycle {

namespace {
/// One part after the other, until one of them ends the run.
void drive(Turn& turn) {
  if (isCancelled(turn)) {
    turn.cancel("annotation " + std::string(api::kCancelAnnotation));
    return;
  }
  if (!areSound(turn.status().stages)) {
    turn.fail(outcomeOf(api::reason::kInternalError, "status.stages was changed by someone else"));
    return;
  }
  if (!admitRun(turn)) {
    return;
  }
  // What has been pushed in time counts, so this is asked before the clock.
  lookAtPublish(turn);
  for (void (*const part)(Turn&) : {checkTimeout, checkWorkspace}) {
    if (turn.isActive()) {
      part(turn);
    }
  }
  if (turn.isActive() && settleWorkspace(turn)) {
    for (void (*const part)(Turn&) : {planPrepare, planStages, planPublish}) {
      if (turn.isActive()) {
        part(turn);
      }
    }
  }
}
}  // namespace

Decision planBuild(const api::ImageBuild& asked, const World& world, TimePoint now) {
  api::ImageBuild build = asked;
  build.spec = policy::applyDefaults(asked.spec, world.policies, fallbacksOf(world));
  Turn turn(build, asked.spec, world, now);
  if (build.metadata.deletionTimestamp) {
    return std::move(turn.decision);
  }
  if (build.specError) {
    writeInvalidSpec(turn);
    planActions(turn);
    return std::move(turn.decision);
  }
  const bool free = beginRunIfWanted(turn);
  if (turn.isActive()) {
    drive(turn);
  }
  const bool waits = turn.isActive() && !isAdmitted(turn.run());
  writeStatus(turn, !free || (waits && build.spec.suspend));
  planActions(turn);
  return std::move(turn.decision);
}

}  // namespace stagewright::lifecycle
