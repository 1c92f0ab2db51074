// Which files a plan reads from the context, and whether they are there.
#pragma once

#include <string>

#include "builder-pod/prepare/context_transfer.h"
#include "builder-pod/prepare/refusal.h"
#include "lib/dockerfile/ignore.h"
#include "lib/dockerfile/source.h"
#include "lib/plan/plan.h"

namespace stagewright::prepare {

struct ContextPlaces {
  int from = -1;       ///< the context in the source
  int to = -1;         ///< the empty directory that stages get
  std::string volume;  ///< a path on the volume of `to`
};

/// Takes what the COPY, ADD and bind mounts of the plan name. A named source without wildcards that
/// is not there afterwards is refused now, with its place, instead of minutes later in its stage.
/// Refuses: DockerfileInvalid, WorkspaceFull, InternalError.
Outcome<TransferCount> takeContextFiles(const ContextPlaces& places,
                                        const dockerfile::Source& dockerfile,
                                        const dockerfile::IgnoreMatcher& ignore,
                                        const plan::BuildPlan& plan,
                                        const TransferOptions& options);

}  // namespace stagewright::prepare
