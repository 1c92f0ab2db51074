// Stages: who runs, who ended, who may begin.
#include <algorithm>

#include "lib/api/reasons.h"
#include "lib/lifecycle/attempt.h"
#include "lib/lifecycle/phases.h"

namespace stagewright::lifecycle {

namespace {
namespace reason = api::reason;
using api::AttemptState;

/// Nothing of this run gets on while its only node has no room: the workspace must move to another
/// one. As long as another stage runs, room may come.
void moveIfStuck(Turn& turn, const api::StageStatus& stage) {
  if (turn.run().node.empty() || stage.state != AttemptState::kCreating ||
      stage.reason != reason::kUnschedulable) {
    return;
  }
  const auto& stages = turn.status().stages;
  const bool progress = std::any_of(
      stages.begin(), stages.end(),
      [](const api::StageStatus& other) { return other.state == AttemptState::kRunning; });
  const TimePoint end = stage.failingSince.value_or(turn.now) + turn.world.settings.nodeGrace;
  if (progress || turn.now < end) {
    turn.wakeAt(progress ? turn.now + std::chrono::seconds(30) : end);
    return;
  }
  restartRun(
      turn, reason::kUnschedulable,
      "node " + turn.run().node + " with the workspace takes no more pods: " + stage.message);
}

void lookAtStage(Turn& turn, api::StageStatus& stage) {
  Attempt attempt = Attempt::ofStage(turn, stage);
  std::optional<Outcome> outcome = attempt.look();
  if (outcome) {
    attempt.endWith(std::move(*outcome));
    return;
  }
  const bool active =
      stage.state == AttemptState::kCreating || stage.state == AttemptState::kRunning;
  if (active && attempt.hasExitedWell()) {
    attempt.succeed();
  }
}

/// A dropped dependent whose pod still occupies what the next attempt of `stage` needs.
bool hasLingeringDependents(Turn& turn, int stage) {
  auto& stages = turn.status().stages;
  return std::any_of(stages.begin(), stages.end(), [&](api::StageStatus& other) {
    return other.state == AttemptState::kWaiting && other.upstream.count(stage) > 0 &&
           Attempt::ofStage(turn, other).isInTheWay();
  });
}

schedule::State scheduleState(Turn& turn, api::StageStatus& stage) {
  switch (stage.state) {
    case AttemptState::kCreating:
      return schedule::State::kStarting;
    case AttemptState::kRunning:
      return schedule::State::kRunning;
    case AttemptState::kSucceeded:
      return schedule::State::kSucceeded;
    case AttemptState::kBackoff:
    case AttemptState::kWaiting: {
      Attempt attempt = Attempt::ofStage(turn, stage);
      const bool due =
          stage.state == AttemptState::kBackoff ? attempt.isDue() : !attempt.isInTheWay();
      return due && !hasLingeringDependents(turn, stage.index) ? schedule::State::kWaiting
                                                               : schedule::State::kHeld;
    }
    case AttemptState::kFailed:
    case AttemptState::kCancelled:
      break;
  }
  return schedule::State::kHeld;
}

std::vector<schedule::Stage> graphOf(Turn& turn) {
  std::vector<schedule::Stage> out;
  for (api::StageStatus& stage : turn.status().stages) {
    out.push_back({stage.baseStage, stage.dependsOn, scheduleState(turn, stage), stage.attempt,
                   stage.upstream});
  }
  return out;
}

void drop(Turn& turn, api::StageStatus& stage) {
  Attempt attempt = Attempt::ofStage(turn, stage);
  stage.attempts.push_back({stage.attempt, "UpstreamRetried", stage.node, attempt.podName()});
  if (stage.attempts.size() > 8) {
    stage.attempts.erase(stage.attempts.begin());
  }
  stage.state = AttemptState::kWaiting;
  stage.reason.clear();
  stage.message.clear();
  stage.failingSince.reset();
  stage.startTime.reset();
  stage.completionTime.reset();
  turn.event(false, "StageRetried",
             attempt.label() + " begins again, because a stage that it reads does");
}

void beginStage(Turn& turn, const std::vector<schedule::Stage>& graph, int index) {
  api::StageStatus& stage = turn.status().stages[static_cast<std::size_t>(index)];
  if (stage.attempt >= pods::kMaxAttempts) {
    turn.fail(outcomeOf(reason::kInfrastructureRetriesExhausted,
                        "stage " + quoted(stage.name, 128) + " was begun " +
                            std::to_string(stage.attempt) + " times"));
    return;
  }
  std::map<int, int> upstream = schedule::pinsOf(graph, index);
  Attempt::ofStage(turn, stage).begin(&upstream);
}

void scheduleStages(Turn& turn) {
  std::vector<schedule::Stage> graph = graphOf(turn);
  const schedule::Start start =
      turn.run().start == "WhenReady" ? schedule::Start::kWhenReady : schedule::Start::kEager;
  const auto parallel = turn.build.spec.execution.maxParallelStages.value_or(0);
  const schedule::NextSteps next = schedule::nextSteps(graph, start, static_cast<int>(parallel));
  for (const int index : next.drop) {
    drop(turn, turn.status().stages[static_cast<std::size_t>(index)]);
  }
  for (const int index : next.start) {
    if (turn.isActive()) {
      beginStage(turn, graph, index);
    }
  }
}
}  // namespace

bool areSound(const std::vector<api::StageStatus>& stages) {
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const int own = static_cast<int>(i);
    const auto below = [&](int index) { return index >= 0 && index < own; };
    const bool sound =
        stages[i].index == own && stages[i].baseStage >= -1 && stages[i].baseStage < own &&
        std::all_of(stages[i].dependsOn.begin(), stages[i].dependsOn.end(), below) &&
        std::all_of(stages[i].upstream.begin(), stages[i].upstream.end(),
                    [&](const auto& pin) { return below(pin.first) && pin.second > 0; });
    if (!sound) {
      return false;
    }
  }
  return true;
}

void planStages(Turn& turn) {
  if (turn.run().prepare.state != AttemptState::kSucceeded) {
    return;
  }
  const std::string runId = turn.run().id;
  for (std::size_t i = 0; i < turn.status().stages.size(); ++i) {
    lookAtStage(turn, turn.status().stages[i]);
    if (!turn.isActive()) {
      return;
    }
  }
  for (std::size_t i = 0; i < turn.status().stages.size(); ++i) {
    moveIfStuck(turn, turn.status().stages[i]);
    if (!turn.isActive() || turn.run().id != runId) {
      return;
    }
  }
  scheduleStages(turn);
}

}  // namespace stagewright::lifecycle
