// Digests of a context's files: what decides whether a COPY must run again.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>

#include "builder-pod/stage/copy_crew.h"
#include "builder-pod/stage/source_tree.h"
#include "lib/base/error.h"
#include "lib/base/guarded.h"
#include "lib/base/hash.h"
#include "lib/plan/plan.h"

namespace stagewright::local {

/// Remembers SHA-256 per file as long as size, inode, mtime and ctime stay. As a witness it learns what a copy has read
/// anyway. Thread-safe.
class FileDigests final : public stage::ContentWitness {
 public:
  /// An unreadable file of digests is none.
  explicit FileDigests(std::string path);
  /// Of content and extended attributes. REQUIRES: `st` is the stat of the regular file `path`.
  Result<std::string> digestOf(stage::SourceTree& tree, const std::string& path, const layer::FileStat& st);
  void learn(const std::string& path, const layer::FileStat& stat, const layer::Xattrs& xattrs, Sha256 hash) override;
  /// Writes what is new.
  Status save();

 private:
  struct Known {
    std::int64_t size = 0;
    std::uint64_t inode = 0;
    std::int64_t mtime = 0;
    std::int64_t ctime = 0;
    std::string digest;
    bool isYoung = false;  ///< so new that it may change again without its times telling: for this build only
  };
  struct Memory {
    std::unordered_map<std::string, Known> files;
    bool changed = false;
  };
  static Known knownOf(const layer::FileStat& st);
  void load();
  void remember(const std::string& path, Known known);

  std::string path_;
  Guarded<Memory> memory_;
};

/// Adds what `source` of `copy` means in `tree`: names, kinds, modes, link targets and contents; not times.
Status addSource(Sha256& hash, stage::SourceTree& tree, const plan::CopyStep& copy, const std::string& path,
                 FileDigests& digests);
/// The same for everything at and below `path`.
Status addTree(Sha256& hash, stage::SourceTree& tree, const std::string& path, FileDigests& digests);

}  // namespace stagewright::local
