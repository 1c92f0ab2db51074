// A bounded pipe of bytes between two threads: what pushes meets what pulls.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/error.h"
#include "lib/layer/stream.h"

namespace stagewright::local {

/// One writer, one reader. Whoever gives up first calls its own end function; the other side then sees it.
class BytePipe final : public layer::ByteSink, public layer::ByteSource {
 public:
  /// Waits while the pipe is full. kCancelled once the reader has gone.
  Status write(std::string_view bytes) override;
  /// The writer's end: no more bytes, or the error that the reader gets after those that came.
  void finish(Status status);
  Result<std::size_t> read(char* buffer, std::size_t size) override;
  /// The reader goes away: the writer's next write fails.
  void abandon();

 private:
  void flush(std::unique_lock<std::mutex>& lock);

  static constexpr std::size_t kPiece = 256 * 1024;
  static constexpr std::size_t kPieces = 8;
  // A condition needs the bare mutex; it guards the fields below except pending_, which is the writer's.
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> pieces_;
  std::size_t offset_ = 0;
  bool finished_ = false;
  bool abandoned_ = false;
  std::optional<Error> error_;
  std::string pending_;
};

}  // namespace stagewright::local
