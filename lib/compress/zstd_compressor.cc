#include "lib/compress/zstd_compressor.h"

#include <zstd.h>

namespace stagewright::compress {

namespace {

constexpr int kZstdLevel = 3;
constexpr std::size_t kRawSize = 256 * 1024;

}  // namespace

ZstdCompressor::ZstdCompressor(Reader reader)
    : reader_(std::move(reader)), context_(ZSTD_createCCtx()) {
  ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, kZstdLevel);
  ZSTD_CCtx_setParameter(context_, ZSTD_c_checksumFlag, 1);
  out_.resize(ZSTD_CStreamOutSize());
}

ZstdCompressor::~ZstdCompressor() { ZSTD_freeCCtx(context_); }

Result<std::string_view> ZstdCompressor::next() {
  ZSTD_outBuffer out{out_.data(), out_.size(), 0};
  while (out.pos == 0 && !ended_) {
    if (rawOffset_ == raw_.size() && !rawEnded_) {
      raw_.resize(kRawSize);
      TRY(std::size_t n, reader_(raw_.data(), raw_.size()));
      raw_.resize(n);
      rawOffset_ = 0;
      rawEnded_ = n == 0;
      digests_.addRaw(raw_);
    }
    ZSTD_inBuffer in{raw_.data(), raw_.size(), rawOffset_};
    const std::size_t left =
        ZSTD_compressStream2(context_, &out, &in, rawEnded_ ? ZSTD_e_end : ZSTD_e_continue);
    if (ZSTD_isError(left) != 0) {
      return internal(std::string("zstd: ") + ZSTD_getErrorName(left));
    }
    rawOffset_ = in.pos;
    ended_ = rawEnded_ && left == 0;
  }
  const std::string_view piece(out_.data(), out.pos);
  if (!piece.empty()) {
    digests_.addCompressed(piece);
  }
  if (ended_ && !finished_) {
    digests_.finish();
    finished_ = true;
  }
  return piece;
}

}  // namespace stagewright::compress
