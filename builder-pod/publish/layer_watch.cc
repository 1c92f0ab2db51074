#include "builder-pod/publish/layer_watch.h"

#include <algorithm>

#include "lib/plan/prune.h"

namespace stagewright::publish {

namespace {

constexpr int kMaxAttempts = 64;

}  // namespace

LayerWatch::LayerWatch(const RunDirectory& directory, const plan::BuildPlan& plan,
                       std::vector<int> chain, OnLayer onLayer)
    : directory_(directory), plan_(plan), chain_(std::move(chain)), onLayer_(std::move(onLayer)) {}

/// Attempt directories are made before the first stage starts, in a row.
int LayerWatch::attempts(int stage) {
  int& known = attempts_[stage];
  while (known < kMaxAttempts && directory_.hasAttempt(stage, known + 1)) {
    ++known;
  }
  return known;
}

Result<bool> LayerWatch::poll() {
  bool changed = false;
  for (const int stage : chain_) {
    TRY(bool layers, pollLayers(stage));
    changed = changed || layers;
  }
  for (const plan::Stage& stage : plan_.stages) {
    TRY(bool reports, pollReports(stage.index));
    changed = changed || reports;
  }
  return changed;
}

Result<bool> LayerWatch::pollReports(int stage) {
  bool changed = false;
  for (int attempt = 1; attempt <= attempts(stage); ++attempt) {
    if (reports_.contains({stage, attempt})) {
      continue;
    }
    TRY(std::optional<plan::StageReport> report, directory_.loadStageReport(stage, attempt));
    if (report) {
      reports_.emplace(std::pair(stage, attempt), std::move(*report));
      changed = true;
    }
  }
  return changed;
}

Result<bool> LayerWatch::pollLayers(int stage) {
  const plan::Stage& planned = plan_.stages[static_cast<std::size_t>(stage)];
  const int steps = static_cast<int>(planned.steps.size());
  const int first = plan::layerSteps(planned);  // a cache has those before it: no file of the stage
  for (int attempt = attempts(stage); attempt >= 1; --attempt) {
    const int before = std::max(nextStep_[{stage, attempt}], first);
    for (int step = before; step < steps; ++step) {
      TRY(std::optional<plan::LayerReport> report,
          directory_.loadLayerReport(stage, attempt, step));
      if (!report) {
        break;
      }
      onLayer_({stage, attempt, std::move(*report)});
      nextStep_[{stage, attempt}] = step + 1;
    }
    const int now = nextStep_[{stage, attempt}];
    if (now > first) {
      return now > before;
    }
  }
  return false;
}

}  // namespace stagewright::publish
