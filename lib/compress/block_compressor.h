// A compressed stream of blocks that several threads encode: gzip and zstd differ in the encoder and
// in what stands before and after the blocks.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lib/compress/block_pipeline.h"
#include "lib/compress/compressor.h"
#include "lib/compress/digests.h"

namespace stagewright::compress {

class BlockCompressor : public Compressor {
 public:
  Result<std::string_view> next() override;
  const Summary& summary() const override { return digests_.summary(); }

 protected:
  /// The borders between blocks decide the bytes, so `blockSize` is a constant of the format.
  BlockCompressor(Reader reader, std::size_t blockSize, EncoderFactory makeEncoder, int threads)
      : reader_(std::move(reader)),
        blockSize_(blockSize),
        pipeline_(std::move(makeEncoder), threads) {}

 private:
  enum class State { kHeader, kBlocks, kEnd };

  /// May be empty.
  virtual std::string_view header() const = 0;
  /// Each block in order.
  virtual void note(const Block& block) = 0;
  /// What ends a stream of `rawSize` bytes; may be empty.
  virtual std::string trailer(std::int64_t rawSize) = 0;

  /// Reads ahead until every thread has work or the raw bytes end.
  Status fillWindow();
  /// A whole block, whatever pieces the reader delivers.
  Status readBlock(std::string& raw);
  std::string_view emit(std::string_view piece);
  std::string_view end();

  Reader reader_;
  std::size_t blockSize_;
  BlockPipeline pipeline_;
  Digests digests_;
  State state_ = State::kHeader;
  bool rawEnded_ = false;
  std::unique_ptr<Block> current_;  ///< whose bytes the caller holds
  std::vector<std::unique_ptr<Block>> spare_;
  std::string trailer_;
};

/// One gzip member of ISA-L's level 2 over blocks of 256 KiB.
std::unique_ptr<Compressor> makeGzipCompressor(Reader reader, int threads);
/// A frame of zstd level 3 for each MiB, with size and checksum; an empty stream is one empty frame.
std::unique_ptr<Compressor> makeZstdCompressor(Reader reader, int threads);

}  // namespace stagewright::compress
