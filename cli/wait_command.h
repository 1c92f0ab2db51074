// `stagewright wait`, `rebuild` and `cancel`: what people and scripts do with an ImageBuild.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/api/image_build.h"

namespace stagewright::cli {

// Exit codes of wait, beside 0 for a success. As with timeout(1), 124 and 125 are the command's
// own.
inline constexpr int kWaitUserFailure = 1;  ///< also what a policy refuses
inline constexpr int kWaitPlatformFailure = 2;
inline constexpr int kWaitCancelled = 3;
inline constexpr int kWaitTimeout = 124;
inline constexpr int kWaitBroken = 125;  ///< wrong arguments, no such build, no cluster

int runWaitCommand(const std::vector<std::string>& args);
int runRebuildCommand(const std::vector<std::string>& args);
int runCancelCommand(const std::vector<std::string>& args);

/// The end of the build as an exit code; nothing while it is not over, or what is over is not yet
/// about the present spec, or not about `token` of the rebuild annotation (empty: any).
std::optional<int> verdictOf(const api::ImageBuild& build, const std::string& token);

}  // namespace stagewright::cli
