// `stagewright logs`: the logs of a run, from its pods while they are there, else from the
// registry.
#pragma once

#include <string>
#include <vector>

namespace stagewright::cli {

int runLogsCommand(const std::vector<std::string>& args);

}  // namespace stagewright::cli
