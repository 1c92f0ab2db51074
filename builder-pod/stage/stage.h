// One stage from its base to its exports: the executor's flow, without knowing what a pod is.
#pragma once

#include <optional>

#include "builder-pod/stage/stage_log.h"
#include "builder-pod/stage/stage_options.h"
#include "builder-pod/stage/step_runner.h"
#include "builder-pod/stage/stop.h"
#include "lib/plan/contract.h"
#include "lib/plan/plan.h"
#include "lib/plan/report.h"

namespace stagewright::stage {

struct StageResult {
  plan::Exit exit = plan::Exit::kSuccess;
  plan::StageReport
      report;  ///< what was sealed into report.json; its failure is set unless exit is kSuccess
};

/// Runs options.stage of `plan`: lays the layers of the stages it is built on over the tree, runs
/// its steps, writes one sealed layer for each, packs its exports and seals its report last. Never
/// throws for what a step or another stage does. REQUIRES: the tree at options.root belongs to this
/// stage alone.
StageResult runStage(const plan::BuildPlan& plan, const StageOptions& options, StepRunner& runner,
                     StageLog& log, const Stop& stop);

}  // namespace stagewright::stage
