#include "lib/base/file.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace stagewright {

namespace {
Result<std::string> readAll(int fd, const std::string& name, std::size_t limit) {
  std::string out;
  char buffer[65536];
  for (;;) {
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n < 0) {
      if (errno == EINTR) {
        continue;
      }
      return systemError("read", name, errno);
    }
    if (n == 0) {
      return out;
    }
    if (out.size() + static_cast<std::size_t>(n) > limit) {
      return invalid("read " + quoted(name) + ": larger than " + std::to_string(limit) + " bytes");
    }
    out.append(buffer, static_cast<std::size_t>(n));
  }
}

std::string directoryOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}
}  // namespace

Result<std::string> loadFile(const std::string& path, std::size_t limit) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    return systemError("open", path, errno);
  }
  return readAll(fd.get(), path, limit);
}

Status saveFileAtomically(const std::string& path, std::string_view bytes, unsigned mode) {
  const std::string temporary = path + ".tmp";
  // A leftover of an earlier crash, or something planted: never write through it.
  ::unlink(temporary.c_str());
  {
    const Fd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
    if (!fd) {
      return systemError("create", temporary, errno);
    }
    if (::fchmod(fd.get(), mode) != 0) {  // open() applied the umask
      return systemError("chmod", temporary, errno);
    }
    CHECK_OK(writeAll(fd.get(), bytes, temporary));
    if (::fsync(fd.get()) != 0) {
      return systemError("fsync", temporary, errno);
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    return systemError("rename", temporary, errno);
  }
  const Fd dir(::open(directoryOf(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (dir) {
    ::fsync(dir.get());
  }
  return ok();
}

Result<Fd> openBeneath(int dir, const std::string& path, int flags, unsigned mode) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  for (int tries = 0;; ++tries) {
    const long fd = ::syscall(SYS_openat2, dir, path.c_str(), &how, sizeof how);
    if (fd >= 0) {
      return Fd(static_cast<int>(fd));
    }
    if (errno == EINTR || (errno == EAGAIN && tries < 10)) {
      continue;  // EAGAIN: a rename raced with the lookup
    }
    if (errno == ELOOP || errno == EXDEV) {
      return denied("open " + quoted(path) + ": leaves its directory or goes through a symbolic link");
    }
    return systemError("open", path, errno);
  }
}

Result<std::string> loadFileBeneath(int dir, const std::string& path, std::size_t limit) {
  TRY(const Fd fd, openBeneath(dir, path, O_RDONLY | O_NONBLOCK));
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) {
    return systemError("fstat", path, errno);
  }
  if (!S_ISREG(st.st_mode)) {
    return denied("open " + quoted(path) + ": not a regular file");
  }
  return readAll(fd.get(), path, limit);
}

Result<Fd> openDirectory(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) {
    return systemError("open directory", path, errno);
  }
  return fd;
}

Status makeDirectories(const std::string& path, unsigned mode) {
  for (std::size_t i = 1; i <= path.size(); ++i) {
    if (i != path.size() && path[i] != '/') {
      continue;
    }
    const std::string part = path.substr(0, i);
    if (::mkdir(part.c_str(), mode) != 0 && errno != EEXIST) {
      return systemError("mkdir", part, errno);
    }
  }
  return ok();
}

Status writeAll(int fd, std::string_view bytes, std::string_view name) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0) {
      if (errno == EINTR) {
        continue;
      }
      return systemError("write", name, errno);
    }
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return ok();
}

}  // namespace stagewright
