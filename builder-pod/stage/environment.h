// What the pod tells the executor: environment variables, read once and wiped.
#pragma once

#include <string>

#include "builder-pod/stage/stage_options.h"
#include "lib/base/error.h"

namespace stagewright::stage {

struct Environment {
  StageOptions options;
  std::string planDigest;
  bool userNamespaceRequired = false;
  bool awaitSecrets = false;  ///< takeSecrets() must be called
};

/// Reads the variables of lib/plan/contract.h and overwrites the whole environment of this process:
/// the keys in it are for nobody else. kInvalid if one is missing or malformed.
Result<Environment> takeEnvironment();

/// Whether /proc/self/uid_map's text is the identity: then there is no user namespace (docs: stage
/// executor, section 3).
bool isIdentityMap(std::string_view uidMap);

}  // namespace stagewright::stage
