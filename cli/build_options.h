// The command line of `stagewright build` as options of the local engine.
#pragma once

#include <vector>

#include "cli/arguments.h"
#include "local/options.h"

namespace stagewright::cli {

const std::vector<Option>& buildOptionTable();

/// kInvalid says which option is wrong. Reads the docker config.json, nothing else.
Result<local::BuildOptions> makeBuildOptions(const Arguments& arguments);

/// `type=oci,dest=image.tar`, or a path alone: a directory, `-` a tar archive on standard output.
Result<local::Output> parseOutput(const std::string& text);

}  // namespace stagewright::cli
