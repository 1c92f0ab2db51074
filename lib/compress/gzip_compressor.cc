#include "lib/compress/block_compressor.h"
#include "lib/compress/gzip_block.h"

namespace stagewright::compress {

namespace {

class GzipCompressor final : public BlockCompressor {
 public:
  GzipCompressor(Reader reader, int threads)
      : BlockCompressor(
            std::move(reader), kGzipBlockSize, [] { return std::make_unique<GzipBlockEncoder>(); },
            threads) {}

 private:
  std::string_view header() const override { return gzipHeader(); }
  void note(const Block& block) override {
    checksum_ = combineChecksums(checksum_, block.checksum, block.raw.size());
  }
  std::string trailer(std::int64_t rawSize) override { return gzipTrailer(checksum_, rawSize); }

  std::uint32_t checksum_ = 0;
};

}  // namespace

std::unique_ptr<Compressor> makeGzipCompressor(Reader reader, int threads) {
  return std::make_unique<GzipCompressor>(std::move(reader), threads);
}

}  // namespace stagewright::compress
