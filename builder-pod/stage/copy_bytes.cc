#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "builder-pod/stage/copy_engine.h"
#include "lib/base/file.h"

namespace stagewright::stage {

namespace {

Status copyByHand(int from, std::int64_t at, std::int64_t end, int to, std::int64_t toAt,
                  const std::string& name) {
  std::string buffer(static_cast<std::size_t>(std::clamp<std::int64_t>(end - at, 1, 256 * 1024)),
                     '\0');
  while (at < end) {
    const auto want = static_cast<std::size_t>(
        std::min<std::int64_t>(end - at, static_cast<std::int64_t>(buffer.size())));
    const ssize_t n = ::pread(from, buffer.data(), want, at);
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n <= 0) {
      return n == 0 ? unavailable("read " + quoted(name) + ": the file shrank")
                    : systemError("read", name, errno);
    }
    for (ssize_t done = 0; done < n;) {
      const ssize_t w =
          ::pwrite(to, buffer.data() + done, static_cast<std::size_t>(n - done), toAt + done);
      if (w < 0 && errno != EINTR) {
        return systemError("write", name, errno);
      }
      done += w > 0 ? w : 0;
    }
    at += n;
    toAt += n;
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
      return copyByHand(from, at, end, to, toAt, name);
    }
    at += n;
    toAt += n;
  }
  return ok();
}

}  // namespace

Status copyBytes(const Content& content, int fd, const std::string& name) {
  const std::int64_t end = content.offset + content.size;
  for (std::int64_t at = content.offset; at < end;) {
    std::int64_t begin = ::lseek(content.fd, at, SEEK_DATA);
    if (begin < 0) {
      begin = errno == ENXIO ? end : at;
    }
    begin = std::min(begin, end);
    std::int64_t stop = begin < end ? ::lseek(content.fd, begin, SEEK_HOLE) : end;
    stop = stop < 0 ? end : std::min(stop, end);
    CHECK_OK(copyStretch(content.fd, begin, stop, fd, begin - content.offset, name));
    at = std::max(stop, begin);
  }
  // A hole at the end is made by the length alone.
  if (::ftruncate(fd, content.size) != 0) {
    return systemError("truncate", name, errno);
  }
  return ok();
}

}  // namespace stagewright::stage
