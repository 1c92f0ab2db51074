// From the status that is to be to the objects that must exist and those that must not.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/api/reasons.h"
#include "lib/lifecycle/create_error.h"
#include "lib/lifecycle/phases.h"

namespace stagewright::lifecycle {

namespace {
using api::AttemptState;

constexpr std::chrono::seconds kLeast(1);

void create(Turn& turn, Action::Kind kind, const std::string& name, const Json& object) {
  if (const CreateError* error = turn.createErrorOf(name)) {
    const CreateVerdict verdict = judgeCreateError(*error, turn.world.settings.credentialGrace);
    if (turn.now < verdict.retryAt) {
      turn.wakeAt(verdict.retryAt);
      return;
    }
  }
  turn.decision.actions.push_back({kind, name, {}, dumpJson(object)});
}

bool isMissing(Turn& turn, const api::AttemptStatus& attempt, std::string_view role, int stage) {
  return attempt.state == AttemptState::kCreating &&
         turn.findPod(role, stage, attempt.attempt) == nullptr;
}

std::int64_t remainingSeconds(Turn& turn) {
  const Millis timeout = turn.build.spec.timeout.value_or(turn.world.settings.timeout);
  const TimePoint begin = turn.run().activeTime.value_or(turn.now);
  const Millis left = std::chrono::ceil<Millis>(begin + timeout - turn.now);
  return std::chrono::duration_cast<std::chrono::seconds>(std::max<Millis>(left, kLeast)).count();
}

void createClaim(Turn& turn, const pods::RunContext& context) {
  const api::RunStatus& run = *context.build.status.run;
  const bool own = turn.build.spec.workspace.claimName.empty();
  const bool there =
      std::any_of(turn.world.claims.begin(), turn.world.claims.end(),
                  [&](const ObservedClaim& claim) { return claim.name == run.claim; });
  if (own && !there && run.prepare.attempt > 0 && run.prepare.state != AttemptState::kSucceeded) {
    create(turn, Action::Kind::kCreateClaim, run.claim, pods::makeClaim(context));
  }
}

/// Stages before publish: with a quota for one pod, the one that makes progress gets it.
void createPods(Turn& turn, pods::RunContext& context, const api::ImageBuildStatus& status) {
  const api::RunStatus& run = *status.run;
  if (isMissing(turn, run.prepare, pods::kRolePrepare, -1)) {
    create(turn, Action::Kind::kCreatePod,
           turn.podName(pods::kRolePrepare, -1, run.prepare.attempt),
           pods::makePreparePod(context, run.prepare.attempt, turn.world.freshRunKey));
  }
  context.node = run.node;
  const std::string key = turn.runKey();
  for (const api::StageStatus& stage : status.stages) {
    if (isMissing(turn, stage, pods::kRoleStage, stage.index)) {
      create(turn, Action::Kind::kCreatePod,
             turn.podName(pods::kRoleStage, stage.index, stage.attempt),
             pods::makeStagePod(context, stage, key));
    }
  }
  if (isMissing(turn, run.publish, pods::kRolePublish, -1)) {
    create(turn, Action::Kind::kCreatePod,
           turn.podName(pods::kRolePublish, -1, run.publish.attempt),
           pods::makePublishPod(context, run.publish.attempt, key));
  }
}

void createMissing(Turn& turn) {
  api::ImageBuild drafted = turn.build;
  drafted.status = turn.status();
  pods::RunContext context{drafted, turn.world.settings.pods, turn.world.cluster.imageVolumes,
                           std::string(), remainingSeconds(turn)};
  createClaim(turn, context);
  createPods(turn, context, drafted.status);
}

const api::AttemptStatus* attemptOf(Turn& turn, const ObservedPod& pod) {
  if (pod.role == pods::kRolePrepare) {
    return &turn.run().prepare;
  }
  if (pod.role == pods::kRolePublish) {
    return &turn.run().publish;
  }
  const auto& stages = turn.status().stages;
  const auto index = static_cast<std::size_t>(pod.stage);
  return pod.stage >= 0 && index < stages.size() ? &stages[index] : nullptr;
}

/// While the run goes on, only pods that could do harm go: those of attempts that are over or were
/// given up.
bool isUnwantedNow(Turn& turn, const ObservedPod& pod) {
  const api::AttemptStatus* attempt = attemptOf(turn, pod);
  if (pod.isTerminal()) {
    return false;
  }
  // A prepare pod whose plan was taken over is about to end by itself.
  return attempt == nullptr || attempt->attempt != pod.attempt ||
         (attempt->state != AttemptState::kCreating && attempt->state != AttemptState::kRunning &&
          attempt->state != AttemptState::kSucceeded);
}

/// True until then; asks for another look at that time.
bool lasts(Turn& turn, Millis afterTheEnd) {
  const TimePoint end = turn.run().completionTime.value_or(turn.now) + afterTheEnd;
  if (turn.now < end) {
    turn.wakeAt(end);
  }
  return turn.now < end;
}

bool keepsPods(Turn& turn) {
  const api::PodRetention retention =
      turn.build.spec.retention.pods.value_or(api::PodRetention::kOnFailure);
  const std::string& result = turn.run().result;
  const bool wanted =
      (retention == api::PodRetention::kAlways && result != api::reason::kCancelled) ||
      (retention == api::PodRetention::kOnFailure && result == api::reason::kFailed);
  return wanted &&
         lasts(turn, turn.build.spec.retention.podTTL.value_or(turn.world.settings.podTTL));
}

bool isUnwanted(Turn& turn, const ObservedPod& pod) {
  if (pod.runId != turn.run().id) {
    return true;
  }
  if (turn.isActive()) {
    return isUnwantedNow(turn, pod);
  }
  // A publish pod that has said its image is about to end by itself.
  const bool ending = turn.run().result == api::reason::kSucceeded;
  return !keepsPods(turn) || (!pod.isTerminal() && !ending);
}

/// What is left of a run that succeeded does nothing any more; eight deletes of each of a hundred
/// such runs would keep new builds waiting.
bool hasTime(Turn& turn, const std::string& runId) {
  return runId == turn.run().id && turn.run().result == api::reason::kSucceeded;
}

void deleteUnwantedPods(Turn& turn) {
  for (const ObservedPod& pod : turn.world.pods) {
    if (!pod.deletionTimestamp && isUnwanted(turn, pod)) {
      turn.decision.actions.push_back(
          {Action::Kind::kDeletePod, pod.name, pod.uid, {}, {}, hasTime(turn, pod.runId)});
    }
  }
}

/// A workspace without pods is only in the way, and one with them is mostly too large to be kept
/// for long.
void deleteUnwantedClaims(Turn& turn) {
  const bool keptPod = std::any_of(turn.world.pods.begin(), turn.world.pods.end(),
                                   [&](const ObservedPod& pod) { return !isUnwanted(turn, pod); });
  const Millis stay =
      turn.build.spec.retention.workspace.value_or(turn.world.settings.workspaceTTL);
  for (const ObservedClaim& claim : turn.world.claims) {
    const bool own = claim.ownerUid == turn.build.metadata.uid && !claim.runId.empty();
    if (!own || claim.deletionTimestamp) {
      continue;
    }
    const bool wanted =
        claim.runId == turn.run().id && (turn.isActive() || (keptPod && lasts(turn, stay)));
    if (!wanted) {
      turn.decision.actions.push_back(
          {Action::Kind::kDeleteClaim, claim.name, claim.uid, {}, {}, hasTime(turn, claim.runId)});
    }
  }
}

/// Prepare and publish speak through their logs; a container that never started has none.
void followLogs(Turn& turn) {
  const auto follow = [&](std::string_view role, const api::AttemptStatus& attempt) {
    const ObservedPod* pod = turn.findPod(role, -1, attempt.attempt);
    const bool active =
        attempt.state == AttemptState::kCreating || attempt.state == AttemptState::kRunning;
    if (active && pod != nullptr && !pod->runKey.empty() &&
        (pod->container.state == ObservedContainer::State::kRunning ||
         pod->container.state == ObservedContainer::State::kTerminated)) {
      turn.decision.followLogs.push_back(pod->name);
    }
  };
  follow(pods::kRolePrepare, turn.run().prepare);
  follow(pods::kRolePublish, turn.run().publish);
}

bool isLeaving(Turn& turn) {
  return std::any_of(
      turn.world.createErrors.begin(), turn.world.createErrors.end(), [&](const auto& entry) {
        return judgeCreateError(entry.second, turn.world.settings.credentialGrace).kind ==
               CreateVerdict::Kind::kLeaving;
      });
}
}  // namespace

void planActions(Turn& turn) {
  if (!turn.status().run) {
    return;
  }
  deleteUnwantedPods(turn);
  deleteUnwantedClaims(turn);
  if (turn.isActive()) {
    if (!isLeaving(turn)) {
      createMissing(turn);
    }
    followLogs(turn);
  }
}

bool isSameChild(const Json& existing, const Json& wanted) {
  const auto at = [](const Json& object, const char* pointer) {
    const Json::json_pointer path(pointer);
    return object.contains(path) ? object.at(path) : Json();
  };
  for (const Json& owner : at(wanted, "/metadata/ownerReferences")) {
    const Json owners = at(existing, "/metadata/ownerReferences");
    const bool found = std::any_of(owners.begin(), owners.end(), [&](const Json& other) {
      return other.is_object() && other.value("uid", Json()) == owner.at("uid") &&
             other.value("controller", Json()) == Json(true);
    });
    if (!found) {
      return false;
    }
  }
  const Json labels = at(existing, "/metadata/labels");
  const Json wantedLabels = at(wanted, "/metadata/labels");
  for (const auto& [key, value] : wantedLabels.items()) {
    if (!labels.is_object() || labels.value(key, Json()) != value) {
      return false;
    }
  }
  return true;
}

}  // namespace stagewright::lifecycle
