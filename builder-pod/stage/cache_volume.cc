#include "builder-pod/stage/cache_volume.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/layer/root.h"

namespace stagewright::stage {

namespace {

constexpr int kPrivateCopies = 64;
constexpr int kPollMillis = 100;

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

/// Waits for the lock without being deaf to a stop.
Status awaitLock(int fd, int kind, const std::string& name, const Stop* stop) {
  while (::flock(fd, kind | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) {
      return systemError("lock", name, errno);
    }
    pollfd p{stop == nullptr ? -1 : stop->fd(), POLLIN, 0};
    if (::poll(&p, 1, kPollMillis) > 0) {
      return cancelled("stopped while waiting for cache " + name);
    }
  }
  return ok();
}

}  // namespace

bool isCacheVolume(const std::string& volume) { return exists(volume); }

Result<Fd> CacheVolume::openLock(const std::string& directory) const {
  const std::string path = directory + ".lock";
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  return fd ? Result<Fd>(std::move(fd)) : systemError("open", path, errno);
}

/// Made beside it and renamed: whoever comes second at the same time loses his.
Status CacheVolume::makeIfAbsent(const std::string& directory, const Maker& make) const {
  if (exists(directory)) {
    return ok();
  }
  const std::string made = directory + ".new-" + toHex(randomBytes(6));
  CHECK_OK(make(made));
  if (::rename(made.c_str(), directory.c_str()) == 0) {
    return ok();
  }
  if (errno != EEXIST && errno != ENOTEMPTY) {
    return systemError("rename", made, errno);
  }
  TRY(const Fd parent, openDirectory(volume_));
  return layer::removeTree(parent.get(), made.substr(made.rfind('/') + 1));
}

Result<std::string> CacheVolume::take(const std::string& name, const plan::Mount& mount,
                                      const Maker& make, const Stop* stop) {
  if (const auto known = taken_.find(name); known != taken_.end()) {
    return known->second;  // a lock of our own would wait for us
  }
  const bool isPrivate = mount.sharing == "private";
  for (int copy = 0; copy < (isPrivate ? kPrivateCopies : 1); ++copy) {
    const std::string directory =
        volume_ + "/" + name + (copy == 0 ? "" : "-" + std::to_string(copy));
    TRY(Fd lock, openLock(directory));
    if (!isPrivate) {
      CHECK_OK(awaitLock(lock.get(), mount.sharing == "locked" ? LOCK_EX : LOCK_SH,
                         quoted(mount.id, 128), stop));
    } else if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
      continue;
    }
    CHECK_OK(makeIfAbsent(directory, make));
    locks_.push_back(std::move(lock));
    taken_[name] = directory;
    return directory;
  }
  return unavailable("cache " + quoted(mount.id, 128) + ": all private copies are in use");
}

}  // namespace stagewright::stage
