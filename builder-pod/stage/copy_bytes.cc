#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include "builder-pod/stage/copy_crew.h"
#include "lib/base/file.h"

namespace stagewright::stage {

namespace {

constexpr std::int64_t kSmall = 64 * 1024;
constexpr std::int64_t kBuffer = 256 * 1024;
/// From this size on hashing is worth a thread of its own.
constexpr std::int64_t kLarge = 4 * 1024 * 1024;

Result<std::size_t> readAt(int fd, char* buffer, std::int64_t want, std::int64_t at,
                           const std::string& name) {
  for (;;) {
    const ssize_t n = ::pread(fd, buffer, static_cast<std::size_t>(want), at);
    if (n > 0) {
      return static_cast<std::size_t>(n);
    }
    if (n == 0) {
      return unavailable("read " + quoted(name) + ": the file shrank");
    }
    if (errno != EINTR) {
      return systemError("read", name, errno);
    }
  }
}

Status writeAt(int fd, std::string_view bytes, std::int64_t at, const std::string& name) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), at);
    if (n < 0 && errno != EINTR) {
      return systemError("write", name, errno);
    }
    const auto done = static_cast<std::size_t>(std::max<ssize_t>(n, 0));
    bytes.remove_prefix(done);
    at += static_cast<std::int64_t>(done);
  }
  return ok();
}

/// One stretch of data through `buffer`.
Status copyByHand(int from, std::int64_t at, std::int64_t end, int to, std::int64_t toAt,
                  const std::string& name, char* buffer, std::int64_t room, Sha256* hash) {
  while (at < end) {
    TRY(const std::size_t n, readAt(from, buffer, std::min(end - at, room), at, name));
    const std::string_view bytes(buffer, n);
    if (hash != nullptr) {
      hash->update(bytes);
    }
    CHECK_OK(writeAt(to, bytes, toAt, name));
    at += static_cast<std::int64_t>(n);
    toAt += static_cast<std::int64_t>(n);
  }
  return ok();
}

/// One stretch of data, by the kernel if it can (old kernels and pairs of file systems cannot).
Status copyStretch(int from, std::int64_t at, std::int64_t end, int to, std::int64_t toAt,
                   const std::string& name) {
  while (at < end) {
    off64_t in = at;
    off64_t out = toAt;
    const ssize_t n = ::copy_file_range(from, &in, to, &out, static_cast<std::size_t>(end - at), 0);
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n <= 0) {
      std::string buffer(static_cast<std::size_t>(std::min(end - at, kBuffer)), '\0');
      return copyByHand(from, at, end, to, toAt, name, buffer.data(),
                        static_cast<std::int64_t>(buffer.size()), nullptr);
    }
    at += n;
    toAt += n;
  }
  return ok();
}

Status copyStretches(const Content& content, int fd, const std::string& name) {
  const std::int64_t end = content.offset + content.size;
  for (std::int64_t at = content.offset; at < end;) {
    std::int64_t begin = content.mayHaveHoles ? ::lseek(content.fd, at, SEEK_DATA) : at;
    if (begin < 0) {
      begin = errno == ENXIO ? end : at;
    }
    begin = std::min(begin, end);
    std::int64_t stop =
        content.mayHaveHoles && begin < end ? ::lseek(content.fd, begin, SEEK_HOLE) : end;
    stop = stop < 0 ? end : std::min(stop, end);
    CHECK_OK(copyStretch(content.fd, begin, stop, fd, begin - content.offset, name));
    at = std::max(stop, begin);
  }
  // A hole at the end is made by the length alone.
  if (content.mayHaveHoles && ::ftruncate(fd, content.size) != 0) {
    return systemError("truncate", name, errno);
  }
  return ok();
}

Status hashBytes(const Content& content, const std::string& name, Sha256& hash) {
  const std::int64_t end = content.offset + content.size;
  std::string buffer(static_cast<std::size_t>(std::clamp<std::int64_t>(content.size, 1, kBuffer)), '\0');
  for (std::int64_t at = content.offset; at < end;) {
    const std::int64_t want = std::min(end - at, static_cast<std::int64_t>(buffer.size()));
    TRY(const std::size_t n, readAt(content.fd, buffer.data(), want, at, name));
    hash.update(buffer.data(), n);
    at += static_cast<std::int64_t>(n);
  }
  return ok();
}

/// Hashing beside copying; the second reader finds the pages in memory.
Status copyLarge(const Content& content, int fd, const std::string& name, Sha256& hash) {
  Status hashed;
  {
    const std::jthread hasher([&] { hashed = hashBytes(content, name, hash); });
    CHECK_OK(copyStretches(content, fd, name));
  }
  return hashed;
}

}  // namespace

Status copyBytes(const Content& content, int fd, const std::string& name, Sha256* hash) {
  if (!content.mayHaveHoles && content.size <= kSmall) {
    char buffer[kSmall];
    return copyByHand(content.fd, content.offset, content.offset + content.size, fd, 0, name, buffer,
                      sizeof buffer, hash);
  }
  if (hash != nullptr && content.size >= kLarge) {
    return copyLarge(content, fd, name, *hash);
  }
  if (hash != nullptr) {
    CHECK_OK(hashBytes(content, name, *hash));
  }
  return copyStretches(content, fd, name);
}

}  // namespace stagewright::stage
