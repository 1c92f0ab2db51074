#include "lib/schedule/schedule.h"

#include <algorithm>
#include <cstddef>

namespace stagewright::schedule {

namespace {
/// Has an attempt that counts on what it is pinned to. A success counts on it as well: the layers
/// of a base that is built again are others, and the two must not meet in one image.
bool isBound(State state) {
  return state == State::kStarting || state == State::kRunning || state == State::kSucceeded;
}

const Stage& at(const std::vector<Stage>& stages, int index) {
  return stages[static_cast<std::size_t>(index)];
}

bool isReady(State state, Start start) {
  return state == State::kSucceeded || (start == Start::kEager && state == State::kRunning);
}

/// Pinned to an attempt that is not the newest, or whose newest ended without success.
bool isOrphaned(const std::vector<Stage>& stages, const Stage& stage,
                const std::vector<bool>& dropped) {
  return std::any_of(stage.upstream.begin(), stage.upstream.end(), [&](const auto& pin) {
    const Stage& upstream = at(stages, pin.first);
    return dropped[static_cast<std::size_t>(pin.first)] || upstream.attempt != pin.second ||
           upstream.state == State::kHeld || upstream.state == State::kWaiting;
  });
}
}  // namespace

std::vector<int> readsOf(const std::vector<Stage>& stages, int stage) {
  std::vector<int> out = at(stages, stage).dependsOn;
  for (int base = at(stages, stage).baseStage; base >= 0; base = at(stages, base).baseStage) {
    out.push_back(base);
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

std::map<int, int> pinsOf(const std::vector<Stage>& stages, int stage) {
  std::map<int, int> out;
  for (const int upstream : readsOf(stages, stage)) {
    out[upstream] = at(stages, upstream).attempt;
  }
  return out;
}

NextSteps nextSteps(const std::vector<Stage>& stages, Start start, int maxParallel) {
  NextSteps out;
  // Ascending order is topological: what a stage reads has been judged before it.
  std::vector<bool> dropped(stages.size(), false);
  for (std::size_t i = 0; i < stages.size(); ++i) {
    if (isBound(stages[i].state) && isOrphaned(stages, stages[i], dropped)) {
      dropped[i] = true;
      out.drop.push_back(static_cast<int>(i));
    }
  }
  // A stage that someone still waits for must not get a new attempt while he waits for the old one.
  std::vector<bool> awaited(stages.size(), false);
  for (const int index : out.drop) {
    for (const auto& pin : at(stages, index).upstream) {
      awaited[static_cast<std::size_t>(pin.first)] = true;
    }
  }
  auto busy = std::count_if(stages.begin(), stages.end(), [](const Stage& stage) {
    return stage.state == State::kStarting || stage.state == State::kRunning;
  });
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const std::vector<int> reads = readsOf(stages, static_cast<int>(i));
    const bool ready = std::all_of(reads.begin(), reads.end(), [&](int upstream) {
      return isReady(at(stages, upstream).state, start) &&
             !dropped[static_cast<std::size_t>(upstream)];
    });
    const bool room = maxParallel <= 0 || busy < maxParallel;
    if (stages[i].state == State::kWaiting && ready && !awaited[i] && room) {
      out.start.push_back(static_cast<int>(i));
      ++busy;
    }
  }
  return out;
}

}  // namespace stagewright::schedule
