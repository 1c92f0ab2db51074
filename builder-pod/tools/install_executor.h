// Puts the executor where a stage container finds it, on clusters that serve no volumes of type
// image: an init container with the builder image fills an emptyDir, which the stage mounts
// read-only.
#pragma once

#include <string>

#include "lib/base/error.h"

namespace stagewright::tools {

/// Copies the program `executor` to DIRECTORY/stagewright-stage, mode 0755, complete or not at all.
/// An existing file is replaced. Errors: kNotFound if there is no such program or directory, the
/// cause of the file system otherwise.
Status installExecutor(const std::string& executor, const std::string& directory);

/// The command `install-executor DIRECTORY`: the executor that lies beside this program. Returns
/// the exit code; errors go to the log.
int runInstallExecutorMain(const std::string& directory);

}  // namespace stagewright::tools
