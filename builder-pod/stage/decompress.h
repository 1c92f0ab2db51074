// Streams of compressed bytes, recognised by their first bytes. All decoders are linked statically.
#pragma once

#include <memory>

#include "lib/base/error.h"
#include "lib/layer/stream.h"

namespace stagewright::stage {

/// `source` decompressed if it begins as gzip, bzip2, xz or zstd does, else as it is. Borrows the
/// source. Several streams in a row read as one. kInvalid from read() for broken data.
Result<std::unique_ptr<layer::ByteSource>> makeDecompressed(layer::ByteSource& source);

}  // namespace stagewright::stage
