// A temporary directory that goes away.
#pragma once

#include <string>

#include "lib/base/error.h"

namespace stagewright::cli {

class WorkDirectory {
 public:
  /// Below $TMPDIR or /tmp.
  static Result<WorkDirectory> make();
  WorkDirectory(WorkDirectory&& other) noexcept : path_(std::move(other.path_)) {
    other.path_.clear();
  }
  WorkDirectory& operator=(WorkDirectory&&) = delete;
  ~WorkDirectory();

  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  explicit WorkDirectory(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace stagewright::cli
