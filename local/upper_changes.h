// What an overlay's upper directory says about its lower ones, in the words of a layer.
#pragma once

#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/layer/tree_writer.h"

namespace stagewright::local {

/// The lines of the layer that leads from `base` (the merged lower layers) to what `upper` shows on top of them. As
/// BuildKit's differ: a whiteout per removed path and no opaque markers; a directory that was only copied up is no change,
/// nor is a file that was copied up and is the same in every respect. Both are opened without following links.
Result<std::vector<layer::LayerItem>> findUpperChanges(const std::string& upper, const std::string& base);

}  // namespace stagewright::local
