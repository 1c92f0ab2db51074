#include <zstd.h>

#include <cstdlib>

#include "lib/compress/block_compressor.h"

namespace stagewright::compress {

namespace {

// Fixed: level and block size decide the bytes.
constexpr int kZstdLevel = 3;
constexpr std::size_t kZstdBlockSize = 1024 * 1024;

/// Whole frames: a decoder reads frames one after the other as one stream.
class ZstdBlockEncoder final : public BlockEncoder {
 public:
  ZstdBlockEncoder() : context_(ZSTD_createCCtx()) {
    ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, kZstdLevel);
    ZSTD_CCtx_setParameter(context_, ZSTD_c_checksumFlag, 1);
  }
  ~ZstdBlockEncoder() override { ZSTD_freeCCtx(context_); }
  ZstdBlockEncoder(const ZstdBlockEncoder&) = delete;
  ZstdBlockEncoder& operator=(const ZstdBlockEncoder&) = delete;

  void encode(Block& block) override {
    std::string& out = block.encoded;
    out.resize(ZSTD_compressBound(block.raw.size()));
    const std::size_t size = ZSTD_compress2(context_, out.data(), out.size(), block.raw.data(), block.raw.size());
    if (ZSTD_isError(size) != 0) {
      std::abort();  // the output has room for any input, and every parameter is constant
    }
    out.resize(size);
  }

 private:
  ZSTD_CCtx* context_;
};

class ZstdCompressor final : public BlockCompressor {
 public:
  ZstdCompressor(Reader reader, int threads)
      : BlockCompressor(
            std::move(reader), kZstdBlockSize, [] { return std::make_unique<ZstdBlockEncoder>(); },
            threads) {}

 private:
  std::string_view header() const override { return {}; }
  void note(const Block&) override {}
  std::string trailer(std::int64_t rawSize) override {
    Block empty;
    if (rawSize == 0) {
      ZstdBlockEncoder().encode(empty);
    }
    return std::move(empty.encoded);
  }
};

}  // namespace

std::unique_ptr<Compressor> makeZstdCompressor(Reader reader, int threads) {
  return std::make_unique<ZstdCompressor>(std::move(reader), threads);
}

}  // namespace stagewright::compress
