// Publish: pushes while stages run, and says when the image is there.
#include <algorithm>

#include "lib/api/reasons.h"
#include "lib/lifecycle/attempt.h"
#include "lib/lifecycle/phases.h"

namespace stagewright::lifecycle {

namespace {
namespace reason = api::reason;
using api::AttemptState;

/// A publish pod of another run that could still move the tags.
const ObservedPod* findRival(Turn& turn) {
  const auto it =
      std::find_if(turn.world.pods.begin(), turn.world.pods.end(), [&](const ObservedPod& pod) {
        return pod.role == pods::kRolePublish && pod.runId != turn.run().id && !pod.isTerminal();
      });
  return it == turn.world.pods.end() ? nullptr : &*it;
}

/// The image must be what was asked for: a frame is sealed, but a bug could still name another
/// repository.
bool isOurs(Turn& turn, const plan::ImageReport& image) {
  const auto target = pods::resolveOutput(turn.build.spec.output, turn.run().sourceRevision);
  return target && image.reference == target->repository + "@" + image.digest.str();
}

/// For a moment every pod may seem not to fit; giving way costs publish a start.
constexpr std::chrono::seconds kPatience(10);

bool isBlocked(const api::StageStatus& stage) {
  return stage.state == AttemptState::kCreating &&
         (stage.reason == reason::kQuotaExceeded || stage.reason == reason::kUnschedulable ||
          stage.reason == reason::kQueued);
}

/// A stage wants to run, none does, and there is no quota or no room: publish only waits and can
/// come back later.
bool shouldGiveWay(Turn& turn) {
  const auto& stages = turn.status().stages;
  const bool progress = std::any_of(
      stages.begin(), stages.end(),
      [](const api::StageStatus& stage) { return stage.state == AttemptState::kRunning; });
  const auto blocked = std::find_if(stages.begin(), stages.end(), isBlocked);
  if (progress || blocked == stages.end()) {
    return false;
  }
  const TimePoint end = blocked->failingSince.value_or(turn.now) + kPatience;
  if (turn.now < end) {
    turn.wakeAt(end);
  }
  return turn.now >= end;
}
}  // namespace

void lookAtPublish(Turn& turn) {
  if (turn.run().prepare.state != AttemptState::kSucceeded || turn.run().publish.attempt == 0) {
    return;
  }
  Attempt attempt = Attempt::publish(turn);
  if (attempt.pod() != nullptr && isActive(attempt.status().state)) {
    const LogFacts& facts = turn.factsOf(*attempt.pod());
    if (facts.image && isOurs(turn, *facts.image)) {
      turn.run().publish.node = attempt.pod()->node;
      turn.succeed(*facts.image);
      return;
    }
  }
  const bool wasActive = isActive(attempt.status().state);
  std::optional<Outcome> outcome = attempt.look();
  const ObservedPod* pod = attempt.pod();
  if (wasActive && pod != nullptr && pod->isTerminal()) {
    if (attempt.awaitsLog()) {
      return;
    }
    if (attempt.hasExitedWell()) {
      outcome = outcomeOf(reason::kInternalError,
                          "publish ended well, but did not say which image it pushed");
    }
  }
  if (outcome) {
    attempt.endWith(std::move(*outcome));
  }
}

void planPublish(Turn& turn) {
  if (turn.run().prepare.state != AttemptState::kSucceeded) {
    return;
  }
  Attempt attempt = Attempt::publish(turn);
  if (isActive(attempt.status().state) && shouldGiveWay(turn)) {
    attempt.status().state = AttemptState::kWaiting;
    attempt.status().startTime.reset();
    return;
  }
  const bool wanted = (attempt.status().state == AttemptState::kWaiting && !attempt.isInTheWay() &&
                       !shouldGiveWay(turn)) ||
                      attempt.isDue();
  if (!wanted) {
    return;
  }
  if (const ObservedPod* rival = findRival(turn)) {
    turn.wait(reason::kQueued, "pod " + rival->name + " of an earlier run may still move the tags" +
                                   (isLost(turn, rival->node)
                                        ? "; its node " + rival->node +
                                              " is lost: delete the Node, or taint it out-of-service, "
                                              "when you know that it is down"
                                        : ""));
    turn.wakeAt(turn.now + std::chrono::seconds(5));
    return;
  }
  attempt.begin();
}

}  // namespace stagewright::lifecycle
