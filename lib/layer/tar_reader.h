// Reads tar archives that nobody vouches for: v7, ustar, pax and GNU (long names, base-256 numbers,
// sparse files). Checksums are verified, sizes of names and records are capped. Names come back as
// they are: cleanEntryName() is the caller's duty.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "lib/base/error.h"
#include "lib/layer/stream.h"
#include "lib/layer/tar_entry.h"
#include "lib/layer/tar_header.h"

namespace stagewright::layer {

/// Borrows the source. Not thread-safe.
class TarReader {
 public:
  explicit TarReader(ByteSource& source) : source_(source) {}

  /// The next entry, skipping what is left of the last one; nothing at the end. Global pax headers
  /// are ignored. kInvalid for a broken archive.
  Result<std::optional<TarEntry>> next();
  /// Data of the current entry; 0 at its end. Holes of sparse files read as zeros.
  Result<std::size_t> read(char* buffer, std::size_t size);
  /// Position of the current entry's data in the archive. Meaningless for sparse entries: see
  /// isSparse().
  std::int64_t dataOffset() const { return dataOffset_; }
  bool isSparse() const { return !fragments_.empty(); }

 private:
  struct Extension {
    PaxRecords pax;
    std::optional<std::string> name;  ///< GNU L
    std::optional<std::string> link;  ///< GNU K
  };
  struct Fragment {
    std::int64_t offset = 0;
    std::int64_t length = 0;
  };

  Result<bool> readBlock(Block& block);
  Status skip(std::int64_t count);
  Result<std::string> readText(std::int64_t size);
  Status skipRest();
  Result<std::optional<TarEntry>> nextFrom(Extension& extension, bool& again);
  Status readOldSparse(const Block& block, TarEntry& entry);
  Status readPaxSparse(const PaxRecords& pax, TarEntry& entry);
  Result<std::int64_t> readSparseNumber(std::string& pending);
  Status takeFragments(std::vector<Fragment> fragments, std::int64_t realSize, TarEntry& entry);
  Result<std::size_t> readRaw(char* buffer, std::size_t size);

  ByteSource& source_;
  std::int64_t position_ = 0;
  std::int64_t dataOffset_ = 0;
  std::int64_t left_ = 0;  ///< bytes of data still in the archive
  std::int64_t padding_ = 0;
  std::vector<Fragment> fragments_;  ///< of a sparse file, ascending
  std::size_t fragment_ = 0;
  std::int64_t logical_ = 0;  ///< position in a sparse file
  std::int64_t realSize_ = 0;
  bool ended_ = false;
};

}  // namespace stagewright::layer
