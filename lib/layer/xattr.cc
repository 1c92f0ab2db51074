#include "lib/layer/xattr.h"

#include <sys/xattr.h>

#include <cerrno>
#include <string_view>

namespace stagewright::layer {

namespace {

bool belongsToImage(std::string_view key) {
  return key != "security.selinux" && key != "security.ima" && key != "security.evm" &&
         !key.starts_with("trusted.") && !key.starts_with("user.overlay.") &&
         !key.starts_with("system.nfs4");
}

/// `list` and `get` are flistxattr and fgetxattr, or the path versions: sizes in, sizes or -1 out.
template <class List, class Get>
Result<Xattrs> collect(const std::string& name, List list, Get get) {
  const ssize_t size = list(nullptr, 0);
  if (size < 0) {
    const bool none = errno == ENOTSUP || errno == ENOENT || errno == ENOSYS;
    return none ? Result<Xattrs>(Xattrs{}) : systemError("list attributes", name, errno);
  }
  Xattrs out;
  if (size == 0) {
    return out;
  }
  std::string keys(static_cast<std::size_t>(size), '\0');
  const ssize_t got = list(keys.data(), keys.size());
  if (got < 0) {
    return systemError("list attributes", name, errno);
  }
  keys.resize(static_cast<std::size_t>(got));
  for (std::size_t begin = 0; begin < keys.size();) {
    const std::string key = keys.c_str() + begin;
    begin += key.size() + 1;
    if (!belongsToImage(key)) {
      continue;
    }
    std::string value(64 * 1024, '\0');  // the kernel's limit of one value
    const ssize_t n = get(key.c_str(), value.data(), value.size());
    if (n < 0) {
      if (errno == ENODATA || errno == EPERM || errno == EACCES || errno == ENOTSUP) {
        continue;
      }
      return systemError("read attribute " + key, name, errno);
    }
    value.resize(static_cast<std::size_t>(n));
    out[key] = std::move(value);
  }
  return out;
}

/// The l*xattr calls have no *at form; /proc/self/fd stands in for it.
std::string procPath(int dir, const std::string& name) {
  return "/proc/self/fd/" + std::to_string(dir) + "/" + name;
}

}  // namespace

Result<Xattrs> loadXattrs(int fd, const std::string& name) {
  return collect(
      name, [fd](char* b, std::size_t n) { return ::flistxattr(fd, b, n); },
      [fd](const char* key, char* b, std::size_t n) { return ::fgetxattr(fd, key, b, n); });
}

Result<Xattrs> loadXattrsAt(int dir, const std::string& name) {
  const std::string path = procPath(dir, name);
  return collect(
      name, [&path](char* b, std::size_t n) { return ::llistxattr(path.c_str(), b, n); },
      [&path](const char* key, char* b, std::size_t n) {
        return ::lgetxattr(path.c_str(), key, b, n);
      });
}

Status saveXattrAt(int dir, const std::string& name, const std::string& key,
                   const std::string& value) {
  if (::lsetxattr(procPath(dir, name).c_str(), key.c_str(), value.data(), value.size(), 0) != 0) {
    return systemError("set attribute " + key, name, errno);
  }
  return ok();
}

Status saveXattr(int fd, const std::string& name, const std::string& key,
                 const std::string& value) {
  if (::fsetxattr(fd, key.c_str(), value.data(), value.size(), 0) != 0) {
    return systemError("set attribute " + key, name, errno);
  }
  return ok();
}

}  // namespace stagewright::layer
