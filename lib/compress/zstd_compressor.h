// The zstd stream: one frame, one thread, level 3, with checksum.
#pragma once

#include <memory>
#include <string>

#include "lib/compress/compressor.h"
#include "lib/compress/digests.h"

struct ZSTD_CCtx_s;

namespace stagewright::compress {

class ZstdCompressor final : public Compressor {
 public:
  explicit ZstdCompressor(Reader reader);
  ~ZstdCompressor() override;

  Result<std::string_view> next() override;
  const Summary& summary() const override { return digests_.summary(); }

 private:
  Reader reader_;
  ZSTD_CCtx_s* context_;
  Digests digests_;
  std::string raw_;
  std::size_t rawOffset_ = 0;
  bool rawEnded_ = false;
  bool ended_ = false;
  bool finished_ = false;  ///< the digests are
  std::string out_;
};

}  // namespace stagewright::compress
