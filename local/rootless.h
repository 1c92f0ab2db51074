// Builds without root: this process becomes root of a user namespace in which the ranges of /etc/subuid and /etc/subgid are
// mapped by newuidmap and newgidmap.
#pragma once

#include <string>

#include "lib/base/error.h"

namespace stagewright::local {

/// One line of /etc/subuid or /etc/subgid: `name-or-id:first:count`. Pure; kNotFound if the user has none.
struct IdRange {
  std::string first;
  std::string count;
};
Result<IdRange> findIdRange(const std::string& text, const std::string& name, const std::string& id);

/// Forks: the child returns and goes on as root of the new namespace; the parent never returns, it passes SIGINT and SIGTERM
/// on and exits as the child does. REQUIRES: no other thread runs yet. kDenied says what is missing.
Status becomeRootlessRoot();

/// Whether this process is root of such a namespace, not of the machine.
bool isRootless();

}  // namespace stagewright::local
