// Device rules for a step where the runtime cannot make a cgroup: Docker's list, in the devices hierarchy of version 1.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "lib/base/error.h"
#include "lib/base/fd.h"

namespace stagewright::local {

/// One group, removed at destruction. A process joins by writing `0` to joinFd().
class DeviceCgroup {
 public:
  /// Nothing where there is no such hierarchy: then version 2 is in use and the runtime has rules of its own.
  static Result<std::optional<DeviceCgroup>> make(const std::string& name);
  DeviceCgroup(DeviceCgroup&& other) noexcept : path_(std::exchange(other.path_, {})), procs_(std::move(other.procs_)) {}
  DeviceCgroup& operator=(DeviceCgroup&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(procs_, other.procs_);
    return *this;
  }
  ~DeviceCgroup();

  int joinFd() const { return procs_.get(); }
  static bool isAvailable();

 private:
  explicit DeviceCgroup(std::string path) : path_(std::move(path)) {}
  Status allowDefaults() const;

  std::string path_;
  Fd procs_;
};

}  // namespace stagewright::local
