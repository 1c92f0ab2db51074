// Runs one container to its end by an OCI runtime.
#pragma once

#include <stop_token>
#include <string>

#include "builder-pod/stage/step_runner.h"
#include "local/runtime.h"
#include "local/runtime_spec.h"

namespace stagewright::local {

/// The runtime is PID 1 of a process namespace and has a mount namespace: when it ends, or we do, every process of the step
/// is killed by the kernel. Thread-safe.
class ContainerRunner {
 public:
  /// `stateDirectory` is ours and holds bundles and the runtime's state.
  ContainerRunner(Runtime runtime, std::string stateDirectory)
      : runtime_(std::move(runtime)), state_(std::move(stateDirectory)) {}

  /// Output of both streams goes to `output` as it comes. An error is the builder's, never the step's.
  Result<stage::RunOutcome> run(const ContainerRequest& request, const stage::OutputSink& output, std::stop_token stop);

 private:
  Runtime runtime_;
  std::string state_;
};

}  // namespace stagewright::local
