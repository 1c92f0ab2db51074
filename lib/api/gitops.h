// Whether something would create an object again if we deleted it.
#pragma once

#include <string>

#include "lib/base/json.h"

namespace stagewright::api {

/// `Flux Kustomization "apps"`, `Argo CD application "shop"`, …; empty if nobody is known to track
/// the object. When in doubt it is tracked: an object that stays is a nuisance, one that is deleted
/// and created again builds for ever.
std::string findGitOpsOwner(const Json& metadata);

}  // namespace stagewright::api
