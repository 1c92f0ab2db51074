#include "lib/layer/stream.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "lib/base/file.h"

namespace stagewright::layer {

namespace {
constexpr std::size_t kStreamBuffer = 256 * 1024;
}  // namespace

HashingFileSink::HashingFileSink(int fd, std::string name) : fd_(fd), name_(std::move(name)) {
  buffer_.reserve(kStreamBuffer);
}

Status HashingFileSink::write(std::string_view bytes) {
  hash_.update(bytes);
  size_ += static_cast<std::int64_t>(bytes.size());
  if (buffer_.size() + bytes.size() > kStreamBuffer) {
    CHECK_OK(writeAll(fd_, buffer_, name_));
    buffer_.clear();
  }
  if (bytes.size() >= kStreamBuffer) {
    return writeAll(fd_, bytes, name_);
  }
  buffer_.append(bytes);
  return ok();
}

Status HashingFileSink::finish() {
  CHECK_OK(writeAll(fd_, buffer_, name_));
  buffer_.clear();
  return ok();
}

Status StringSink::write(std::string_view bytes) {
  bytes_.append(bytes);
  return ok();
}

Result<std::size_t> FileSource::read(char* buffer, std::size_t size) {
  for (;;) {
    const ssize_t n = ::read(fd_, buffer, size);
    if (n >= 0) {
      return static_cast<std::size_t>(n);
    }
    if (errno != EINTR) {
      return systemError("read", name_, errno);
    }
  }
}

RangeSource::RangeSource(int fd, std::int64_t offset, std::int64_t length, std::string name)
    : fd_(fd), offset_(offset), left_(length), name_(std::move(name)) {}

Result<std::size_t> RangeSource::read(char* buffer, std::size_t size) {
  const auto want =
      static_cast<std::size_t>(std::min<std::int64_t>(left_, static_cast<std::int64_t>(size)));
  if (want == 0) {
    return std::size_t{0};
  }
  for (;;) {
    const ssize_t n = ::pread(fd_, buffer, want, offset_);
    if (n > 0) {
      offset_ += n;
      left_ -= n;
      return static_cast<std::size_t>(n);
    }
    if (n == 0) {
      return invalid("read " + quoted(name_) + ": shorter than expected");
    }
    if (errno != EINTR) {
      return systemError("read", name_, errno);
    }
  }
}

Result<std::size_t> StringSource::read(char* buffer, std::size_t size) {
  const std::size_t n = std::min(size, bytes_.size());
  std::memcpy(buffer, bytes_.data(), n);
  bytes_.remove_prefix(n);
  return n;
}

Result<std::size_t> HashingSource::read(char* buffer, std::size_t size) {
  TRY(const std::size_t n, source_.read(buffer, size));
  hash_.update(buffer, n);
  size_ += static_cast<std::int64_t>(n);
  return n;
}

Status HashingSource::drain() {
  std::string buffer(64 * 1024, '\0');
  for (;;) {
    TRY(const std::size_t n, read(buffer.data(), buffer.size()));
    if (n == 0) {
      return ok();
    }
  }
}

Result<std::size_t> readFully(ByteSource& source, char* buffer, std::size_t size) {
  std::size_t filled = 0;
  while (filled < size) {
    TRY(const std::size_t n, source.read(buffer + filled, size - filled));
    if (n == 0) {
      break;
    }
    filled += n;
  }
  return filled;
}

}  // namespace stagewright::layer
