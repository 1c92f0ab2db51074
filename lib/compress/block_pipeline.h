// Blocks through several encoders at once, out in the order they went in.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace stagewright::compress {

struct Block {
  std::string raw;
  std::string encoded;
  std::uint32_t checksum = 0;  ///< of `raw`, where the format needs one
  bool done = false;           ///< guarded by the pipeline's mutex
};

/// Encodes blocks one by one, none of which refers to another. Not thread-safe: one per thread.
class BlockEncoder {
 public:
  virtual ~BlockEncoder() = default;
  /// From `raw` to the other fields. Equal blocks give equal bytes.
  virtual void encode(Block& block) = 0;
};

using EncoderFactory = std::function<std::unique_ptr<BlockEncoder>()>;

/// One producer, which is also the consumer. With one thread it encodes in submit().
class BlockPipeline {
 public:
  BlockPipeline(EncoderFactory makeEncoder, int threads);
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

  EncoderFactory makeEncoder_;
  std::unique_ptr<BlockEncoder> encoder_;     ///< of the caller's thread, where it does the work
  std::deque<std::unique_ptr<Block>> order_;  ///< caller's thread only
  // A condition needs the bare mutex; it guards todo_ and Block::done, nothing else is shared.
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Block*> todo_;
  std::vector<std::jthread> workers_;
};

}  // namespace stagewright::compress
