#include "local/device_cgroup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "lib/base/file.h"
#include "local/rootless.h"

namespace stagewright::local {

namespace {

constexpr std::string_view kHierarchy = "/sys/fs/cgroup/devices";

Status writeRule(const std::string& file, std::string_view rule) {
  const Fd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) {
    return systemError("open", file, errno);
  }
  return writeAll(fd.get(), rule, file);
}

}  // namespace

bool DeviceCgroup::isAvailable() {
  return !isRootless() && ::access((std::string(kHierarchy) + "/devices.list").c_str(), F_OK) == 0;
}

Result<std::optional<DeviceCgroup>> DeviceCgroup::make(const std::string& name) {
  if (!isAvailable()) {
    return std::optional<DeviceCgroup>();
  }
  DeviceCgroup group(std::string(kHierarchy) + "/" + name);
  if (::mkdir(group.path_.c_str(), 0755) != 0) {
    return systemError("mkdir", group.path_, errno);
  }
  CHECK_OK(group.allowDefaults());
  group.procs_.reset(::open((group.path_ + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
  if (!group.procs_) {
    return systemError("open", group.path_ + "/cgroup.procs", errno);
  }
  return std::optional<DeviceCgroup>(std::move(group));
}

/// Any device may be made, few may be opened.
Status DeviceCgroup::allowDefaults() const {
  CHECK_OK(writeRule(path_ + "/devices.deny", "a"));
  for (const char* rule : {"c *:* m", "b *:* m", "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm", "c 1:8 rwm", "c 1:9 rwm",
                           "c 5:0 rwm", "c 5:2 rwm", "c 136:* rwm"}) {
    CHECK_OK(writeRule(path_ + "/devices.allow", rule));
  }
  return ok();
}

DeviceCgroup::~DeviceCgroup() {
  if (!path_.empty()) {
    procs_.reset();
    static_cast<void>(::rmdir(path_.c_str()));
  }
}

}  // namespace stagewright::local
