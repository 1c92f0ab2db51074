// A claim that outlives the run: what earlier runs left there, and what is to stay.
#pragma once

#include <string>

#include "builder-pod/prepare/base_images.h"
#include "lib/base/error.h"

namespace stagewright::prepare {

/// Marks runs/<runId> as the run of the ImageBuild `owner` (a uid), makes the directory of its
/// cache mounts, and removes dead runs: those of the same ImageBuild, which has one run at a time,
/// and those that nobody has touched for longer than a build can last. Other builds may use the
/// claim beside us. What cannot be removed is told and left; an error is only what this run needs
/// itself.
Status takeNamedClaim(const std::string& workspace, const std::string& runId,
                      const std::string& owner, const Narrator& tell);

}  // namespace stagewright::prepare
