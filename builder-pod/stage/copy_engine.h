// COPY and ADD of files: BuildKit's rules for destinations, links, conflicts and metadata (docs:
// Dockerfile language, section 6), between any SourceTree and the stage's tree.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "builder-pod/stage/accounts.h"
#include "builder-pod/stage/copy_crew.h"
#include "builder-pod/stage/file_mode.h"
#include "builder-pod/stage/source_tree.h"
#include "lib/base/error.h"
#include "lib/layer/pattern.h"
#include "lib/layer/tree.h"

namespace stagewright::stage {

struct CopyOptions {
  std::optional<Owner> owner;        ///< --chown; else the source's owner
  std::optional<FileMode> mode;      ///< --chmod
  bool contentsOnly = true;          ///< of a directory: its contents, not itself
  bool followLinks = true;           ///< of the source itself
  bool link = false;                 ///< --link: the destination counts as empty
  std::vector<std::string> include;  ///< --parents: the sources as patterns
  std::vector<std::string> exclude;
  ContentWitness* witness = nullptr;  ///< borrowed; told of files of trees on disk
};

/// One instruction's copies into one tree. REQUIRES: nobody else changes the tree meanwhile.
class CopyEngine {
 public:
  CopyEngine(layer::Tree& tree, CopyOptions options)
      : tree_(tree), options_(std::move(options)), crew_(options_.witness) {}

  /// One source (a match already) to `destination`: absolute, a trailing slash or `/.` means
  /// directory. kNotFound if the source does not exist, kInvalid for conflicts, with BuildKit's
  /// texts.
  Status copy(SourceTree& source, const std::string& path, const std::string& destination);

  /// Whether a pattern let anything below a source through, in all copies so far.
  bool foundAny() const { return foundAny_; }

  /// MkdirAll: makes the missing directories of `path` (clean, resolved); kInvalid if something
  /// else is in the way. Without an owner they are the builder's own, 0:0.
  static Status makeDirectories(layer::Tree& tree, const std::string& path, std::uint32_t mode,
                                const std::optional<Owner>& owner);

 private:
  using Memory = layer::PatternList::Memory;
  struct Visit {
    std::string path;        ///< in the source
    std::string components;  ///< below the copied root; empty for it
    std::string target;
    bool overwriteMetadata = false;
    bool isFresh = false;  ///< the target's directory was made for this copy: nothing can be there
  };
  struct Pending {  ///< a directory that is made only when something in it is copied
    std::string path;
    std::string target;
    bool made = false;
    bool overwriteMetadata = false;
  };

  struct Late {  ///< a directory gets its metadata when everything in it is there
    std::string path;
    layer::FileStat stat;
    std::string target;
    bool timeOnly = false;
  };

  Status preparePatterns();
  Result<std::string> resolveDestination(const std::string& destination);
  Status ensureDirectories(const std::string& path);
  Result<std::string> placeTarget(const layer::FileStat& source, const std::string& sourcePath,
                                  const std::string& target);
  Status visit(const Visit& v, const Memory& includedAbove, const Memory& excludedAbove);
  Status checkLink(const Visit& v, const layer::FileStat& st);
  Status clearWay(const Visit& v);
  Status finishDirectories();
  Status visitDirectory(const Visit& v, const layer::FileStat& st, bool included, bool excluded,
                        const Memory& include, const Memory& exclude);
  Status checkParent(const Visit& v);
  Status makePendingParents();
  Result<bool> makeDirectoryOnly(const std::string& target, const layer::FileStat& st,
                                 bool overwriteMetadata);
  Status copyObject(const Visit& v, const layer::FileStat& st);
  Status copyRegular(const Visit& v, const layer::FileStat& st);
  layer::Metadata metadataOf(const layer::FileStat& st) const;
  Status copyMetadata(const std::string& path, const layer::FileStat& st,
                      const std::string& target);
  Result<layer::FileStat> targetStat(const std::string& target);
  Status clearTarget(const std::string& target);
  Status restoreTime(const layer::FileStat& st, const std::string& target);

  layer::Tree& tree_;
  CopyOptions options_;
  SourceTree* source_ = nullptr;
  bool fromRoot_ = false;  ///< the source is the root of its tree
  bool foundAny_ = false;  ///< something below the source was not left out
  std::optional<layer::PatternList> include_;
  std::optional<layer::PatternList> exclude_;
  std::vector<Pending> pending_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> links_;  ///< of the current source
  std::set<std::string> made_;  ///< --link: what exists in the empty file system
  std::vector<Late> late_;
  CopyCrew crew_;
};

}  // namespace stagewright::stage
