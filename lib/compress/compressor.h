// Compression of layers as a pull stream: raw bytes in, compressed pieces out, both digests
// computed on the way.
//
// Equal raw bytes give equal compressed bytes on every CPU and with any number of threads, so a
// rebuilt layer has the digest it had and is not uploaded again. Gzip therefore is ISA-L level 2
// (level 3 differs between CPUs) over independent blocks of 256 KiB, joined into one member without
// time and host, and zstd a frame for each MiB. Changing the block size, the level or the library
// changes every digest: tests/unit pins one of each.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "lib/base/error.h"

namespace stagewright::compress {

enum class Format { kGzip, kZstd };

/// Fills up to `size` bytes; 0 is the end.
using Reader = std::function<Result<std::size_t>(char* buffer, std::size_t size)>;

/// Reads a descriptor that the caller keeps open.
Reader readerOf(int fd, std::string name);

struct Summary {
  std::string rawSha256;  ///< hexadecimal: of the diffId
  std::int64_t rawSize = 0;
  std::string sha256;  ///< of the digest
  std::int64_t size = 0;
};

/// Not thread-safe. Memory: below 2 MB per thread for gzip, 8 MB for zstd.
class Compressor {
 public:
  /// `threads` compress in parallel; 1 compresses on the caller's thread.
  static std::unique_ptr<Compressor> make(Format format, Reader reader, int threads);
  virtual ~Compressor() = default;

  /// The next piece, valid until the next call; empty at the end. Errors are the reader's.
  virtual Result<std::string_view> next() = 0;
  /// REQUIRES: next() has returned the empty piece.
  virtual const Summary& summary() const = 0;
};

}  // namespace stagewright::compress
