// What need not run because a cache has it: pruned backwards from the target. Pure.
#pragma once

#include <map>
#include <utility>

#include "lib/plan/plan.h"

namespace stagewright::plan {

/// Layers of steps that a cache has, by (stage, step).
using CachedLayers = std::map<std::pair<int, int>, LayerStep>;

/// The same image with less to do. The steps a stage begins with and whose layers are all known
/// become LayerSteps. A stage on such a stage begins with its layers instead, so that the two need
/// not run one after the other. A stage is skipped if nobody needs more of it than its layers: then
/// a skipped target keeps its LayerSteps and every other skipped stage becomes empty. Indexes do
/// not change. A stage that is copied from by a step that runs gets its pod even if all its steps
/// are known: someone has to export its files.
BuildPlan pruneCached(BuildPlan plan, const CachedLayers& layers);

/// Number of LayerSteps that `stage` begins with.
int layerSteps(const Stage& stage);

}  // namespace stagewright::plan
