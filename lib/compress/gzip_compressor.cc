#include "lib/compress/gzip_compressor.h"

namespace stagewright::compress {

namespace {

/// A whole block, whatever pieces the reader delivers: the blocks' borders decide the compressed
/// bytes.
Status readBlock(const Reader& reader, std::string& raw) {
  raw.resize(kGzipBlockSize);
  std::size_t filled = 0;
  while (filled < raw.size()) {
    TRY(std::size_t n, reader(raw.data() + filled, raw.size() - filled));
    if (n == 0) {
      break;
    }
    filled += n;
  }
  raw.resize(filled);
  return ok();
}

}  // namespace

std::string_view GzipCompressor::emit(std::string_view piece) {
  digests_.addCompressed(piece);
  return piece;
}

Status GzipCompressor::fillWindow() {
  while (!rawEnded_ && pipeline_.underWay() < pipeline_.window()) {
    std::unique_ptr<Block> block;
    if (spare_.empty()) {
      block = std::make_unique<Block>();
    } else {
      block = std::move(spare_.back());
      spare_.pop_back();
    }
    CHECK_OK(readBlock(reader_, block->raw));
    rawEnded_ = block->raw.size() < kGzipBlockSize;
    if (!block->raw.empty()) {
      digests_.addRaw(block->raw);
      pipeline_.submit(std::move(block));
    }
  }
  return ok();
}

Result<std::string_view> GzipCompressor::next() {
  if (state_ == State::kEnd) {
    return std::string_view();
  }
  if (state_ == State::kHeader) {
    state_ = State::kBlocks;
    return emit(gzipHeader());
  }
  if (current_) {
    spare_.push_back(std::move(current_));
  }
  CHECK_OK(fillWindow());
  if (pipeline_.underWay() == 0) {
    trailer_ = gzipTrailer(checksum_, digests_.summary().rawSize);
    emit(trailer_);
    digests_.finish();
    state_ = State::kEnd;
    return std::string_view(trailer_);
  }
  current_ = pipeline_.take();
  checksum_ = combineChecksums(checksum_, current_->checksum, current_->raw.size());
  return emit(current_->encoded);
}

}  // namespace stagewright::compress
