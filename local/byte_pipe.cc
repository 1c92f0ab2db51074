#include "local/byte_pipe.h"

#include <algorithm>
#include <cstring>

namespace stagewright::local {

void BytePipe::flush(std::unique_lock<std::mutex>& lock) {
  changed_.wait(lock, [&] { return pieces_.size() < kPieces || abandoned_; });
  if (!abandoned_ && !pending_.empty()) {
    pieces_.push_back(std::move(pending_));
  }
  pending_.clear();
  changed_.notify_all();
}

Status BytePipe::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t n = std::min(bytes.size(), kPiece - pending_.size());
    pending_.reserve(kPiece);
    pending_.append(bytes.substr(0, n));
    bytes.remove_prefix(n);
    if (pending_.size() == kPiece) {
      std::unique_lock lock(mutex_);
      flush(lock);
      if (abandoned_) {
        return cancelled("the reader has gone");
      }
    }
  }
  return ok();
}

void BytePipe::finish(Status status) {
  std::unique_lock lock(mutex_);
  flush(lock);
  finished_ = true;
  if (!status) {
    error_ = std::move(status).error();
  }
  changed_.notify_all();
}

Result<std::size_t> BytePipe::read(char* buffer, std::size_t size) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !pieces_.empty() || finished_; });
  if (pieces_.empty()) {
    return error_ ? Result<std::size_t>(*error_) : std::size_t{0};
  }
  const std::string& piece = pieces_.front();
  const std::size_t n = std::min(size, piece.size() - offset_);
  std::memcpy(buffer, piece.data() + offset_, n);
  offset_ += n;
  if (offset_ == piece.size()) {
    pieces_.pop_front();
    offset_ = 0;
    changed_.notify_all();
  }
  return n;
}

void BytePipe::abandon() {
  const std::lock_guard lock(mutex_);
  abandoned_ = true;
  pieces_.clear();
  offset_ = 0;
  changed_.notify_all();
}

}  // namespace stagewright::local
