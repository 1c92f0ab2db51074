// A step's changes as a compressed layer in the store.
#pragma once

#include <stop_token>
#include <string>

#include "lib/base/error.h"
#include "local/store.h"
#include "local/view.h"

namespace stagewright::local {

/// Compares `upper` with what it lies upon, and writes the layer as blobs/<digest>: one pass, archive and compression beside
/// each other. An equal layer gives equal bytes.
Result<BlobRecord> makeLayerBlob(Store& store, const std::string& upper, const LayerDirectories& lowers,
                                 std::stop_token stop);

}  // namespace stagewright::local
