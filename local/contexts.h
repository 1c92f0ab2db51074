// The files a build may read: the main context, named ones, and what ADD downloads.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "lib/dockerfile/ignore.h"
#include "local/file_digests.h"
#include "local/file_trees.h"
#include "local/store.h"

namespace stagewright::local {

/// One directory with its ignore file and the digests of its files.
class Context {
 public:
  Context(Store& store, std::string directory, dockerfile::IgnoreMatcher ignore);

  const std::string& directory() const { return directory_; }
  const dockerfile::IgnoreMatcher& ignore() const { return ignore_; }
  Result<std::unique_ptr<stage::SourceTree>> tree() const { return makeContextTree(directory_, &ignore_); }
  FileDigests& digests() { return digests_; }
  /// What a bind mount of `path` shows: a copy, made once, or the directory itself where that is the same. To be mounted
  /// read-only, or below an overlay. Thread-safe.
  Result<std::string> materialise(const std::string& path);

 private:
  Store& store_;
  std::string directory_;
  dockerfile::IgnoreMatcher ignore_;
  FileDigests digests_;
  Guarded<std::map<std::string, std::string>> copies_;
};

/// All contexts of a build by name; the main one is "".
using Contexts = std::map<std::string, std::unique_ptr<Context>>;

}  // namespace stagewright::local
