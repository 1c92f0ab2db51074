// Blocks through several encoders at once, out in the order they went in.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "lib/compress/gzip_block.h"

namespace stagewright::compress {

struct Block {
  std::string raw;
  std::string encoded;
  std::uint32_t checksum = 0;
  bool done = false;  ///< guarded by the pipeline's mutex
};

/// One producer, which is also the consumer. With one thread it encodes in submit().
class BlockPipeline {
 public:
  explicit BlockPipeline(int threads);
  ~BlockPipeline();
  BlockPipeline(const BlockPipeline&) = delete;
  BlockPipeline& operator=(const BlockPipeline&) = delete;

  /// So many blocks should be under way to keep every thread busy.
  std::size_t window() const { return workers_.empty() ? 1 : workers_.size() * 2; }
  std::size_t underWay() const { return order_.size(); }
  void submit(std::unique_ptr<Block> block);
  /// Waits for the oldest block. REQUIRES: underWay() > 0.
  std::unique_ptr<Block> take();

 private:
  void runWorker(std::stop_token stop);
  static void encode(GzipBlockEncoder& encoder, Block& block);

  GzipBlockEncoder encoder_;                  ///< of the caller's thread
  std::deque<std::unique_ptr<Block>> order_;  ///< caller's thread only
  // A condition needs the bare mutex; it guards todo_ and Block::done, nothing else is shared.
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Block*> todo_;
  std::vector<std::jthread> workers_;
};

}  // namespace stagewright::compress
