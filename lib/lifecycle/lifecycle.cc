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

namespace {
Decision planOnce(const api::ImageBuild& asked, const World& world, TimePoint now,
                  bool nextWaits = false) {
  api::ImageBuild build = asked;
  build.spec = policy::applyDefaults(asked, world.policies, fallbacksOf(world));
  Turn turn(build, asked.spec, world, now);
  turn.nextWaits = nextWaits;
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
  if (free) {
    planExpiry(turn);
  }
  return std::move(turn.decision);
}

template <class T>
void prepend(std::vector<T>& to, std::vector<T>& from) {
  to.insert(to.begin(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}
}  // namespace

Decision planBuild(const api::ImageBuild& build, const World& world, TimePoint now) {
  const std::optional<api::ImageBuild> begun =
      build.specError || build.metadata.deletionTimestamp ? std::nullopt : asBegun(build, world);
  const api::ImageBuild& first = begun ? *begun : build;
  Decision out = planOnce(first, world, now, begun.has_value());
  // A run must never be Ready for a spec that it was not made from, and nobody would wake us for
  // the next one: it begins in the same step.
  const bool ended = build.status.run && !api::isFinished(*build.status.run) && out.status.run &&
                     api::isFinished(*out.status.run);
  api::ImageBuild next = build;
  next.status = out.status;
  if (build.specError || !ended || !isNextWanted(next)) {
    return out;
  }
  Decision then = planOnce(next, world, now);
  prepend(then.confirmAbsent, out.confirmAbsent);
  prepend(then.events, out.events);
  return then;
}

}  // namespace stagewright::lifecycle
