// Whether a run may begin to make pods: its turn in the queue, and what it waits for before that.
#include <algorithm>

#include "lib/api/reasons.h"
#include "lib/lifecycle/phases.h"

namespace stagewright::lifecycle {

namespace {
namespace reason = api::reason;

/// Nobody tells us of other builds.
constexpr std::chrono::seconds kLookAgain(5);

bool isShared(const Turn& turn, const std::string& name) {
  const auto& claims = turn.world.claims;
  const auto claim = std::find_if(claims.begin(), claims.end(),
                                  [&](const ObservedClaim& of) { return of.name == name; });
  return claim != claims.end() && std::find(claim->accessModes.begin(), claim->accessModes.end(),
                                            "ReadWriteMany") != claim->accessModes.end();
}

/// A run that only waits for another one on its claim takes no place in the queue.
bool isBehindOnClaim(Turn& turn) {
  const std::string& named = turn.build.spec.workspace.claimName;
  if (named.empty()) {
    return false;
  }
  api::RunStatus& run = turn.run();
  run.claim = named;
  const auto& before = turn.build.status.run;
  if (!before || before->id != run.id || before->claim != named) {
    turn.wakeAt(turn.now);  // others must be able to see that we want it before we look for them
    return true;
  }
  if (turn.world.claimHolder.empty() || isShared(turn, named)) {
    return false;
  }
  turn.wait(reason::kQueued, "claim " + quoted(named, 128) + " is used by " +
                                 turn.world.claimHolder + ", which comes first");
  turn.wakeAt(turn.now + kLookAgain);
  return true;
}

bool isRefused(Turn& turn) {
  const std::optional<policy::Violation> violation = violationOf(turn);
  if (violation) {
    turn.fail(refusalOf(*violation));
  }
  return violation.has_value();
}

bool isTooLate(Turn& turn) {
  const std::optional<Millis>& patience = turn.build.spec.queueTimeout;
  if (!patience) {
    return false;
  }
  const TimePoint end = turn.run().startTime.value_or(turn.now) + *patience;
  if (turn.now < end) {
    turn.wakeAt(end);
    return false;
  }
  turn.fail(outcomeOf(reason::kBuildTimeout, "the run waited in the queue for longer than " +
                                                 formatDuration(*patience) +
                                                 " (spec.queueTimeout)"));
  return true;
}

std::vector<policy::Base> basesOf(const api::ImageBuildStatus& status) {
  std::vector<policy::Base> out;
  for (const api::StageStatus& stage : status.stages) {
    const auto named =
        std::find_if(status.run->baseImages.begin(), status.run->baseImages.end(),
                     [&](const api::BaseImage& base) { return base.stage == stage.index; });
    if (!stage.image.empty()) {
      out.push_back({stage.name, named == status.run->baseImages.end() ? stage.image : named->name,
                     stage.image});
    }
  }
  return out;
}

queue::Ticket ticketOf(Turn& turn) {
  const api::Metadata& metadata = turn.build.metadata;
  return {metadata.namespace_ + "/" + metadata.name, metadata.namespace_, turn.run().queue,
          turn.build.spec.priority.value_or(0), turn.run().startTime.value_or(turn.now)};
}
}  // namespace

policy::Fallbacks fallbacksOf(const World& world) {
  return {world.settings.pods, world.settings.timeout};
}

std::optional<policy::Violation> violationOf(Turn& turn) {
  // Which commit it is makes no difference for the repository.
  const auto target = pods::resolveOutput(turn.asked.output, std::string(40, '0'));
  const std::string& ns = turn.build.metadata.namespace_;
  const policy::Wanted wanted{turn.asked, turn.build.spec, ns,
                              target ? target->repository : std::string()};
  const World& world = turn.world;
  if (auto violation = policy::checkSpec(wanted, world.policies, fallbacksOf(world))) {
    return violation;
  }
  return policy::checkPlan(basesOf(turn.status()), turn.status().stages.size(), ns, world.policies);
}

Outcome refusalOf(const policy::Violation& violation) {
  Outcome out = outcomeOf(reason::kPolicyViolation, violation.message);
  out.policy = violation.policy;
  out.rule = violation.rule;
  return out;
}

bool isAdmitted(const api::RunStatus& run) {
  // The attempt: an operator without a queue wrote no time before prepare had its node.
  return run.admittedTime.has_value() || run.prepare.attempt > 0;
}

bool admitRun(Turn& turn) {
  api::RunStatus& run = turn.run();
  if (isAdmitted(run)) {
    return true;
  }
  if (turn.build.spec.suspend || isRefused(turn) || isTooLate(turn) || isBehindOnClaim(turn)) {
    run.queuePosition = 0;
    return false;
  }
  run.queue = turn.build.spec.queue;
  turn.decision.ticket = ticketOf(turn);
  const Admission& answer = turn.world.admission;
  if (!answer.granted) {
    run.queuePosition = answer.position;
    turn.wait(reason::kQueued, answer.why);
    return false;
  }
  run.queuePosition = 0;
  run.admittedTime = turn.now;
  return true;
}

}  // namespace stagewright::lifecycle
