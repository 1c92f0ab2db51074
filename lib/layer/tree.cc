#include "lib/layer/tree.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "lib/base/file.h"

namespace stagewright::layer {

namespace {
Error exists(const std::string& path) {
  return conflict("create " + quoted("/" + path) + ": file exists");
}

timespec toTimespec(Timestamp t) {
  timespec out{};
  out.tv_sec = t.seconds;
  out.tv_nsec = static_cast<long>(t.nanos);
  return out;
}
}  // namespace

Result<Tree> Tree::open(const std::string& path, std::set<std::string> excluded,
                        std::set<std::string> volumes) {
  TRY(Root root, Root::open(path));
  Tree tree(std::move(root));
  tree.excluded_ = std::move(excluded);
  TRY(const FileStat st, statAt(tree.root_.fd(), ""));
  tree.mounts_.insert(st.mount);
  for (const std::string& volume : volumes) {
    TRY(const std::string resolved, tree.root_.resolve(volume));
    const auto mounted = tree.root_.stat(resolved);
    if (mounted && mounted->isDirectory()) {
      tree.volumes_.insert(resolved);
      tree.mounts_.insert(mounted->mount);
    }
  }
  tree.root_.restrictTo(tree.mounts_);
  return tree;
}

Result<std::string> Tree::resolve(std::string_view path, bool followLast) const {
  return root_.resolve(path, followLast);
}

Status Tree::allowed(const std::string& path) const {
  for (const std::string& ours : excluded_) {
    if (isAtOrBelow(path, ours)) {
      return denied("write " + quoted("/" + path) + ": the path belongs to the builder");
    }
  }
  return ok();
}

bool Tree::liesBelowMount(const std::string& path) const {
  for (std::string_view p = parentOf(path);; p = parentOf(p)) {
    const auto st = root_.stat(std::string(p));
    if (st) {
      return isForeign(*st);
    }
    if (p.empty()) {
      return false;
    }
  }
}

Result<Tree::Place> Tree::locate(const std::string& path) {
  Place place;
  place.name = baseOf(path);
  const std::string directory(parentOf(path));
  if (!cached_ || cachedPath_ != directory) {
    auto fd = root_.open(directory, O_PATH | O_DIRECTORY);
    if (!fd) {
      if (liesBelowMount(path)) {
        place.shadowed = true;
        return place;
      }
      return std::move(fd).error();
    }
    TRY(const FileStat st, statAt(fd->get(), ""));
    cached_ = std::make_shared<const Fd>(std::move(*fd));
    cachedPath_ = directory;
    cachedForeign_ = isForeign(st);
  }
  place.directory = cached_->get();
  place.shadowed = cachedForeign_;
  return place;
}

bool Tree::leafIsMount(const Place& place) const {
  const auto st = statAt(place.directory, place.name);
  return st && isForeign(*st) && !st->isDirectory();
}

bool Tree::isMounted(const std::string& path) {
  const auto st = root_.stat(path);
  return st ? isForeign(*st) : liesBelowMount(path);
}

void Tree::forget(const std::string& path) {
  if (isAtOrBelow(cachedPath_, path)) {
    cached_.reset();
    cachedPath_.clear();
  }
  if (isAtOrBelow(upperPath_, path)) {
    upperCached_.reset();
    upperPath_.clear();
  }
}

Result<FileStat> Tree::stat(const std::string& path) {
  if (const auto it = shadow_.find(path); it != shadow_.end()) {
    return it->second.stat;
  }
  if (path.empty()) {
    return statAt(root_.fd(), "");
  }
  TRY(const Place place, locate(path));
  if (place.shadowed) {
    return notFound("stat " + quoted("/" + path) + ": No such file or directory");
  }
  TRY(const FileStat st, statAt(place.directory, place.name));
  if (isForeign(st) && !st.isDirectory()) {
    return notFound("stat " + quoted("/" + path) + ": mounted by the runtime");
  }
  return st;
}

Result<std::string> Tree::readLink(const std::string& path) {
  if (const auto it = shadow_.find(path); it != shadow_.end()) {
    return it->second.link;
  }
  TRY(const Place place, locate(path));
  return readLinkAt(place.directory, place.name);
}

Result<Xattrs> Tree::xattrs(const std::string& path) {
  if (const auto it = shadow_.find(path); it != shadow_.end()) {
    return it->second.xattrs;
  }
  if (path.empty()) {
    return loadXattrs(root_.fd(), path);
  }
  TRY(const Place place, locate(path));
  return loadXattrsAt(place.directory, place.name);
}

Result<Fd> Tree::openFile(const std::string& path) {
  if (const auto it = shadow_.find(path); it != shadow_.end()) {
    Fd fd(::open(("/proc/self/fd/" + std::to_string(it->second.content.get())).c_str(),
                 O_RDONLY | O_CLOEXEC));
    if (!fd) {
      return systemError("open", "/" + path, errno);
    }
    return fd;
  }
  TRY(const Place place, locate(path));
  if (place.shadowed) {
    return notFound("open " + quoted("/" + path) + ": No such file or directory");
  }
  Fd fd(::openat(place.directory, place.name.c_str(),
                 O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
  return fd ? Result<Fd>(std::move(fd)) : systemError("open", "/" + path, errno);
}

Result<std::vector<std::string>> Tree::list(const std::string& path) {
  std::vector<std::string> names;
  const auto st = root_.stat(path);
  if (st && !isForeign(*st)) {
    TRY(const Fd fd, root_.openDirectory(path));
    TRY(names, listDirectory(fd.get(), path));
    if (path.empty() || !excluded_.empty()) {
      std::erase_if(
          names, [&](const std::string& name) { return excluded_.contains(joinPath(path, name)); });
    }
  }
  for (const auto& [name, node] : shadow_) {
    if (parentOf(name) == path) {
      names.emplace_back(baseOf(name));
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

ShadowNode& Tree::addShadow(const std::string& path, std::uint32_t mode) {
  ShadowNode& node = shadow_[path];
  node = ShadowNode{};
  node.stat.mode = mode;
  node.stat.nlink = 1;
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  node.stat.mtime = {now.tv_sec, static_cast<std::uint32_t>(now.tv_nsec)};
  touched_.insert(path);
  return node;
}

Result<Fd> Tree::makeFile(const std::string& path, std::uint32_t mode) {
  CHECK_OK(allowed(path));
  TRY(const Place place, locate(path));
  if (!place.shadowed) {
    Fd fd(::openat(place.directory, place.name.c_str(),
                   O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode & 07777));
    if (fd) {
      touched_.insert(path);
      return fd;
    }
    if (errno != EEXIST) {
      return systemError("create", "/" + path, errno);
    }
    if (!leafIsMount(place)) {
      return exists(path);
    }
  }
  ShadowNode& node = addShadow(path, S_IFREG | (mode & 07777));
  node.content = Fd(::memfd_create("shadow", MFD_CLOEXEC));
  Fd copy(::fcntl(node.content.get(), F_DUPFD_CLOEXEC, 0));
  if (!copy) {
    return systemError("create", "/" + path, errno);
  }
  return copy;
}

Result<std::shared_ptr<const Fd>> Tree::claimFile(const std::string& path, bool isFresh) {
  CHECK_OK(allowed(path));
  TRY(const Place place, locate(path));
  if (place.shadowed || (!isFresh && leafIsMount(place))) {
    return std::shared_ptr<const Fd>();
  }
  touched_.insert(path);
  if (!isFresh || !upper_) {
    return cached_;
  }
  const std::string directory(parentOf(path));
  if (!upperCached_ || upperPath_ != directory) {
    TRY(Fd fd, upper_->open(directory, O_PATH | O_DIRECTORY));
    upperCached_ = std::make_shared<const Fd>(std::move(fd));
    upperPath_ = directory;
  }
  return upperCached_;
}

Status Tree::makeDirectory(const std::string& path, std::uint32_t mode) {
  CHECK_OK(allowed(path));
  TRY(const Place place, locate(path));
  if (place.shadowed) {
    addShadow(path, S_IFDIR | (mode & 07777));
    return ok();
  }
  if (::mkdirat(place.directory, place.name.c_str(), mode & 07777) != 0) {
    return errno == EEXIST ? exists(path) : systemError("mkdir", "/" + path, errno);
  }
  touched_.insert(path);
  return ok();
}

Status Tree::makeSymlink(const std::string& path, const std::string& target) {
  CHECK_OK(allowed(path));
  TRY(const Place place, locate(path));
  if (!place.shadowed) {
    if (::symlinkat(target.c_str(), place.directory, place.name.c_str()) == 0) {
      touched_.insert(path);
      return ok();
    }
    if (errno != EEXIST) {
      return systemError("symlink", "/" + path, errno);
    }
    if (!leafIsMount(place)) {
      return exists(path);
    }
  }
  addShadow(path, S_IFLNK | 0777).link = target;
  return ok();
}

Status Tree::makeLink(const std::string& path, const std::string& existing) {
  CHECK_OK(allowed(path));
  if (shadow_.contains(existing) || isMounted(path)) {
    return denied("link " + quoted("/" + path) + ": a hard link cannot cross a mount");
  }
  TRY(const Fd from, root_.open(std::string(parentOf(existing)), O_PATH | O_DIRECTORY));
  TRY(const Place place, locate(path));
  if (::linkat(from.get(), std::string(baseOf(existing)).c_str(), place.directory,
               place.name.c_str(), 0) != 0) {
    return errno == EEXIST ? exists(path) : systemError("link", "/" + path, errno);
  }
  touched_.insert(path);
  return ok();
}

Status Tree::makeNode(const std::string& path, std::uint32_t mode, std::uint32_t major,
                      std::uint32_t minor) {
  CHECK_OK(allowed(path));
  TRY(const Place place, locate(path));
  if (!place.shadowed) {
    if (::mknodat(place.directory, place.name.c_str(), mode, makedev(major, minor)) == 0) {
      touched_.insert(path);
      return ok();
    }
    const int error = errno;
    const bool mayNot = error == EPERM && (S_ISCHR(mode) || S_ISBLK(mode));
    if (error == EEXIST && !leafIsMount(place)) {
      return exists(path);
    }
    if (error != EEXIST && !mayNot) {
      return systemError("mknod", "/" + path, error);
    }
  }
  ShadowNode& node = addShadow(path, mode);
  node.stat.major = major;
  node.stat.minor = minor;
  return ok();
}

Status Tree::setShadowMetadata(ShadowNode& node, const Metadata& metadata) {
  if (metadata.uid) {
    node.stat.uid = *metadata.uid;
    node.stat.gid = metadata.gid.value_or(node.stat.gid);
  }
  if (metadata.mode && !node.stat.isSymlink()) {
    node.stat.mode = (node.stat.mode & ~07777u) | (*metadata.mode & 07777);
  }
  node.stat.mtime = metadata.mtime.value_or(node.stat.mtime);
  for (const auto& [key, value] : metadata.xattrs) {
    node.xattrs[key] = value;
  }
  return ok();
}

Status Tree::setMetadata(const std::string& path, const Metadata& metadata) {
  CHECK_OK(allowed(path));
  if (const auto it = shadow_.find(path); it != shadow_.end()) {
    touched_.insert(path);
    return setShadowMetadata(it->second, metadata);
  }
  // The root has no name of its own: "." from its own descriptor.
  Place place{root_.fd(), ".", false};
  if (!path.empty()) {
    TRY(place, locate(path));
  }
  TRY(const FileStat st, statAt(place.directory, place.name));
  if (place.shadowed || isForeign(st)) {
    return ok();  // a mount point's own owner, mode and time are the runtime's
  }
  const char* name = place.name.c_str();
  if (metadata.uid && ::fchownat(place.directory, name, *metadata.uid,
                                 metadata.gid.value_or(st.gid), AT_SYMLINK_NOFOLLOW) != 0) {
    return systemError("chown", "/" + path, errno);
  }
  // After the owner: chown clears setuid and setgid.
  if (metadata.mode && !st.isSymlink() &&
      ::fchmodat(place.directory, name, *metadata.mode & 07777, 0) != 0) {
    return systemError("chmod", "/" + path, errno);
  }
  for (const auto& [key, value] : metadata.xattrs) {
    const Status set = saveXattrAt(place.directory, place.name, key, value);
    if (!set && metadata.strictXattrs) {
      return set;
    }
  }
  if (metadata.mtime) {
    const timespec times[2] = {toTimespec(*metadata.mtime), toTimespec(*metadata.mtime)};
    if (::utimensat(place.directory, name, times, AT_SYMLINK_NOFOLLOW) != 0) {
      return systemError("set time of", "/" + path, errno);
    }
  }
  if (metadata.uid || metadata.mode || !metadata.xattrs.empty()) {
    touched_.insert(path);
  }
  return ok();
}

Status Tree::remove(const std::string& path) {
  CHECK_OK(allowed(path));
  if (path.empty()) {
    return denied("remove \"/\": it is the root");
  }
  std::erase_if(shadow_, [&](const auto& entry) { return isAtOrBelow(entry.first, path); });
  forget(path);
  auto place = locate(path);
  if (!place) {
    return place.error().code == Code::kNotFound ? ok() : Status(place.error());
  }
  if (place->shadowed || isMounted(path)) {
    return ok();
  }
  return removeTree(place->directory, place->name);
}

Status Tree::shadowFile(const std::string& path, const FileStat& stat, std::string_view content) {
  ShadowNode& node = addShadow(path, S_IFREG | stat.permissions());
  node.stat.uid = stat.uid;
  node.stat.gid = stat.gid;
  node.stat.mtime = stat.mtime;
  node.stat.size = static_cast<std::int64_t>(content.size());
  node.content = Fd(::memfd_create("shadow", MFD_CLOEXEC));
  if (!node.content) {
    return systemError("create", "/" + path, errno);
  }
  return writeAll(node.content.get(), content, path);
}

}  // namespace stagewright::layer
