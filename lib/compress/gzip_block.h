// One independent deflate block, and the pieces around blocks that make a gzip member.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "lib/compress/block_pipeline.h"

namespace stagewright::compress {

inline constexpr std::size_t kGzipBlockSize = 256 * 1024;

/// Compresses blocks that can be concatenated: each ends on a byte boundary.
class GzipBlockEncoder final : public BlockEncoder {
 public:
  GzipBlockEncoder();
  ~GzipBlockEncoder() override;

  /// REQUIRES: at most kGzipBlockSize bytes.
  void encode(Block& block) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::uint32_t gzipChecksum(std::string_view raw);
/// The checksum of two concatenated texts, of which the second has `secondSize` bytes.
std::uint32_t combineChecksums(std::uint32_t first, std::uint32_t second, std::size_t secondSize);
/// Without name and time; operating system "unknown".
std::string_view gzipHeader();
/// An empty last block, checksum and size.
std::string gzipTrailer(std::uint32_t checksum, std::int64_t rawSize);

}  // namespace stagewright::compress
