// Layer directories seen as one file system.
#pragma once

#include <string>
#include <vector>

#include "lib/base/error.h"
#include "local/mounts.h"
#include "local/store.h"

namespace stagewright::local {

/// Layer directories, the base's first. Never empty: an image without layers has the store's empty directory.
using LayerDirectories = std::vector<std::string>;

/// A read-only view. With one layer it is that layer's own directory and nothing is mounted.
class View {
 public:
  static Result<View> open(Store& store, const LayerDirectories& layers);
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  Mounted mount_;
};

/// A view that can be changed; the changes are collected in a directory of their own.
class WorkTree {
 public:
  static Result<WorkTree> open(Store& store, const LayerDirectories& layers);
  const std::string& path() const { return path_; }
  /// Where the changes are collected.
  std::string upper() const { return directory_ + "/fs"; }
  /// Ends the view. The directory with `fs`, the changes, is the caller's to keep.
  std::string finish();

 private:
  std::string directory_;
  std::string path_;
  Mounted mount_;
};

}  // namespace stagewright::local
