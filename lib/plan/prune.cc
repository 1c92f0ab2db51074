#include "lib/plan/prune.h"

#include <algorithm>
#include <set>
#include <vector>

namespace stagewright::plan {

namespace {

/// Stages whose files a step reads.
std::set<int> sourcesOf(const Step& step) {
  std::set<int> out;
  if (const auto* copy = std::get_if<CopyStep>(&step.action)) {
    for (const CopySource& source : copy->sources) {
      if (source.from == CopySource::From::kStage) {
        out.insert(source.stage);
      }
    }
  } else if (const auto* run = std::get_if<RunStep>(&step.action)) {
    for (const Mount& mount : run->mounts) {
      if (mount.fromStage >= 0) {
        out.insert(mount.fromStage);
      }
    }
  }
  return out;
}

bool readsContext(const Step& step) {
  if (const auto* copy = std::get_if<CopyStep>(&step.action)) {
    return std::any_of(copy->sources.begin(), copy->sources.end(), [](const CopySource& source) {
      return source.from == CopySource::From::kContext;
    });
  }
  if (const auto* run = std::get_if<RunStep>(&step.action)) {
    return std::any_of(run->mounts.begin(), run->mounts.end(), [](const Mount& mount) {
      return mount.type == Mount::Type::kBind && mount.fromStage < 0 && mount.context.empty();
    });
  }
  return false;
}

class Pruner {
 public:
  Pruner(BuildPlan plan, const CachedLayers& layers)
      : plan_(std::move(plan)),
        runs_(plan_.stages.size(), false),
        seen_(plan_.stages.size(), false) {
    for (const Stage& stage : plan_.stages) {
      int known = 0;
      while (known < sizeOf(stage) && layers.contains({stage.index, known})) {
        ++known;
      }
      known_.push_back(known);
    }
    needLayers(plan_.target);
    for (Stage& stage : plan_.stages) {
      replaceKnownSteps(stage, layers);
    }
    for (Stage& stage : plan_.stages) {
      finish(stage);
    }
  }

  BuildPlan take() { return std::move(plan_); }

 private:
  static int sizeOf(const Stage& stage) { return static_cast<int>(stage.steps.size()); }
  Stage& at(int index) { return plan_.stages[static_cast<std::size_t>(index)]; }
  bool runs(int index) const { return runs_[static_cast<std::size_t>(index)]; }
  int known(int index) const { return known_[static_cast<std::size_t>(index)]; }
  bool isWhole(int index) { return known(index) == sizeOf(at(index)); }

  /// Someone is built on the stage: its layers and those below it must come from somewhere.
  void needLayers(int index) {
    if (seen_[static_cast<std::size_t>(index)]) {
      return;
    }
    seen_[static_cast<std::size_t>(index)] = true;
    if (at(index).base.kind == Base::Kind::kStage) {
      needLayers(at(index).base.stage);
    }
    if (!isWhole(index)) {
      needRun(index);
    }
  }

  void needRun(int index) {
    if (runs(index)) {
      return;
    }
    runs_[static_cast<std::size_t>(index)] = true;
    needLayers(index);
    const Stage& stage = at(index);
    for (int i = known(index); i < sizeOf(stage); ++i) {
      for (const int source : sourcesOf(stage.steps[static_cast<std::size_t>(i)])) {
        needRun(source);
      }
    }
  }

  /// REQUIRES: every earlier stage was replaced already.
  void replaceKnownSteps(Stage& stage, const CachedLayers& layers) {
    for (int i = 0; i < known(stage.index); ++i) {
      stage.steps[static_cast<std::size_t>(i)].action = layers.at({stage.index, i});
    }
    stage.cachedSteps = known(stage.index);
    if (stage.base.kind == Base::Kind::kStage && isWholeAfterReplacing(stage.base.stage)) {
      const Stage& below = at(stage.base.stage);
      stage.steps.insert(stage.steps.begin(), below.steps.begin(), below.steps.end());
      stage.base = below.base;
    }
  }

  bool isWholeAfterReplacing(int index) { return layerSteps(at(index)) == sizeOf(at(index)); }

  void finish(Stage& stage) {
    stage.skipped = !runs(stage.index);
    stage.dependsOn.clear();
    stage.usesContext = false;
    if (stage.skipped) {
      if (stage.index != plan_.target) {
        stage.cachedSteps = sizeOf(stage);
        stage.steps.clear();
        stage.base = Base{};
      }
      stage.exports.clear();
    }
    std::set<int> reads;
    if (stage.base.kind == Base::Kind::kStage) {
      reads.insert(stage.base.stage);
    }
    for (const Step& step : stage.steps) {
      reads.merge(sourcesOf(step));
      stage.usesContext = stage.usesContext || readsContext(step);
    }
    stage.dependsOn.assign(reads.begin(), reads.end());
  }

  BuildPlan plan_;
  std::vector<int> known_;  ///< steps at the beginning of each stage that a cache has
  std::vector<bool> runs_;
  std::vector<bool> seen_;
};

}  // namespace

BuildPlan pruneCached(BuildPlan plan, const CachedLayers& layers) {
  return Pruner(std::move(plan), layers).take();
}

int layerSteps(const Stage& stage) {
  const auto end = std::find_if(stage.steps.begin(), stage.steps.end(), [](const Step& step) {
    return !std::holds_alternative<LayerStep>(step.action);
  });
  return static_cast<int>(end - stage.steps.begin());
}

}  // namespace stagewright::plan
