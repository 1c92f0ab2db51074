// Build checks (§10): warnings about a Dockerfile that builds all the same.
//
// checkFile() evaluates the file symbolically (arguments, ENV, WORKDIR along the chain of stages),
// so the planner and `stagewright check` need nothing but the inputs below. What is unknown in the
// inputs gives no warning.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/dockerfile/ignore.h"
#include "lib/dockerfile/instruction.h"
#include "lib/dockerfile/source.h"

namespace stagewright::dockerfile {

struct CheckRule {
  std::string_view name;         ///< UndefinedVar
  std::string_view description;  ///< table at the end of §10
  bool experimental = false;     ///< only on request
};
/// All 22 rules in the order of §10.
const std::vector<CheckRule>& checkRules();
/// Relative path of our page: docs/checks.md#undefined-var
std::string checkUrl(std::string_view ruleName);

struct Finding {
  std::string rule;
  std::string description;
  std::string url;
  std::string level = "warning";
  std::string message;
  SourceRange range;
  bool operator==(const Finding&) const = default;
};
/// `Dockerfile:3:1: warning: RULE: message` with the excerpt and the description with its URL
/// below.
std::string formatFinding(const Source& source, const Finding& finding);

/// Options of `# check=` or of the argument BUILDKIT_DOCKERFILE_CHECK (§2.5).
struct CheckOptions {
  bool skipAll = false;
  std::vector<std::string> skip;
  bool experimentalAll = false;
  std::vector<std::string> experimental;
  bool error = false;
};
/// kInvalid `failed to parse check options: invalid check option "X"`, without a place.
Result<CheckOptions> parseCheckOptions(std::string_view text);

/// What the environment of a base image tells the checks.
struct BaseImageFacts {
  std::vector<std::string> env;  ///< K=V
  std::string workingDir;
  std::string platform;            ///< os/arch[/variant] as pulled, empty if unknown
  std::vector<std::string> shell;  ///< SHELL of the configuration, empty if none
  std::vector<std::string> onBuild;
};

struct CheckInputs {
  std::map<std::string, std::string> buildArgs;
  std::string target;     ///< stage to build; empty with allStages false: the last one
  bool allStages = true;  ///< `check` without a target looks at every stage
  std::string targetPlatform = "linux/amd64";
  std::string buildPlatform = "linux/amd64";
  std::vector<std::string> namedContexts;  ///< names: a stage of that name is replaced
  /// Facts of a base image by its expanded name and platform, or of what a named context puts in
  /// its place; nothing if unknown (its variables then never count as undefined). May be empty.
  std::function<std::optional<BaseImageFacts>(std::string_view image, std::string_view platform)>
      baseImage;
  const IgnoreMatcher* ignore = nullptr;  ///< of the main context; null if there is no ignore file
};

struct CheckReport {
  std::vector<Finding> findings;  ///< in the order of the file
  bool error = false;             ///< `error=true` was asked for and there are findings
  /// `lint violation found for rules: A, B`; empty unless `error`.
  std::string violation() const;
};

/// REQUIRES: `file` is the result of parsing `source`. Errors: kInvalid for a bad `# check=`
/// directive or a bad BUILDKIT_DOCKERFILE_CHECK. Mistakes in words that a build would report as
/// errors give no findings here.
Result<CheckReport> checkFile(const Source& source, const ParsedFile& file,
                              const CheckInputs& inputs);

}  // namespace stagewright::dockerfile
