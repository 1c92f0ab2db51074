// The metadata of a whole tree at one moment, and what changed between two of them. Contents are
// never read: a change shows in ctime, which a container cannot set (docs: stage executor, section
// 5).
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/layer/root.h"

namespace stagewright::layer {

/// What to leave out and what to take in although it is a mount.
struct SnapshotOptions {
  /// Clean relative paths that are not part of the image, with everything below: `.stagewright`.
  std::set<std::string> excluded;
  /// Mount points whose content belongs to the image: its VOLUMEs. Every other mount is left out.
  std::set<std::string> volumes;
  int threads = 2;
};

struct Directory;

struct Node {
  std::string name;
  FileStat stat;
  std::unique_ptr<Directory> directory;  ///< set for directories
};

struct Directory {
  std::vector<Node> children;  ///< sorted bytewise by name
  std::string xattrs;          ///< of the directory itself, serialized; only to be compared
};

struct Snapshot {
  Directory root;
  std::size_t entries = 0;
};

/// Walks the tree with statx. REQUIRES: nobody writes to it meanwhile; what vanishes during the
/// walk is skipped.
Result<Snapshot> loadSnapshot(const Root& root, const SnapshotOptions& options);

struct Change {
  enum class Kind { kAdded, kModified, kDeleted };
  Kind kind;
  std::string path;            ///< clean relative
  const Node* node = nullptr;  ///< in the later snapshot; null if deleted

  bool operator==(const Change&) const = default;
};

/// What a layer must say to lead from `before` to `after`, in the order of a sorted depth-first
/// walk. Of a removed directory only its own path is listed; a path whose type changed is one
/// modification. A directory whose only change is its mtime is none: its entries tell. `after` must
/// outlive the result. Pure.
std::vector<Change> diffSnapshots(const Snapshot& before, const Snapshot& after);

}  // namespace stagewright::layer
