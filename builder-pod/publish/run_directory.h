// The run's directory on the volume, read as what it is: partly written by containers in which the
// user is root. Nothing counts that is not sealed with the key of the attempt it claims to come
// from.
#pragma once

#include <optional>
#include <string>

#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/plan/plan.h"
#include "lib/plan/report.h"

namespace stagewright::publish {

/// Thread-safe: it only reads.
class RunDirectory {
 public:
  /// `path` is runs/<runID>; `runKey` is raw.
  static Result<RunDirectory> open(const std::string& path, std::string runId, std::string runKey);

  /// plan.json of a prepare attempt, if its digest is `expected`.
  Result<plan::BuildPlan> loadPlan(int prepareAttempt, const oci::Digest& expected) const;
  bool hasAttempt(int stage, int attempt) const;
  /// Nothing if it is not there yet or not sealed; an error only for one that is sealed and makes
  /// no sense.
  Result<std::optional<plan::LayerReport>> loadLayerReport(int stage, int attempt, int step) const;
  Result<std::optional<plan::StageReport>> loadStageReport(int stage, int attempt) const;
  /// What a stage attempt, or prepare (stage -1), printed: at most plan::kMaxLogBytes of it.
  /// Nothing if there is none.
  std::optional<std::string> loadLog(int stage, int attempt) const;
  /// A layer's tar of exactly the announced size. kConflict if it is missing or has another size.
  Result<Fd> openLayer(int stage, int attempt, const plan::LayerReport& layer) const;

 private:
  RunDirectory(Fd directory, std::string runId, std::string runKey)
      : directory_(std::move(directory)), runId_(std::move(runId)), runKey_(std::move(runKey)) {}
  std::optional<std::string> loadSealed(int stage, int attempt, const std::string& file,
                                        std::string_view kind) const;
  std::string stageFile(int stage, int attempt, const std::string& file) const;

  Fd directory_;
  std::string runId_;
  std::string runKey_;
};

}  // namespace stagewright::publish
