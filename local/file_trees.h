// Directories of this machine as sources of COPY.
#pragma once

#include <memory>
#include <string>

#include "builder-pod/stage/source_tree.h"
#include "lib/dockerfile/ignore.h"

namespace stagewright::local {

/// A build context: owners are 0:0, and what `ignore` excludes is not there. Borrows `ignore`, which may be null.
Result<std::unique_ptr<stage::SourceTree>> makeContextTree(const std::string& directory,
                                                           const dockerfile::IgnoreMatcher* ignore);

/// The files of another stage, as they are.
Result<std::unique_ptr<stage::SourceTree>> makeStageTree(const std::string& directory);

}  // namespace stagewright::local
