// The one place that writes what people and kubectl look at: phase, progress and conditions, from
// what the phases found.
#include <algorithm>

#include "lib/api/conditions.h"
#include "lib/api/reasons.h"
#include "lib/lifecycle/phases.h"

namespace stagewright::lifecycle {

namespace {
namespace reason = api::reason;
namespace condition = api::condition;
using api::AttemptState;
using api::Truth;

/// Status, reason and message of one condition.
struct Finding {
  Truth truth = Truth::kUnknown;
  std::string reason{reason::kProgressing};
  std::string message;
};

void set(Turn& turn, std::string_view type, const Finding& finding) {
  turn.status().conditions.set(type, finding.truth, finding.reason, finding.message,
                               turn.build.metadata.generation, turn.now);
}

bool isOneOf(std::string_view text, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

std::size_t countStages(Turn& turn, AttemptState state) {
  const auto& stages = turn.status().stages;
  return static_cast<std::size_t>(
      std::count_if(stages.begin(), stages.end(),
                    [&](const api::StageStatus& stage) { return stage.state == state; }));
}

bool isPlanned(Turn& turn) { return turn.run().prepare.state == AttemptState::kSucceeded; }

bool areStagesDone(Turn& turn) {
  return isPlanned(turn) &&
         countStages(turn, AttemptState::kSucceeded) == turn.status().stages.size();
}

std::string progressOf(Turn& turn) {
  return turn.status().stages.empty()
             ? std::string()
             : std::to_string(countStages(turn, AttemptState::kSucceeded)) + "/" +
                   std::to_string(turn.status().stages.size());
}

bool isWaitingClass(std::string_view why) {
  const std::optional<api::ReasonInfo> info = api::findReason(why);
  return info && info->failureClass == api::FailureClass::kWaiting;
}

std::string phaseOf(Turn& turn) {
  const api::RunStatus& run = turn.run();
  if (!run.result.empty()) {
    return run.result;
  }
  if (areStagesDone(turn)) {
    return "Publishing";
  }
  if (isPlanned(turn)) {
    return "Building";
  }
  const bool queued = turn.waiting() && isWaitingClass(turn.waiting()->reason);
  return queued && run.prepare.state != AttemptState::kRunning ? "Queued" : "Preparing";
}

std::string runningStages(Turn& turn) {
  std::string out;
  for (const api::StageStatus& stage : turn.status().stages) {
    if (stage.state == AttemptState::kRunning) {
      out += (out.empty() ? "" : ", ") + stage.name;
      out += stage.attempt > 1 ? " (attempt " + std::to_string(stage.attempt) + ")" : "";
    }
  }
  return out;
}

std::string progressMessage(Turn& turn) {
  if (!isPlanned(turn)) {
    return "fetching the source and planning";
  }
  if (areStagesDone(turn)) {
    return "all stages are done; pushing the rest of the image";
  }
  const std::string running = runningStages(turn);
  return progressOf(turn) + " stages are done" + (running.empty() ? "" : "; running: " + running);
}

/// A step has more to say than fits here.
Finding failureFinding(const api::FailureStatus& failure) {
  const bool more = !failure.instruction.empty() && !failure.logCommand.empty();
  return {
      Truth::kFalse, failure.reason,
      failure.message + (more ? "; its last lines are in status.failure.logTail, all of them: " +
                                    failure.logCommand
                              : std::string())};
}

Finding readyFinding(Turn& turn) {
  const api::ImageBuildStatus& status = turn.status();
  const std::string& result = turn.run().result;
  if (result == reason::kSucceeded) {
    const std::string reference = status.image ? status.image->reference : std::string();
    return {Truth::kTrue, std::string(reason::kSucceeded), "pushed " + reference};
  }
  if (result == reason::kCancelled) {
    return {Truth::kFalse, result, "run " + turn.run().id + " was cancelled"};
  }
  if (!result.empty()) {
    return status.failure ? failureFinding(*status.failure)
                          : Finding{Truth::kFalse, std::string(reason::kInternalError), {}};
  }
  if (turn.waiting()) {
    return {Truth::kUnknown, turn.waiting()->reason, turn.waiting()->message};
  }
  const char* const next =
      turn.nextWaits ? "; the next run waits for its end (spec.onInputChange: FinishFirst)" : "";
  return {Truth::kUnknown, std::string(reason::kProgressing), progressMessage(turn) + next};
}

/// Why prepare does not get on, or the end of the run before there was a plan; empty otherwise.
std::string prepareTrouble(Turn& turn) {
  if (isPlanned(turn) || !turn.run().prepare.reason.empty()) {
    return isPlanned(turn) ? std::string() : turn.run().prepare.reason;
  }
  return turn.status().failure ? turn.status().failure->reason : std::string();
}

bool isQueued(Turn& turn) { return turn.isActive() && !isAdmitted(turn.run()); }

/// Nothing is known about a part, and after the end nothing will be.
Finding openFinding(Turn& turn, std::string message = {}) {
  const std::string& result = turn.run().result;
  return {Truth::kUnknown, result.empty() ? std::string(reason::kProgressing) : result,
          std::move(message)};
}

Finding troubled(Turn& turn, const std::string& why) {
  const bool over = turn.run().result == reason::kFailed;
  const std::string& message =
      over && turn.status().failure ? turn.status().failure->message : turn.run().prepare.message;
  return {over ? Truth::kFalse : Truth::kUnknown, why, message};
}

void writeSourceAndPlan(Turn& turn) {
  const std::string why = prepareTrouble(turn);
  const bool ofSource = isOneOf(why, {reason::kSourceNotFound, reason::kSourceAuthFailed,
                                      reason::kSourceRevisionNotFound, reason::kSourceUnavailable});
  const bool ofPlan = isOneOf(why, {reason::kDockerfileNotFound, reason::kDockerfileInvalid,
                                    reason::kContextDirNotFound, reason::kBaseImageNotFound,
                                    reason::kBaseImageUnauthorized, reason::kRegistryUnavailable});
  const std::string& revision = turn.run().sourceRevision;
  if (isPlanned(turn)) {
    set(turn, condition::kSourceFetched,
        {Truth::kTrue, "Fetched", revision.empty() ? std::string() : "revision " + revision});
    set(turn, condition::kPlanned,
        {Truth::kTrue, "Planned", std::to_string(turn.status().stages.size()) + " stages"});
    return;
  }
  set(turn, condition::kSourceFetched,
      ofSource ? troubled(turn, why)
      : ofPlan ? Finding{Truth::kTrue, "Fetched", {}}
               : openFinding(turn));
  set(turn, condition::kPlanned, ofPlan ? troubled(turn, why) : openFinding(turn));
}

void writeAdmitted(Turn& turn) {
  const api::RunStatus& run = turn.run();
  if (isQueued(turn)) {
    const std::string message = turn.waiting() ? turn.waiting()->message : std::string();
    set(turn, condition::kAdmitted,
        {Truth::kUnknown, turn.world.admission.held ? "Held" : std::string(reason::kQueued),
         message});
  } else if (isAdmitted(run)) {
    set(turn, condition::kAdmitted, {Truth::kTrue, "Admitted", {}});
  } else {
    set(turn, condition::kAdmitted, openFinding(turn));
  }
}

void writeWorkspace(Turn& turn) {
  const api::RunStatus& run = turn.run();
  const std::string why = prepareTrouble(turn);
  if (isPlanned(turn) || run.prepare.startTime) {
    set(turn, condition::kWorkspaceReady, {Truth::kTrue, "Mounted", "claim " + run.claim});
  } else if (isOneOf(why, {reason::kWorkspaceProvisioning, reason::kWorkspaceIncompatible})) {
    set(turn, condition::kWorkspaceReady, troubled(turn, why));
  } else {
    set(turn, condition::kWorkspaceReady, openFinding(turn));
  }
}

void writeStages(Turn& turn) {
  const auto& stages = turn.status().stages;
  const auto failed = std::find_if(stages.begin(), stages.end(), [](const api::StageStatus& stage) {
    return stage.state == AttemptState::kFailed;
  });
  if (areStagesDone(turn)) {
    set(turn, condition::kStagesSucceeded,
        {Truth::kTrue, "Succeeded", progressOf(turn) + " stages are done"});
  } else if (failed != stages.end()) {
    set(turn, condition::kStagesSucceeded,
        {Truth::kFalse, failed->reason, "stage " + quoted(failed->name, 128) + " failed"});
  } else {
    set(turn, condition::kStagesSucceeded,
        openFinding(turn, stages.empty() ? std::string() : progressOf(turn) + " stages are done"));
  }
}

void writePushed(Turn& turn) {
  const api::AttemptStatus& publish = turn.run().publish;
  if (turn.run().result == reason::kSucceeded) {
    const auto& image = turn.status().image;
    set(turn, condition::kPushed, {Truth::kTrue, "Pushed", image ? image->digest : std::string()});
  } else if (!publish.reason.empty()) {
    set(turn, condition::kPushed,
        {publish.state == AttemptState::kFailed ? Truth::kFalse : Truth::kUnknown, publish.reason,
         publish.message});
  } else {
    set(turn, condition::kPushed, openFinding(turn));
  }
}

/// kstatus: Reconciling and Stalled are there only when they are true, and never both.
void writeSummary(Turn& turn, const Finding& ready) {
  api::ConditionSet& conditions = turn.status().conditions;
  const std::string& result = turn.run().result;
  set(turn, condition::kReady, ready);
  set(turn, condition::kSucceeded, ready);
  if (result.empty()) {
    set(turn, condition::kFinished, {Truth::kFalse, "Running", "run " + turn.run().id});
    set(turn, condition::kReconciling, {Truth::kTrue, ready.reason, ready.message});
    conditions.remove(condition::kStalled);
    return;
  }
  set(turn, condition::kFinished, {Truth::kTrue, result, "run " + turn.run().id});
  conditions.remove(condition::kReconciling);
  if (result == reason::kSucceeded) {
    conditions.remove(condition::kStalled);
  } else {
    set(turn, condition::kStalled, {Truth::kTrue, ready.reason, ready.message});
  }
}

/// A run is wanted, none may start. What the last one made is not what spec asks for.
void writeSuspended(Turn& turn) {
  const Finding held = {Truth::kUnknown, std::string(reason::kSuspended),
                        "spec.suspend holds a run that is wanted"};
  api::ConditionSet& conditions = turn.status().conditions;
  set(turn, condition::kReady, held);
  set(turn, condition::kSucceeded, held);
  set(turn, condition::kFinished, {Truth::kFalse, std::string(reason::kSuspended), held.message});
  if (turn.status().run && isQueued(turn)) {
    set(turn, condition::kAdmitted, held);
  }
  conditions.remove(condition::kReconciling);
  conditions.remove(condition::kStalled);
  turn.status().phase = reason::kSuspended;
}

/// Repository and first tag, as far as they are known.
std::string outputOf(Turn& turn) {
  const api::Output& output = turn.build.spec.output;
  const std::string revision = turn.status().run ? turn.run().sourceRevision : std::string();
  if (const auto target = pods::resolveOutput(output, revision)) {
    return target->repository + ":" + target->tags.front();
  }
  return output.image.empty()
             ? output.repository + (output.tags.empty() ? "" : ":" + output.tags.front())
             : output.image;
}

void trimHistory(Turn& turn) {
  const int wanted = turn.build.spec.retention.history.value_or(turn.world.settings.history);
  const auto most = std::min(static_cast<std::size_t>(std::max(wanted, 0)), api::kMaxHistory);
  auto& history = turn.status().history;
  history.resize(std::min(history.size(), most));
}

/// A person should learn once that it waits for others.
void announceQueue(Turn& turn) {
  if (turn.waiting() && turn.waiting()->reason != reason::kSuspended &&
      isWaitingClass(turn.waiting()->reason)) {
    const api::Condition* before = turn.build.status.conditions.find(condition::kReady);
    if (before == nullptr || before->reason != turn.waiting()->reason) {
      turn.event(false, reason::kQueued, turn.waiting()->reason + ": " + turn.waiting()->message);
    }
  }
}
}  // namespace

void writeStatus(Turn& turn, bool held) {
  api::ImageBuildStatus& status = turn.status();
  trimHistory(turn);
  status.observedGeneration = turn.build.metadata.generation;
  status.output = outputOf(turn);
  if (held) {
    writeSuspended(turn);
    return;
  }
  status.phase = phaseOf(turn);
  status.progress = progressOf(turn);
  writeAdmitted(turn);
  writeSourceAndPlan(turn);
  writeWorkspace(turn);
  writeStages(turn);
  writePushed(turn);
  writeSummary(turn, readyFinding(turn));
  announceQueue(turn);
}

void writeInvalidSpec(Turn& turn) {
  api::ImageBuildStatus& status = turn.status();
  const std::string message = turn.build.specError->message;
  const bool known = status.failure && status.failure->reason == reason::kInvalidSpec &&
                     status.failure->message == message;
  if (turn.isActive()) {
    turn.fail(outcomeOf(reason::kInvalidSpec, message));
  } else if (!known) {
    turn.event(true, reason::kFailed, "spec cannot be read: " + message);
  }
  status.failure = api::FailureStatus();
  status.failure->class_ = api::className(api::FailureClass::kUser);
  status.failure->reason = reason::kInvalidSpec;
  status.failure->message = cleanText(message, 2048);
  status.observedGeneration = turn.build.metadata.generation;
  status.inputHash.clear();  // whatever is written next is another input
  status.phase = reason::kFailed;
  const Finding failed = {Truth::kFalse, std::string(reason::kInvalidSpec), message};
  set(turn, condition::kReady, failed);
  set(turn, condition::kSucceeded, failed);
  set(turn, condition::kFinished, {Truth::kTrue, std::string(reason::kFailed), {}});
  set(turn, condition::kStalled, {Truth::kTrue, failed.reason, message});
  status.conditions.remove(condition::kReconciling);
}

}  // namespace stagewright::lifecycle
