// The plan expresses the whole language; an executor may not. What it lacks is refused at its place in the Dockerfile,
// before anything runs.
#pragma once

#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/plan/planner.h"

namespace stagewright::plan {

/// What the executor can do. The defaults are a complete one; only what needs a permission of its own is off.
struct Supported {
  bool bindMounts = true;
  bool cacheMounts = true;
  bool tmpfsMounts = true;
  bool secretMounts = true;
  bool sshMounts = true;
  bool heredocs = true;      ///< files made of here-documents, and RUN with `#!` in one
  bool link = true;
  bool parents = true;
  bool exclude = true;
  bool symbolicChmod = true;
  bool unpackFlag = true;    ///< ADD --unpack
  bool addUrl = true;
  bool addGit = true;
  bool namedDirectories = true;  ///< named contexts that are directories
  bool networkNone = true;
  bool networkHost = false;
  bool securityInsecure = false;
};

/// kInvalid, shown at its RUN, for the first secret or ssh key that a step requires and nobody gives.
/// REQUIRES: `plan` was made from `input`.
Status refuseUngiven(const PlanInput& input, const BuildPlan& plan, const std::vector<std::string>& secretIds,
                     const std::vector<std::string>& sshIds);

/// kInvalid `X is not supported yet` with place, excerpt and caret for the first step of `plan` that needs what
/// `supported` lacks. Stages the target does not need are not in the plan, so they are not refused.
/// REQUIRES: `plan` was made from `input`.
Status refuseUnsupported(const PlanInput& input, const BuildPlan& plan, const Supported& supported);

}  // namespace stagewright::plan
