#include "builder-pod/publish/blob_pipe.h"

#include <algorithm>
#include <cstring>

namespace stagewright::publish {

namespace {

constexpr std::size_t kCapacity = 1024 * 1024;

}  // namespace

void BlobPipe::end() {
  if (fetcher_.joinable()) {
    fetcher_.request_stop();
    fetcher_.join();
  }
}

Status BlobPipe::rewind() {
  end();
  buffer_.clear();
  offset_ = 0;
  ended_ = false;
  error_.reset();
  fetcher_ = std::jthread([this](std::stop_token stop) { runFetch(std::move(stop)); });
  return ok();
}

void BlobPipe::runFetch(std::stop_token stop) {
  Status fetched = from_.fetchBlob(
      repository_, blob_, [&](std::string_view bytes) { return put(bytes, stop); }, stop);
  const std::lock_guard lock(mutex_);
  ended_ = true;
  if (!fetched) {
    error_ = std::move(fetched).error();
  }
  changed_.notify_all();
}

Status BlobPipe::put(std::string_view bytes, std::stop_token stop) {
  std::unique_lock lock(mutex_);
  if (!changed_.wait(lock, stop, [this] { return buffer_.size() - offset_ < kCapacity; })) {
    return cancelled("the receiver is gone");
  }
  buffer_.erase(0, offset_);
  offset_ = 0;
  buffer_ += bytes;
  changed_.notify_all();
  return ok();
}

Result<std::size_t> BlobPipe::read(char* buffer, std::size_t size) {
  if (!fetcher_.joinable()) {
    CHECK_OK(rewind());
  }
  std::unique_lock lock(mutex_);
  if (!changed_.wait(lock, stop_, [this] { return ended_ || offset_ < buffer_.size(); })) {
    return cancelled("cancelled");
  }
  if (error_) {
    return *error_;
  }
  const std::size_t n = std::min(size, buffer_.size() - offset_);
  std::memcpy(buffer, buffer_.data() + offset_, n);
  offset_ += n;
  changed_.notify_all();
  return n;
}

std::optional<Error> BlobPipe::fetchError() {
  const std::lock_guard lock(mutex_);
  return error_;
}

}  // namespace stagewright::publish
