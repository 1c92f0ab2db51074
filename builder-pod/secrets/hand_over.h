// The container beside a stage that passes values of Secrets to the executor and exits. It runs no
// foreign code, and the stage's container does not mount what this one does.
#pragma once

#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/plan/hand_over.h"

namespace stagewright::secrets {

/// Copies `grants` from <from>/<i>/value to <to>/<i> and writes kHandOverFile last. What does not
/// exist is a problem told in that file, not an error.
Status handOver(const std::vector<plan::SecretGrant>& grants, const std::string& from,
                const std::string& to);

/// The whole container: environment in, files out; returns a plan::Exit. The executor tells people
/// what is wrong, so this is 0 whenever kHandOverFile is there.
int runHandOverMain();

}  // namespace stagewright::secrets
