// A ConfigMap as source.
#pragma once

#include <string>

#include "builder-pod/prepare/refusal.h"

namespace stagewright::prepare {

/// Copies the files of a mounted ConfigMap into the empty directory `into` as plain files, with
/// their modes. The kubelet shows them as links through `..data`, which are none of the user's
/// making. Refuses: SourceNotFound if there is no file (the ConfigMap does not exist: the mount is
/// optional), WorkspaceFull.
Outcome<void> copyConfigMap(const std::string& mount, const std::string& into);

}  // namespace stagewright::prepare
