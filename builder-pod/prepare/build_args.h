// Build arguments whose values a ConfigMap has.
#pragma once

#include <string>

#include "builder-pod/prepare/refusal.h"
#include "lib/plan/request.h"

namespace stagewright::prepare {

/// Moves request.buildArgFiles to request.buildArgs, with the values that files of `directory`
/// have: a mounted key each, named as the argument. Refuses what is missing, or longer than a value
/// in the spec may be.
Outcome<void> loadBuildArgs(const std::string& directory, plan::BuildRequest& request);

}  // namespace stagewright::prepare
