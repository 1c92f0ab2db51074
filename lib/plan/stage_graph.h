// Which stages there are, what each is built on and copies from, and which of them the target needs
// (reference sections 5.1, 5.11, 6.10, 7.4, 7.5). Internal to lib/plan.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/plan/arguments.h"
#include "lib/plan/planner.h"

namespace stagewright::plan {

struct GraphStage {
  int fileIndex = -1;       ///< of the file's stage; -1: an image that COPY --from or a mount names
  std::string displayName;  ///< for messages: the name, `stage-2`, an image
  std::string baseName;     ///< expanded
  SourceRange where;        ///< of FROM, or of the instruction that names the image
  oci::Platform platform;

  bool scratch = false;
  std::string directory;  ///< with `scratch`: the named context whose files it begins with
  int baseStage = -1;     ///< in StageGraph::stages
  std::string imageName;  ///< neither of these: the image, after named contexts
  std::string imageKey;

  bool replaced = false;  ///< a named context stands for it: its instructions do not count
  bool reachable = false;
  std::vector<dockerfile::Instruction> triggers;  ///< ONBUILD of the base, to be run first
};

/// What `--from` or `from=` means.
struct SourceOfCopy {
  int stage = -1;       ///< in StageGraph::stages
  std::string context;  ///< or a named context that is a directory
};

struct StageGraph {
  /// Those of the file with their numbers, then the implicit ones.
  std::vector<GraphStage> stages;
  int target = 0;
  std::vector<NeededImage> missing;      ///< needed by the target, not among the known
  std::map<std::string, int> byName;     ///< lower-cased name -> the last stage of that name
  std::map<std::string, int> implicit;   ///< normalised image name -> stage
  std::vector<std::string> directories;  ///< named contexts that are directories
  int fileStages = 0;

  /// REQUIRES: `from` was seen when the graph was made.
  SourceOfCopy copySource(std::string_view from) const;  ///< an index is tried first (section 6.10)
  SourceOfCopy mountSource(std::string_view from) const;  ///< no indexes (section 5.2)
};

/// The named context that stands for the image or stage `name`, in whatever spelling; null if there is none. One that is
/// for `platform` alone comes first.
const NamedContext* findContext(const PlanInput& input, const std::string& name, const oci::Platform& platform);

Result<StageGraph> makeStageGraph(const PlanInput& input, const Arguments& arguments,
                                  const KnownImages& known);

/// An error of `instruction` at `token` in it. A trigger has no place of its own: its stage's FROM
/// gets the blame.
Error instructionError(const PlanInput& input, const GraphStage& stage,
                       const dockerfile::Instruction& instruction, bool isTrigger,
                       std::string_view message, std::string_view token = {},
                       std::string_view hint = {});

}  // namespace stagewright::plan
