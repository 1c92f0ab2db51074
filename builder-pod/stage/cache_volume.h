// Cache mounts that outlive the stage: directories of a volume that other stages, and later runs of
// the same ImageBuild, share.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "builder-pod/stage/stop.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/plan/plan.h"

namespace stagewright::stage {

/// Whether cache mounts outlive the stage at all.
bool isCacheVolume(const std::string& volume);

/// The directories that one step uses, locked as their sharing mode wants it until this object
/// goes.
class CacheVolume {
 public:
  /// Makes a new cache in the directory it gets, which does not exist.
  using Maker = std::function<Status(const std::string& directory)>;

  explicit CacheVolume(std::string volume) : volume_(std::move(volume)) {}

  /// The directory of the cache `name` as `mount` wants to share it: with everybody; waiting for
  /// whoever has it (locked); or a copy of its own (private), the first that is free. kUnavailable
  /// if all private copies are in use, kCancelled on a stop.
  Result<std::string> take(const std::string& name, const plan::Mount& mount, const Maker& make,
                           const Stop* stop);
  void release() {
    locks_.clear();
    taken_.clear();
  }

 private:
  Result<Fd> openLock(const std::string& directory) const;
  Status makeIfAbsent(const std::string& directory, const Maker& make) const;

  std::string volume_;
  std::vector<Fd> locks_;
  std::map<std::string, std::string> taken_;  ///< by name: a step may mount one cache twice
};

}  // namespace stagewright::stage
