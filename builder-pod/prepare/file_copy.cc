#include "builder-pod/prepare/file_copy.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "lib/base/fd.h"
#include "lib/base/file.h"

namespace stagewright::prepare {

namespace {

/// Bytes [offset, offset + size) by read and write, for file systems between which copy_file_range
/// does not work.
Status copyByBuffer(int in, int out, off_t offset, off_t size, const std::string& name) {
  std::vector<char> buffer(1024 * 1024);
  while (size > 0) {
    const std::size_t want = std::min(buffer.size(), static_cast<std::size_t>(size));
    const ssize_t n = ::pread(in, buffer.data(), want, offset);
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n <= 0) {
      return n == 0 ? ok() : systemError("read", name, errno);
    }
    if (::lseek(out, offset, SEEK_SET) < 0) {
      return systemError("seek", name, errno);
    }
    CHECK_OK(writeAll(out, {buffer.data(), static_cast<std::size_t>(n)}, name));
    offset += n;
    size -= n;
  }
  return ok();
}

Status copyRange(int in, int out, off_t offset, off_t size, const std::string& name) {
  while (size > 0) {
    off_t inOffset = offset;
    off_t outOffset = offset;
    const ssize_t n =
        ::copy_file_range(in, &inOffset, out, &outOffset, static_cast<std::size_t>(size), 0);
    if (n < 0) {
      // EXDEV, EINVAL, ENOSYS, EOPNOTSUPP: not for these two files. Anything else shows again in
      // the slow way.
      return copyByBuffer(in, out, offset, size, name);
    }
    if (n == 0) {
      return ok();  // the file became shorter
    }
    offset += n;
    size -= n;
  }
  return ok();
}

Status copyData(int in, int out, off_t size, const std::string& name) {
  off_t offset = 0;
  while (offset < size) {
    const off_t data = ::lseek(in, offset, SEEK_DATA);
    if (data < 0 && errno == ENXIO) {
      break;  // a hole up to the end
    }
    const off_t start = data < 0 ? offset : data;
    const off_t hole = ::lseek(in, start, SEEK_HOLE);
    const off_t end = hole < 0 ? size : hole;
    CHECK_OK(copyRange(in, out, start, end - start, name));
    offset = end;
  }
  return ::ftruncate(out, size) == 0 ? ok() : systemError("truncate", name, errno);
}

}  // namespace

Status copyFile(int from, int to, const std::string& path, const struct stat& st) {
  TRY(const Fd in, openBeneath(from, path, O_RDONLY | O_NONBLOCK));
  TRY(const Fd out, openBeneath(to, path, O_WRONLY | O_CREAT | O_EXCL, 0600));
  if (::ioctl(out.get(), FICLONE, in.get()) != 0) {
    CHECK_OK(copyData(in.get(), out.get(), st.st_size, path));
  }
  return ::fchmod(out.get(), st.st_mode & 07777) == 0 ? ok() : systemError("chmod", path, errno);
}

}  // namespace stagewright::prepare
