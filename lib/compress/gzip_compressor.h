// The gzip stream: header, blocks, trailer.
#pragma once

#include <memory>
#include <vector>

#include "lib/compress/block_pipeline.h"
#include "lib/compress/compressor.h"
#include "lib/compress/digests.h"

namespace stagewright::compress {

class GzipCompressor final : public Compressor {
 public:
  GzipCompressor(Reader reader, int threads) : reader_(std::move(reader)), pipeline_(threads) {}

  Result<std::string_view> next() override;
  const Summary& summary() const override { return digests_.summary(); }

 private:
  enum class State { kHeader, kBlocks, kEnd };

  /// Reads ahead until every thread has work or the raw bytes end.
  Status fillWindow();
  std::string_view emit(std::string_view piece);

  Reader reader_;
  BlockPipeline pipeline_;
  Digests digests_;
  State state_ = State::kHeader;
  bool rawEnded_ = false;
  std::uint32_t checksum_ = 0;
  std::unique_ptr<Block> current_;  ///< whose bytes the caller holds
  std::vector<std::unique_ptr<Block>> spare_;
  std::string trailer_;
};

}  // namespace stagewright::compress
