#include "lib/layer/root.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "lib/base/file.h"

namespace stagewright::layer {

namespace {
constexpr int kMaxLinks = 255;

Timestamp toTimestamp(const statx_timestamp& t) { return {t.tv_sec, t.tv_nsec}; }

FileStat toFileStat(const struct statx& st) {
  FileStat out;
  out.mode = st.stx_mode;
  out.uid = st.stx_uid;
  out.gid = st.stx_gid;
  out.nlink = st.stx_nlink;
  out.inode = st.stx_ino;
  out.size = static_cast<std::int64_t>(st.stx_size);
  out.blocks = static_cast<std::int64_t>(st.stx_blocks);
  out.mtime = toTimestamp(st.stx_mtime);
  out.ctime = toTimestamp(st.stx_ctime);
  out.major = st.stx_rdev_major;
  out.minor = st.stx_rdev_minor;
  out.mount = (st.stx_mask & STATX_MNT_ID) != 0 ? st.stx_mnt_id : 0;
  return out;
}
}  // namespace

Result<FileStat> statAt(int dir, const std::string& name) {
  struct statx st {};
  const int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_SYNC_AS_STAT |
                    (name.empty() ? AT_EMPTY_PATH : 0);
  if (::statx(dir, name.c_str(), flags, STATX_BASIC_STATS | STATX_MNT_ID, &st) != 0) {
    return systemError("stat", name, errno);
  }
  return toFileStat(st);
}

Result<FileStat> statOpen(int fd, const std::string& name) {
  struct statx st {};
  if (::statx(fd, "", AT_EMPTY_PATH | AT_STATX_SYNC_AS_STAT, STATX_BASIC_STATS | STATX_MNT_ID,
              &st) != 0) {
    return systemError("stat", name, errno);
  }
  return toFileStat(st);
}

Result<std::string> readLinkAt(int dir, const std::string& name) {
  char buffer[4097];
  const ssize_t n = ::readlinkat(dir, name.c_str(), buffer, sizeof buffer);
  if (n < 0) {
    return systemError("readlink", name, errno);
  }
  return std::string(buffer, static_cast<std::size_t>(n));
}

Result<std::vector<std::string>> listDirectory(int dir, const std::string& name) {
  if (::lseek(dir, 0, SEEK_SET) < 0) {
    return systemError("rewind directory", name, errno);
  }
  std::vector<std::string> names;
  alignas(dirent64) char buffer[32 * 1024];
  for (;;) {
    const ssize_t n = ::getdents64(dir, buffer, sizeof buffer);
    if (n < 0) {
      return systemError("read directory", name, errno);
    }
    if (n == 0) {
      break;
    }
    for (ssize_t at = 0; at < n;) {
      const auto* entry = reinterpret_cast<const dirent64*>(buffer + at);
      at += entry->d_reclen;
      if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0) {
        names.emplace_back(entry->d_name);
      }
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string joinPath(std::string_view directory, std::string_view name) {
  if (directory.empty()) {
    return std::string(name);
  }
  if (name.empty()) {
    return std::string(directory);
  }
  std::string out;
  out.reserve(directory.size() + 1 + name.size());
  out.append(directory).append(1, '/').append(name);
  return out;
}

std::string_view parentOf(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string_view baseOf(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string cleanPath(std::string_view path) {
  std::string out;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    begin = end + 1;
    if (part.empty() || part == ".") {
      continue;
    }
    if (part == "..") {
      out = std::string(parentOf(out));
      continue;
    }
    out = joinPath(out, part);
  }
  return out;
}

bool isAtOrBelow(std::string_view path, std::string_view ancestor) {
  return ancestor.empty() || path == ancestor ||
         (path.size() > ancestor.size() && path.starts_with(ancestor) &&
          path[ancestor.size()] == '/');
}

Result<Root> Root::open(const std::string& path) {
  TRY(Fd fd, stagewright::openDirectory(path));
  return Root(std::move(fd));
}

Result<Fd> Root::open(const std::string& path, int flags, unsigned mode) const {
  return openBeneath(fd_.get(), path.empty() ? "." : path, flags, mode);
}

Result<Fd> Root::openDirectory(const std::string& path) const {
  return open(path, O_RDONLY | O_DIRECTORY);
}

Result<FileStat> Root::stat(const std::string& path) const {
  if (path.find('/') == std::string::npos) {
    return statAt(fd_.get(), path);
  }
  TRY(const Fd parent, open(std::string(parentOf(path)), O_PATH | O_DIRECTORY));
  return statAt(parent.get(), std::string(baseOf(path)));
}

Result<std::string> Root::readLink(const std::string& path) const {
  TRY(const Fd parent, open(std::string(parentOf(path)), O_PATH | O_DIRECTORY));
  return readLinkAt(parent.get(), std::string(baseOf(path)));
}

Result<std::string> Root::resolve(std::string_view path, bool followLast) const {
  // `todo` are the parts still to walk, in reverse; `done` is free of links.
  std::vector<std::string> todo;
  const auto push = [&todo](std::string_view text) {
    std::vector<std::string> parts;
    for (std::size_t begin = 0; begin <= text.size();) {
      const std::size_t end = std::min(text.find('/', begin), text.size());
      if (end > begin) {
        parts.emplace_back(text.substr(begin, end - begin));
      }
      begin = end + 1;
    }
    todo.insert(todo.end(), parts.rbegin(), parts.rend());
  };
  // The user's path is cleaned before links are followed, as filepath.Join does; a link's target is
  // not.
  push(cleanPath(path));
  std::string done;
  int links = 0;
  while (!todo.empty()) {
    const std::string part = std::move(todo.back());
    todo.pop_back();
    if (part == ".") {
      continue;
    }
    if (part == "..") {
      done = std::string(parentOf(done));
      continue;
    }
    std::string next = joinPath(done, part);
    const auto st = stat(next);
    const bool ours = st && (mounts_.empty() || mounts_.contains(st->mount));
    if (ours && st->isSymlink() && (followLast || !todo.empty())) {
      if (++links > kMaxLinks) {
        return invalid("resolve " + quoted(path) + ": too many links");
      }
      TRY(const std::string target, readLink(next));
      if (target.starts_with('/')) {
        done.clear();
      }
      push(target);
      continue;
    }
    done = std::move(next);
  }
  return done;
}

namespace {
Status removeBelow(int dir, const std::string& name, std::uint64_t mount) {
  if (::unlinkat(dir, name.c_str(), 0) == 0 || errno == ENOENT) {
    return ok();
  }
  if (errno != EISDIR && errno != EPERM) {
    return systemError("remove", name, errno);
  }
  TRY(const FileStat st, statAt(dir, name));
  if (!st.isDirectory() || st.mount != mount) {
    return systemError("remove", name, st.isDirectory() ? EBUSY : EPERM);
  }
  {
    TRY(const Fd sub, openBeneath(dir, name, O_RDONLY | O_DIRECTORY));
    TRY(const std::vector<std::string> names, listDirectory(sub.get(), name));
    for (const std::string& child : names) {
      CHECK_OK(removeBelow(sub.get(), child, mount));
    }
  }
  if (::unlinkat(dir, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
    return systemError("remove", name, errno);
  }
  return ok();
}
}  // namespace

Status removeTree(int dir, const std::string& name) {
  TRY(const FileStat parent, statAt(dir, ""));
  return removeBelow(dir, name, parent.mount);
}

}  // namespace stagewright::layer
