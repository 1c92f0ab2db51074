// Keys of steps that cover file contents too: equal keys mean that a step would do the same again.
#pragma once

#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/plan/plan.h"

namespace stagewright::prepare {

struct KeyInputs {
  std::string scope;  ///< of plan::CacheSource
  int context = -1;   ///< the directory that stages get as their context
  /// Of plan.fetches, in order: the digest of a file, the commit of a repository.
  std::vector<std::string> fetched;
};

/// Sets contentKey of every step. What a step reads counts by names, modes, link targets and
/// contents; times and owners do not, and secrets never do. A stage that is read counts by its own
/// keys, so that no result needs to be known.
Status setContentKeys(plan::BuildPlan& plan, const KeyInputs& inputs);

}  // namespace stagewright::prepare
