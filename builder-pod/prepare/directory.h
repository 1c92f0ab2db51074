// Directories of an untrusted tree, without following links.
#pragma once

#include <string>
#include <vector>

#include "lib/base/error.h"

namespace stagewright::prepare {

/// `a/b`; `b` if `directory` is empty.
std::string joinPath(const std::string& directory, const std::string& name);

/// Names in the directory `path` (relative, "" is `root` itself), sorted, without `.` and `..`. No
/// link on the way is followed.
Result<std::vector<std::string>> listDirectory(int root, const std::string& path);

/// rm -rf of a directory of ours; links are removed, not followed. Read-only directories are no
/// obstacle.
Status removeTree(const std::string& path);

}  // namespace stagewright::prepare
