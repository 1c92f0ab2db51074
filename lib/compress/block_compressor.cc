#include "lib/compress/block_compressor.h"

namespace stagewright::compress {

Status BlockCompressor::readBlock(std::string& raw) {
  raw.resize(blockSize_);
  std::size_t filled = 0;
  while (filled < raw.size()) {
    TRY(std::size_t n, reader_(raw.data() + filled, raw.size() - filled));
    if (n == 0) {
      break;
    }
    filled += n;
  }
  raw.resize(filled);
  return ok();
}

std::string_view BlockCompressor::emit(std::string_view piece) {
  digests_.addCompressed(piece);
  return piece;
}

Status BlockCompressor::fillWindow() {
  while (!rawEnded_ && pipeline_.underWay() < pipeline_.window()) {
    std::unique_ptr<Block> block;
    if (spare_.empty()) {
      block = std::make_unique<Block>();
    } else {
      block = std::move(spare_.back());
      spare_.pop_back();
    }
    CHECK_OK(readBlock(block->raw));
    rawEnded_ = block->raw.size() < blockSize_;
    if (!block->raw.empty()) {
      digests_.addRaw(block->raw);
      pipeline_.submit(std::move(block));
    }
  }
  return ok();
}

std::string_view BlockCompressor::end() {
  trailer_ = trailer(digests_.summary().rawSize);
  emit(trailer_);
  digests_.finish();
  state_ = State::kEnd;
  return trailer_;
}

Result<std::string_view> BlockCompressor::next() {
  if (state_ == State::kEnd) {
    return std::string_view();
  }
  if (state_ == State::kHeader) {
    state_ = State::kBlocks;
    if (!header().empty()) {
      return emit(header());
    }
  }
  if (current_) {
    spare_.push_back(std::move(current_));
  }
  CHECK_OK(fillWindow());
  if (pipeline_.underWay() == 0) {
    return end();
  }
  current_ = pipeline_.take();
  note(*current_);
  return emit(current_->encoded);
}

}  // namespace stagewright::compress
