// Where COPY and ADD read from: the context, a packed export of another stage, a here-document,
// what prepare fetched. One read-only view for all of them; paths are clean and relative, "" is the
// root.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/layer/root.h"
#include "lib/layer/xattr.h"

namespace stagewright::stage {

/// The bytes of a file: `size` bytes of `fd` from `offset` on. `owner` keeps the descriptor open if
/// the tree does not.
struct Content {
  int fd = -1;
  std::int64_t offset = 0;
  std::int64_t size = 0;
  Fd owner;
  bool mayHaveHoles = true;  ///< else looking for them is a waste
};

class SourceTree {
 public:
  virtual ~SourceTree() = default;
  /// Does not follow links. Two paths with the same (mount, inode) and nlink > 1 are one file.
  virtual Result<layer::FileStat> stat(const std::string& path) = 0;
  virtual Result<std::string> readLink(const std::string& path) = 0;
  virtual Result<std::vector<std::string>> list(const std::string& path) = 0;
  virtual Result<Content> open(const std::string& path) = 0;
  virtual Result<layer::Xattrs> xattrs(const std::string& path) = 0;
  /// Follows links inside the tree.
  virtual Result<std::string> resolve(const std::string& path) = 0;
  /// The open directory `path` of a tree that lies on disk as it is, else null: files in it may be
  /// opened by openSourceFile() without the tree, from several threads. Owners: the tree's cache and
  /// whoever opens files.
  virtual Result<std::shared_ptr<const Fd>> directory(const std::string& path);
};

/// A regular file on disk, and what it is now. `path` is for messages. Thread-safe.
struct SourceFile {
  Content content;
  layer::FileStat stat;
};
Result<SourceFile> openSourceFile(int directory, const std::string& name, const std::string& path);

enum class SourceOwners {
  kRoot,  ///< 0:0, whatever the disk says: a context
  kKept,
};
/// A directory on disk, opened beneath: no link leads out.
Result<std::unique_ptr<SourceTree>> makeDirectoryTree(const std::string& directory,
                                                      SourceOwners owners = SourceOwners::kRoot);
/// One regular file `name` with owner 0:0.
Result<std::unique_ptr<SourceTree>> makeFileTree(const std::string& name, Fd file);
/// One file with the given bytes, mode 0644, owner 0:0 and the given time, else the current one.
Result<std::unique_ptr<SourceTree>> makeInlineTree(
    const std::string& name, const std::string& bytes,
    std::optional<layer::Timestamp> time = std::nullopt);

/// The paths of `tree` that a source of COPY means: itself, or what its wildcards match, in sorted
/// walk order. Matches come with the links of the fixed part resolved. `prefixMissing` is set (and
/// nothing returned) if the part before the wildcards does not exist. kInvalid for a malformed
/// pattern.
struct Expansion {
  std::vector<std::string> paths;
  bool hadWildcard = false;
  bool prefixMissing = false;
};
Result<Expansion> expandWildcards(SourceTree& tree, const std::string& pattern);

}  // namespace stagewright::stage
