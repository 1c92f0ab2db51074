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

  /// crun runs without a cgroup of its own (on a hybrid hierarchy it cannot have one), so nothing but the mounts keeps the
  /// step from devices; runc has device rules.
  bool hasCgroup() const { return kind == Kind::kRunc; }
};

/// STAGEWRIGHT_RUNTIME (a path or a name), else crun or runc from PATH. kNotFound names the packages.
Result<Runtime> findRuntime();

}  // namespace stagewright::local
