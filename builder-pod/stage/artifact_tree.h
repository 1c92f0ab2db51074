// A packed export: written by the stage that has the files, read by the stages that copy them. It
// travels as tar, so owners, modes, attributes and hard links survive any volume and any user
// namespace.
//
// Entry `<m>` (and what is below `<m>/`) is the tree of match m. Beside them:
// `.stagewright/match/<m>`, a link whose target is the path of the match as raw bytes;
// `.stagewright/parents/<path>`, the directories above matches, for
// --parents; `.stagewright/missing` if the fixed part of the pattern does not exist.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "builder-pod/stage/source_tree.h"
#include "lib/layer/stream.h"
#include "lib/layer/tree.h"

namespace stagewright::stage {

/// What an export's pattern found.
struct PackedExport {
  std::vector<std::string> matches;  ///< absolute
};

/// Packs what `pattern` (absolute, may hold wildcards; `**` stops the fixed part) means in `tree`.
/// `stubs` are directories that the runtime made: left out while nothing is in them. No time is
/// later than `latest`.
Result<PackedExport> packExport(layer::Tree& tree, const std::string& pattern,
                                const std::set<std::string>& stubs, layer::ByteSink& sink,
                                std::optional<std::int64_t> latest = std::nullopt);

class ArtifactTree : public SourceTree {
 public:
  /// Paths of the matches, clean relative, in the order of the pattern's expansion.
  virtual const std::vector<std::string>& matches() const = 0;
  virtual bool prefixMissing() const = 0;
};

/// Reads the whole of `file` once, for its index and its digest. kDenied unless it hashes to
/// `digest`.
Result<std::unique_ptr<ArtifactTree>> loadArtifact(Fd file, const std::string& digest,
                                                   const std::string& name);

}  // namespace stagewright::stage
