#include "lib/compress/block_pipeline.h"

namespace stagewright::compress {

BlockPipeline::BlockPipeline(EncoderFactory makeEncoder, int threads)
    : makeEncoder_(std::move(makeEncoder)) {
  if (threads <= 1) {
    encoder_ = makeEncoder_();
    return;
  }
  for (int i = 0; i < threads; ++i) {
    workers_.emplace_back([this](std::stop_token stop) { runWorker(std::move(stop)); });
  }
}

BlockPipeline::~BlockPipeline() {
  for (std::jthread& worker : workers_) {
    worker.request_stop();
  }
  workers_.clear();  // before the blocks they may still be encoding
}

void BlockPipeline::submit(std::unique_ptr<Block> block) {
  block->done = workers_.empty();
  if (workers_.empty()) {
    encoder_->encode(*block);
  } else {
    const std::lock_guard lock(mutex_);
    todo_.push_back(block.get());
    changed_.notify_all();
  }
  order_.push_back(std::move(block));
}

std::unique_ptr<Block> BlockPipeline::take() {
  std::unique_ptr<Block> oldest = std::move(order_.front());
  order_.pop_front();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return oldest->done; });
  return oldest;
}

void BlockPipeline::runWorker(std::stop_token stop) {
  const std::unique_ptr<BlockEncoder> encoder = makeEncoder_();
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [this] { return !todo_.empty(); })) {
    Block* block = todo_.front();
    todo_.pop_front();
    lock.unlock();
    encoder->encode(*block);
    lock.lock();
    block->done = true;
    changed_.notify_all();
  }
}

}  // namespace stagewright::compress
