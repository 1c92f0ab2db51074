// Decompression of layers as a pull stream. The format is told by the first bytes; anything else
// passes through.
#pragma once

#include <memory>

#include "lib/base/error.h"
#include "lib/compress/compressor.h"

namespace stagewright::compress {

/// Not thread-safe. The input is hostile: kInvalid for a broken or cut-off stream; how much comes
/// out is for the caller to limit, who decides how long to go on reading.
class Decompressor {
 public:
  explicit Decompressor(Reader reader);
  ~Decompressor();

  /// Fills up to `size` bytes; 0 is the end.
  Result<std::size_t> read(char* buffer, std::size_t size);

 private:
  class Engine;
  class Plain;
  class Gzip;
  class Zstd;

  Status choose();

  Reader reader_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace stagewright::compress
