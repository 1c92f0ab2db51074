// Runs steps as children of this process, which is PID 1 of the stage's container.
#pragma once

#include <string>

#include "builder-pod/stage/memory_events.h"
#include "builder-pod/stage/step_runner.h"

namespace stagewright::stage {

/// REQUIRES: no other thread runs during run(): it forks. When it is PID 1 it kills every process
/// of its PID namespace after the step; otherwise only the step's own group.
class ProcessRunner final : public StepRunner {
 public:
  explicit ProcessRunner(std::string cgroupDirectory) : memory_(std::move(cgroupDirectory)) {}
  Result<RunOutcome> run(const RunRequest& request, const OutputSink& output,
                         std::optional<SteadyPoint> deadline, const Stop& stop) override;

 private:
  MemoryEvents memory_;
};

}  // namespace stagewright::stage
