// Which logs a run has, and which of them are asked for. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/saved_logs.h"
#include "lib/api/image_build.h"
#include "lib/base/json.h"

namespace stagewright::cli {

/// The log of one attempt: of prepare, publish or a stage.
struct LogPart {
  std::string key;   ///< prepare, publish, or a stage's index
  std::string name;  ///< what people call it
  int attempt = 1;
  std::string pod;  ///< empty: it is gone
  bool started = false;
  bool ended = false;
  std::optional<SavedLog> saved;

  /// `deps`, `deps #2`
  std::string title() const { return attempt > 1 ? name + " #" + std::to_string(attempt) : name; }
};

struct LogWish {
  std::string stage;    ///< name, index, prepare or publish; empty: all but publish
  bool failed = false;  ///< only what status.failure is about
};

/// What the status of `build` knows of run `runId`: prepare and stages that were begun. Empty if it
/// is another run.
std::vector<LogPart> partsOfStatus(const api::ImageBuild& build, const std::string& runId);

/// Adds or completes the part that a pod of the run is; other objects are left out.
void addPod(std::vector<LogPart>& parts, const Json& pod);
void addSaved(std::vector<LogPart>& parts, const SavedLog& saved);

/// The parts that are asked for, prepare first, publish last. kNotFound if there is none, naming
/// those there are.
Result<std::vector<LogPart>> chooseParts(std::vector<LogPart> parts, const LogWish& wish,
                                         const api::ImageBuild& build);

}  // namespace stagewright::cli
