// Mounts of the engine. All of them live in a mount namespace of this process alone, so that the kernel removes them
// whatever ends the process.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "lib/base/error.h"

namespace stagewright::local {

/// Leaves the machine's mount namespace. REQUIRES: no other thread runs yet. kDenied without the permission.
Status enterPrivateMounts();

/// A mounted path; unmounted at destruction (lazily, so that open descriptors do not hinder it).
class Mounted {
 public:
  Mounted() = default;
  explicit Mounted(std::string path) : path_(std::move(path)) {}
  Mounted(Mounted&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  Mounted& operator=(Mounted&& other) noexcept;
  ~Mounted() { unmount(); }

  const std::string& path() const { return path_; }
  void unmount();

 private:
  std::string path_;
};

struct OverlayLayers {
  std::vector<std::string> lowers;  ///< the top one first, at least one
  std::string upper;                ///< empty: read-only
  std::string work;                 ///< with `upper`, on the same file system, empty
};

/// Mounts an overlay that never syncs (volatile): what it holds after a crash of the machine is worth nothing. Devices in
/// it cannot be opened.
Result<Mounted> mountOverlay(const OverlayLayers& layers, const std::string& target);
Result<Mounted> mountTmpfs(const std::string& target);

}  // namespace stagewright::local
