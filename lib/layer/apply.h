// Lays a layer over a tree, as containerd does it: whiteouts remove, opaque markers empty,
// everything else replaces what was there except that a directory over a directory only changes its
// attributes.
#pragma once

#include "lib/base/error.h"
#include "lib/layer/tar_reader.h"
#include "lib/layer/tree.h"

namespace stagewright::layer {

/// The archive is not trusted: names are resolved inside the tree. kInvalid for a broken or
/// escaping archive.
Status applyLayer(Tree& tree, TarReader& reader);

/// Copies the current entry's data into `fd`. Long runs of zeros become holes.
Status copyEntryData(TarReader& reader, int fd, const std::string& name);

}  // namespace stagewright::layer
