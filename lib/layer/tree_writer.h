// Writes objects of a Tree into a tar: the one place where a file of the root file system becomes a
// tar entry.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/error.h"
#include "lib/layer/tar_writer.h"
#include "lib/layer/tree.h"

namespace stagewright::layer {

/// Times later than `latest` are written as `latest` (SOURCE_DATE_EPOCH): what a build makes gets
/// the same time whenever it is made. With `keepFiles` only directories: files that COPY brought
/// keep their own.
struct TimeLimit {
  std::optional<std::int64_t> latest;
  bool keepFiles = false;
};

/// Hard links are kept among what one TreeWriter writes: the first member is written whole, the
/// others as links to it.
class TreeWriter {
 public:
  TreeWriter(Tree& tree, TarWriter& tar) : tree_(tree), tar_(tar) {}

  /// The object at `path` under the name `name`. Sockets are skipped, as in every image. False if
  /// it was skipped.
  Result<bool> write(const std::string& path, const std::string& name);
  /// `path` and everything below it except mounts and excluded paths; names lead with `name`.
  Status writeAll(const std::string& path, const std::string& name);
  /// Directories that writeAll() leaves out while they hold nothing: mount points that the runtime
  /// made in an empty image.
  void setStubs(std::set<std::string> stubs) { stubs_ = std::move(stubs); }
  void setTimeLimit(TimeLimit limit) { limit_ = limit; }
  /// Forgets the hard links seen.
  void forgetLinks() { links_.clear(); }

 private:
  TarEntry makeEntry(const FileStat& st, const std::string& name) const;
  Status writeContent(const std::string& path, TarEntry& entry);
  Status copyContent(int fd, const FileStat& st, const std::string& path);
  bool isEmptyStub(const std::string& path);

  Tree& tree_;
  TarWriter& tar_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string>
      links_;  ///< (mount, inode) -> first name
  std::set<std::string> stubs_;
  TimeLimit limit_;
  std::string buffer_;
};

/// One line of a layer.
struct LayerItem {
  std::string path;
  bool deleted = false;  ///< a whiteout
};

/// Sorts as a depth-first walk with sorted directories meets paths: `a`, `a/b`, `a.c`.
bool walksBefore(std::string_view a, std::string_view b);

/// Writes a whole layer: every item, before it the directories that lead to it, at the end the end
/// of the archive. `items` in any order.
Status writeLayer(Tree& tree, std::vector<LayerItem> items, ByteSink& sink, TimeLimit limit = {});

}  // namespace stagewright::layer
