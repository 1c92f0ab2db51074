// Copies one regular file: by sharing blocks where the file system can, else data only, so that
// holes stay holes.
#pragma once

#include <sys/stat.h>

#include <string>

#include "lib/base/error.h"

namespace stagewright::prepare {

/// `path` is the same below both directories and must not exist below `to`. Mode as in `st`; owner
/// and times are ours.
Status copyFile(int from, int to, const std::string& path, const struct stat& st);

}  // namespace stagewright::prepare
