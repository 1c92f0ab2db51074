#include "lib/compress/gzip_block.h"

#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <zlib.h>

#include <cstdlib>
#include <vector>

namespace stagewright::compress {

namespace {

// Fixed: level and buffer size decide the bytes.
constexpr std::uint32_t kGzipLevel = 2;
constexpr std::uint32_t kLevelBuffer = ISAL_DEF_LVL2_DEFAULT;
/// Stored blocks cost 5 bytes per 64 KiB; the flush another 5.
constexpr std::size_t kOutputRoom = kGzipBlockSize + kGzipBlockSize / 8 + 1024;

}  // namespace

struct GzipBlockEncoder::State {
  isal_zstream stream;
  std::vector<std::uint8_t> levelBuffer = std::vector<std::uint8_t>(kLevelBuffer);
};

GzipBlockEncoder::GzipBlockEncoder() : state_(std::make_unique<State>()) {}
GzipBlockEncoder::~GzipBlockEncoder() = default;

void GzipBlockEncoder::encode(Block& block) {
  const std::string_view raw = block.raw;
  std::string& out = block.encoded;
  block.checksum = gzipChecksum(raw);
  isal_zstream& stream = state_->stream;
  out.resize(kOutputRoom);
  isal_deflate_stateless_init(&stream);
  stream.level = kGzipLevel;
  stream.level_buf = state_->levelBuffer.data();
  stream.level_buf_size = kLevelBuffer;
  stream.flush = FULL_FLUSH;
  stream.end_of_stream = 0;
  stream.next_in = reinterpret_cast<std::uint8_t*>(const_cast<char*>(raw.data()));
  stream.avail_in = static_cast<std::uint32_t>(raw.size());
  stream.next_out = reinterpret_cast<std::uint8_t*>(out.data());
  stream.avail_out = static_cast<std::uint32_t>(out.size());
  if (isal_deflate_stateless(&stream) != COMP_OK || stream.avail_in != 0) {
    std::abort();  // the output has room for any input, and every parameter is constant
  }
  out.resize(out.size() - stream.avail_out);
}

std::uint32_t gzipChecksum(std::string_view raw) {
  return crc32_gzip_refl(0, reinterpret_cast<const unsigned char*>(raw.data()), raw.size());
}

std::uint32_t combineChecksums(std::uint32_t first, std::uint32_t second, std::size_t secondSize) {
  return static_cast<std::uint32_t>(crc32_combine(first, second, static_cast<z_off_t>(secondSize)));
}

std::string_view gzipHeader() {
  static constexpr char kHeader[] = {'\x1f', '\x8b', 8, 0, 0, 0, 0, 0, 0, '\xff'};
  return {kHeader, sizeof kHeader};
}

std::string gzipTrailer(std::uint32_t checksum, std::int64_t rawSize) {
  std::string trailer = {'\x03', '\x00'};
  for (const std::uint32_t word : {checksum, static_cast<std::uint32_t>(rawSize & 0xffffffff)}) {
    for (unsigned shift = 0; shift < 32; shift += 8) {
      trailer += static_cast<char>((word >> shift) & 0xff);
    }
  }
  return trailer;
}

}  // namespace stagewright::compress
