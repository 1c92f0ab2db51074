// `stagewright check`: the build checks as a linter.
#pragma once

#include <string>
#include <vector>

#include "cli/arguments.h"

namespace stagewright::cli {

/// Exit codes: 0 nothing of level error; 1 the Dockerfile does not parse, or `# check=error=true` and findings; 2 usage.
int runCheckCommand(const std::vector<std::string>& args);

/// The same for `build --check`, with that command's options.
int runCheckOf(const Arguments& arguments);

}  // namespace stagewright::cli
