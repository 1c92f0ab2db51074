// When a run begins, begins again, and ends for reasons outside its pods.
#include <nlohmann/json.hpp>

#include "lib/api/identity.h"
#include "lib/api/reasons.h"
#include "lib/lifecycle/phases.h"
#include "lib/pods/requests.h"
#include "lib/policy/defaults.h"

namespace stagewright::lifecycle {

namespace {
namespace reason = api::reason;
constexpr int kMaxRestarts = 3;
constexpr std::size_t kMaxKeptSpec = 192 * 1024;
constexpr std::string_view kAnyRevision = "0123456789abcdef0123456789abcdef01234567";

/// Why a run should start now; empty: none is wanted.
std::string triggerOf(Turn& turn, const std::string& hash) {
  const api::ImageBuildStatus& status = turn.status();
  if (!status.run) {
    return "Created";
  }
  if (hash != status.inputHash) {
    const bool asked = api::rebuildToken(turn.build) != status.lastHandledRebuild ||
                       api::noCacheToken(turn.build) != status.lastHandledNoCacheRebuild;
    return asked ? "RebuildRequested" : "SpecChanged";
  }
  if (status.run->result != reason::kFailed) {
    return {};
  }
  if (api::remediesHash(turn.asked) != status.remediesHash) {
    return "RemedyChanged";
  }
  // A refused run has made nothing; what it asked for still stands and is allowed by now.
  const bool refused = status.failure && !status.failure->rule.empty();
  return refused && !violationOf(turn) ? "PolicyChanged" : "";
}

bool finishesFirst(const api::ImageBuildSpec& spec) {
  return spec.onInputChange == api::OnInputChange::kFinishFirst;
}

/// What a run that is finished first needs once the object holds another spec.
std::string keptSpec(const Turn& turn) {
  std::string out =
      finishesFirst(turn.build.spec) ? dumpJson(api::toJson(turn.asked)) : std::string();
  return out.size() <= kMaxKeptSpec ? out : std::string();
}

/// Resets everything that belongs to one run. `instead`: how a run that it takes the place of is
/// remembered.
void openRun(Turn& turn, std::string trigger, std::int64_t sequence, std::string_view instead) {
  if (turn.isActive()) {
    turn.remember(instead);
  }
  api::ImageBuildStatus& status = turn.status();
  const api::Metadata& metadata = turn.build.metadata;
  status.stages.clear();
  status.warnings.clear();
  status.image.reset();
  status.failure.reset();
  api::RunStatus run;
  run.id = api::makeRunId(metadata.uid, status.inputHash, sequence);
  run.sequence = sequence;
  run.generation = metadata.generation;
  run.trigger = std::move(trigger);
  run.builderImage = turn.world.settings.pods.builderImage;
  run.spec = keptSpec(turn);
  run.startTime = turn.now;
  status.run = std::move(run);
}

/// Whether pods made from `spec` belong to the run of `status`.
bool hasInputsOf(const api::ImageBuildSpec& spec, const api::ImageBuildStatus& status) {
  const std::string tokens =
      api::joinTokens(status.lastHandledRebuild, status.lastHandledNoCacheRebuild);
  return api::inputHash(spec, tokens) == status.inputHash;
}

/// A run is wanted, suspend holds it. What runs may end, unless its inputs are no longer those of
/// spec: its later pods would be made from both.
bool letFinish(Turn& turn) {
  if (!turn.isActive()) {
    return false;
  }
  if (hasInputsOf(turn.asked, turn.status())) {
    return true;
  }
  turn.cancel("its inputs were edited while spec.suspend holds the next run");
  return false;
}

/// What no pod needs to find out.
void checkSpec(Turn& turn) {
  const api::ImageBuildSpec& spec = turn.build.spec;
  if (const Status size = pods::checkRequestSize(spec); !size) {
    turn.fail(outcomeOf(reason::kInvalidSpec, size.error().message));
    return;
  }
  if (const Status metadata = pods::checkPodMetadata(spec, turn.world.settings.pods); !metadata) {
    turn.fail(outcomeOf(reason::kPolicyViolation, metadata.error().message));
    return;
  }
  const bool git = spec.source && spec.source->git;
  const auto target = pods::resolveOutput(spec.output, git ? kAnyRevision : std::string_view());
  if (!target) {
    turn.fail(outcomeOf(reason::kInvalidSpec, target.error().message));
  }
}
}  // namespace

std::optional<api::ImageBuild> asBegun(const api::ImageBuild& build, const World& world) {
  const api::ImageBuildStatus& status = build.status;
  if (!status.run || api::isFinished(*status.run) || status.run->spec.empty() ||
      hasInputsOf(build.spec, status) ||
      !finishesFirst(policy::applyDefaults(build, world.policies, fallbacksOf(world)))) {
    return std::nullopt;
  }
  const Result<Json> json = parseJson(status.run->spec);
  Result<api::ImageBuildSpec> spec =
      json ? api::parseSpec(JsonReader(*json)) : Result<api::ImageBuildSpec>(json.error());
  if (!spec || !hasInputsOf(*spec, status)) {
    return std::nullopt;  // somebody else wrote it
  }
  if (spec->workspace.claimName != build.spec.workspace.claimName) {
    return std::nullopt;  // nobody looks at the claim that the run is on any more
  }
  api::ImageBuild out = build;
  out.spec = std::move(*spec);
  out.spec.suspend = build.spec.suspend;
  out.spec.onInputChange = build.spec.onInputChange;
  out.spec.retention = build.spec.retention;
  return out;
}

bool isNextWanted(const api::ImageBuild& build) {
  const api::ImageBuildStatus& status = build.status;
  const bool failed = status.run && status.run->result == reason::kFailed;
  return api::inputHash(build.spec,
                        api::joinTokens(api::rebuildToken(build), api::noCacheToken(build))) !=
             status.inputHash ||
         (failed && api::remediesHash(build.spec) != status.remediesHash);
}

bool beginRunIfWanted(Turn& turn) {
  api::ImageBuildStatus& status = turn.status();
  const std::string token = api::rebuildToken(turn.build);
  const std::string noCache = api::noCacheToken(turn.build);
  const std::string hash = api::inputHash(turn.asked, api::joinTokens(token, noCache));
  std::string trigger = triggerOf(turn, hash);
  if (trigger.empty()) {
    return true;
  }
  if (turn.build.spec.suspend) {
    return letFinish(turn);
  }
  if (turn.isActive() && finishesFirst(turn.build.spec) && hasInputsOf(turn.asked, status)) {
    turn.nextWaits = true;
    return true;
  }
  const std::string replaced = turn.isActive() ? turn.run().id : std::string();
  status.inputHash = hash;
  status.remediesHash = api::remediesHash(turn.asked);
  status.lastHandledRebuild = token;
  const bool withoutCache = status.lastHandledNoCacheRebuild != noCache;
  status.lastHandledNoCacheRebuild = noCache;
  const std::int64_t sequence = status.run ? status.run->sequence + 1 : 1;
  openRun(turn, trigger, sequence, reason::kCancelled);
  turn.run().noCache = withoutCache;
  turn.event(false, "RunStarted",
             "run " + turn.run().id + " started: " + trigger +
                 (replaced.empty() ? "" : "; run " + replaced + " is stopped"));
  checkSpec(turn);
  return true;
}

void restartRun(Turn& turn, std::string_view why, const std::string& cause) {
  const api::RunStatus before = turn.run();
  if (before.restarts >= kMaxRestarts) {
    turn.fail(outcomeOf(reason::kInfrastructureRetriesExhausted,
                        "the run was restarted " + std::to_string(kMaxRestarts) +
                            " times, the last cause is " + std::string(why) + ": " + cause));
    return;
  }
  openRun(turn, "Restarted", before.sequence + 1, "Restarted");
  api::RunStatus& run = turn.run();
  run.restarts = before.restarts + 1;
  run.infrastructureRetries = before.infrastructureRetries;
  run.noCache = before.noCache;
  run.queue = before.queue;
  run.admittedTime = before.admittedTime;  // it keeps its place
  run.activeTime = before.activeTime;      // the timeout covers retries
  turn.wakeAt(turn.now);
  turn.event(true, "RunStarted", "run " + run.id + " replaces " + before.id + ": " + cause);
}

bool isCancelled(Turn& turn) {
  const auto& annotations = turn.build.metadata.annotations;
  const auto it = annotations.find(std::string(api::kCancelAnnotation));
  return it != annotations.end() && it->second == turn.run().id;
}

void checkTimeout(Turn& turn) {
  api::RunStatus& run = turn.run();
  if (!run.activeTime && run.prepare.state == api::AttemptState::kSucceeded) {
    run.activeTime = run.admittedTime;  // an operator without a queue wrote one for both
  }
  if (!run.activeTime) {
    return;
  }
  const Millis timeout = turn.build.spec.timeout.value_or(turn.world.settings.timeout);
  const TimePoint end = *run.activeTime + timeout;
  if (turn.now < end) {
    turn.wakeAt(end);
    return;
  }
  std::string running;
  for (const api::StageStatus& stage : turn.status().stages) {
    if (stage.state != api::AttemptState::kSucceeded &&
        stage.state != api::AttemptState::kWaiting) {
      running += (running.empty() ? "; not finished: " : ", ") + stage.name;
    }
  }
  turn.fail(outcomeOf(
      reason::kBuildTimeout,
      "the build took longer than " + formatDuration(timeout) + " (spec.timeout)" + running));
}

}  // namespace stagewright::lifecycle
