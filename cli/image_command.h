// `stagewright image …`: push, pack, inspect, digest, export.
#pragma once

#include <string>
#include <vector>

namespace stagewright::cli {

int runImageCommand(const std::vector<std::string>& args);

}  // namespace stagewright::cli
