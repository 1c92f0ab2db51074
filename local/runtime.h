// The OCI runtime that RUN steps need: crun, else runc.
#pragma once

#include <string>
#include <vector>

#include "lib/base/error.h"

namespace stagewright::local {

struct Runtime {
  enum class Kind { kCrun, kRunc };
  Kind kind = Kind::kCrun;
  std::string path;
  bool isRootless = false;  ///< it runs without the machine's root

  /// Whether the runtime makes a cgroup with device rules. crun does not beside a hierarchy of version 1 (it refuses hybrid
  /// ones); its steps are put into a DeviceCgroup.
  bool hasCgroup() const;
};

/// STAGEWRIGHT_RUNTIME (a path or a name), else crun or runc from PATH. kNotFound names the packages.
Result<Runtime> findRuntime();

}  // namespace stagewright::local
