// A whole build on this machine.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/http/transport.h"
#include "lib/plan/contract.h"
#include "local/options.h"
#include "local/progress.h"

namespace stagewright::local {

struct BuildResult {
  plan::Exit exit = plan::Exit::kSuccess;
  std::string message;        ///< why it failed, with the excerpt of the Dockerfile
  std::string imageDigest;
  std::string configDigest;
};

/// REQUIRES: enterPrivateMounts() was called. Blocks until done, failed or stopped; nothing is left running or mounted.
BuildResult runBuild(const BuildOptions& options, http::Transport& transport, Clock& clock, Progress& progress,
                     std::stop_token stop);

}  // namespace stagewright::local
