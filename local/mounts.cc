#include "local/mounts.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "lib/base/fd.h"
#include "local/rootless.h"

namespace stagewright::local {

namespace {

// glibc 2.36 declares these, older ones do not; the numbers are the same on all architectures.
int fsOpen(const char* type) { return static_cast<int>(::syscall(SYS_fsopen, type, 1u /* FSOPEN_CLOEXEC */)); }

int fsConfig(int fd, unsigned command, const char* key, const char* value) {
  return static_cast<int>(::syscall(SYS_fsconfig, fd, command, key, value, 0));
}

constexpr unsigned kSetFlag = 0;
constexpr unsigned kSetString = 1;
constexpr unsigned kCreate = 6;
constexpr unsigned kAttrReadOnly = 0x1;
constexpr unsigned kAttrNoDevices = 0x4;

/// One overlay being configured; the first failure is kept.
class Configuration {
 public:
  explicit Configuration(int fd) : fd_(fd) {}
  void set(const char* key, const std::string& value) { note(fsConfig(fd_, kSetString, key, value.c_str()), key); }
  void flag(const char* key) { note(fsConfig(fd_, kSetFlag, key, nullptr), key); }
  void create() { note(fsConfig(fd_, kCreate, nullptr, nullptr), "create"); }
  Status status() const { return error_ == 0 ? ok() : Status(systemError("fsconfig overlay", what_, error_)); }

 private:
  void note(int result, const char* what) {
    if (result != 0 && error_ == 0) {
      error_ = errno;
      what_ = what;
    }
  }
  int fd_;
  int error_ = 0;
  std::string what_;
};

}  // namespace

Status enterPrivateMounts() {
  if (::unshare(CLONE_NEWNS) != 0) {
    return systemError("unshare", "mount namespace", errno);
  }
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return systemError("mount", "/ as private", errno);
  }
  return ok();
}

Mounted& Mounted::operator=(Mounted&& other) noexcept {
  if (this != &other) {
    unmount();
    path_ = std::exchange(other.path_, {});
  }
  return *this;
}

void Mounted::unmount() {
  if (!path_.empty()) {
    static_cast<void>(::umount2(path_.c_str(), MNT_DETACH));
    path_.clear();
  }
}

Result<Mounted> mountOverlay(const OverlayLayers& layers, const std::string& target) {
  const Fd fs(fsOpen("overlay"));
  if (!fs) {
    return systemError("fsopen", "overlay", errno);
  }
  Configuration configuration(fs.get());
  for (const std::string& lower : layers.lowers) {
    configuration.set("lowerdir+", lower);  // one at a time: a single option holds 256 bytes
  }
  // What differs between machines by default is said: a layer is the upper directory, nothing else.
  configuration.set("index", "off");
  // "off" would mean "follow" on most machines, which does not go with userxattr.
  configuration.set("redirect_dir", isRootless() ? "nofollow" : "off");
  configuration.set("metacopy", "off");
  if (isRootless()) {
    configuration.flag("userxattr");  // trusted attributes are root's
  }
  if (!layers.upper.empty()) {
    configuration.set("upperdir", layers.upper);
    configuration.set("workdir", layers.work);
    configuration.flag("volatile");
  }
  configuration.create();
  CHECK_OK(configuration.status());
  const unsigned attributes = kAttrNoDevices | (layers.upper.empty() ? kAttrReadOnly : 0u);
  const Fd mount(static_cast<int>(::syscall(SYS_fsmount, fs.get(), 1u /* FSMOUNT_CLOEXEC */, attributes)));
  if (!mount) {
    return systemError("fsmount", "overlay", errno);
  }
  constexpr unsigned kEmptyPath = 4;  // MOVE_MOUNT_F_EMPTY_PATH
  if (::syscall(SYS_move_mount, mount.get(), "", AT_FDCWD, target.c_str(), kEmptyPath) != 0) {
    return systemError("move_mount", target, errno);
  }
  return Mounted(target);
}

Result<Mounted> mountTmpfs(const std::string& target) {
  if (::mount("tmpfs", target.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") != 0) {
    return systemError("mount tmpfs", target, errno);
  }
  return Mounted(target);
}

}  // namespace stagewright::local
