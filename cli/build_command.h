// `stagewright build`: builds an image on this machine.
#pragma once

#include <string>
#include <vector>

namespace stagewright::cli {

/// Exit codes stand in docs/cli.md.
int runBuildCommand(const std::vector<std::string>& args);

}  // namespace stagewright::cli
