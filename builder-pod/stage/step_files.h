// What a step means for files, whoever runs it: in a pod on the container's own root, in the local
// engine on a merged tree.
#pragma once

#include <string>
#include <vector>

#include "builder-pod/stage/accounts.h"
#include "builder-pod/stage/copy_engine.h"
#include "builder-pod/stage/source_tree.h"
#include "lib/base/error.h"
#include "lib/layer/tree.h"
#include "lib/plan/plan.h"

namespace stagewright::stage {

/// The environment of a RUN. HOME is the builder's to add; an empty one counts as none.
std::vector<std::string> completeEnvironment(const std::vector<std::string>& env,
                                             const Identity& who);

/// How the files of `source` are copied; users and groups are those of `tree`.
Result<CopyOptions> makeCopyOptions(const plan::CopyStep& copy, const plan::CopySource& source,
                                    layer::Tree& tree);

/// `failed to calculate checksum of ref: "/x": not found`
Error missingSource(const std::string& path);

/// One source in one tree: its matches, each copied or unpacked. Borrows everything but the
/// options.
class SourceCopier {
 public:
  SourceCopier(layer::Tree& tree, const plan::CopyStep& copy, const plan::CopySource& source,
               CopyOptions options)
      : tree_(tree),
        copy_(copy),
        source_(source),
        options_(std::move(options)),
        engine_(tree, options_) {}

  /// What the source's path means in `from`, wildcards and --parents included.
  Status copyAll(SourceTree& from);
  /// `paths` are matches already.
  Status copyMatches(SourceTree& from, const std::vector<std::string>& paths);

 private:
  Status copyOne(SourceTree& from, const std::string& path);
  Status copyParents(SourceTree& from);
  bool shouldUnpack() const;

  layer::Tree& tree_;
  const plan::CopyStep& copy_;
  const plan::CopySource& source_;
  CopyOptions options_;
  CopyEngine engine_;
};

}  // namespace stagewright::stage
