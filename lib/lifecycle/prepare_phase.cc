// Prepare: from nothing to a plan.
#include <algorithm>

#include "lib/api/conditions.h"
#include "lib/api/reasons.h"
#include "lib/lifecycle/attempt.h"
#include "lib/lifecycle/phases.h"

namespace stagewright::lifecycle {

namespace {
namespace reason = api::reason;
using api::AttemptState;

constexpr std::size_t kMaxWarnings = 32;

api::StageStatus stageOf(const plan::StageSummary& summary) {
  api::StageStatus out;
  out.index = summary.index;
  out.name = cleanLine(summary.name, 256);
  out.steps = summary.steps;
  out.line = summary.line;
  out.image = summary.image;
  out.baseStage = summary.baseStage;
  out.dependsOn = summary.dependsOn;
  out.usesContext = summary.usesContext;
  out.usesFetched = summary.usesFetched;
  out.usesCaches = summary.usesCaches;
  out.cachedSteps = summary.cachedSteps;
  if (summary.skipped) {  // there is nothing to run
    out.state = AttemptState::kSucceeded;
  }
  out.secrets = summary.secrets;
  out.ssh = summary.ssh;
  return out;
}

void takeOver(Turn& turn, const plan::PlanSummary& plan, const ObservedPod& pod) {
  api::RunStatus& run = turn.run();
  run.planDigest = plan.planDigest.str();
  run.target = plan.target;
  run.sourceRevision = plan.sourceRevision;
  run.node = run.accessMode == "ReadWriteMany" ? std::string() : pod.node;
  run.activeTime = run.activeTime ? run.activeTime : std::optional<TimePoint>(turn.now);
  run.baseImages.clear();
  turn.status().stages.clear();
  turn.status().warnings.clear();
  for (const plan::StageSummary& stage : plan.stages) {
    turn.status().stages.push_back(stageOf(stage));
    if (!stage.baseDigest.empty()) {
      run.baseImages.push_back(
          {stage.index, cleanLine(stage.baseName, 512), stage.baseDigest});
    }
  }
  for (const plan::Warning& warning : plan.warnings) {
    if (turn.status().warnings.size() == kMaxWarnings) {
      break;
    }
    turn.status().warnings.push_back({cleanLine(warning.rule, 128), warning.line,
                                      cleanText(warning.message, 1000),
                                      cleanLine(warning.url, 512)});
  }
}

/// What only the plan can tell to be wrong in spec.
void checkAgainstPlan(Turn& turn) {
  const api::ImageBuildSpec& spec = turn.build.spec;
  const std::vector<std::string> unknown = pods::unknownStages(spec, turn.status().stages);
  if (!unknown.empty()) {
    std::string known;
    for (const api::StageStatus& stage : turn.status().stages) {
      known += (known.empty() ? "" : ", ") + stage.name;
    }
    turn.fail(outcomeOf(reason::kInvalidSpec, "spec.execution.stages: no stage " +
                                                  quoted(unknown.front(), 128) +
                                                  " is built; these are: " + known));
    return;
  }
  const auto target = pods::resolveOutput(spec.output, turn.run().sourceRevision);
  if (!target) {
    turn.fail(outcomeOf(reason::kInvalidSpec, target.error().message));
    return;
  }
  if (const auto violation = violationOf(turn)) {
    turn.fail(refusalOf(*violation));
  }
}

/// Then the prepare pod, if it is there at all, can only wait for it.
bool isClaimRefused(Turn& turn) {
  const std::string& name = turn.run().claim;
  return turn.createErrorOf(name) != nullptr &&
         std::none_of(turn.world.claims.begin(), turn.world.claims.end(),
                      [&](const ObservedClaim& claim) { return claim.name == name; });
}

void adoptPlan(Turn& turn, Attempt& attempt, const plan::PlanSummary& plan) {
  takeOver(turn, plan, *attempt.pod());
  attempt.succeed();
  attempt.status().completionTime = turn.now;  // it may go on for a moment; its work is done
  if (!areSound(turn.status().stages)) {
    turn.fail(
        outcomeOf(reason::kInternalError, "prepare sent a plan whose edges do not hold together"));
    return;
  }
  checkAgainstPlan(turn);
}
}  // namespace

void planPrepare(Turn& turn) {
  api::RunStatus& run = turn.run();
  Attempt attempt = Attempt::prepare(turn);
  if (run.prepare.state == AttemptState::kSucceeded) {
    return;
  }
  if (run.prepare.state == AttemptState::kWaiting || attempt.isDue()) {
    attempt.begin();
  }
  if (isClaimRefused(turn)) {
    if (std::optional<Outcome> outcome = attempt.lookAtRefusal(run.claim)) {
      attempt.endWith(std::move(*outcome));
    }
    return;
  }
  if (attempt.pod() != nullptr) {
    if (const auto& plan = turn.factsOf(*attempt.pod()).plan) {
      adoptPlan(turn, attempt, *plan);
      return;
    }
  }
  std::optional<Outcome> outcome = attempt.look();
  if (run.prepare.state == AttemptState::kRunning && !run.activeTime) {
    // By our own clock at the latest: a node's may be ahead, and the timeout counts from here.
    run.activeTime = std::min(run.prepare.startTime.value_or(turn.now), turn.now);
  }
  if (attempt.pod() == nullptr) {
    if (outcome) {
      attempt.endWith(std::move(*outcome));
    }
    return;
  }
  const bool ended = attempt.pod()->isTerminal() && (run.prepare.state == AttemptState::kCreating ||
                                                     run.prepare.state == AttemptState::kRunning);
  if (ended && attempt.awaitsLog()) {
    return;
  }
  if (ended && attempt.hasExitedWell()) {
    outcome = outcomeOf(reason::kInternalError,
                        "prepare ended well, but its log with the plan could not be read");
  }
  if (outcome) {
    attempt.endWith(std::move(*outcome));
  }
}

}  // namespace stagewright::lifecycle
