// The results of other stages: waited for, and believed only if sealed by the attempt that we were
// told of.
#pragma once

#include <map>
#include <memory>
#include <utility>

#include "builder-pod/stage/artifact_tree.h"
#include "builder-pod/stage/stage_options.h"
#include "builder-pod/stage/stop.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/plan/report.h"

namespace stagewright::stage {

class UpstreamStages {
 public:
  UpstreamStages(const StageOptions& options, const Stop& stop) : options_(options), stop_(stop) {}

  /// Waits for the sealed report of `stage`, polling. A file without a right seal is as good as
  /// none: a step of that stage may have put it there. kUnavailable if the stage reports its
  /// failure, kCancelled on a stop, kInternal if we have no key for it.
  Result<const plan::StageReport*> await(int stage);
  /// A packed export, checked against the report. Owned by this object.
  Result<ArtifactTree*> artifact(int stage, int index);
  /// The tar of a step's layer, to be checked by its reader.
  Result<Fd> openLayer(int stage, int step);

  /// How long await() has slept so far.
  Millis waited() const { return waited_; }

 private:
  Result<const Fd*> directoryOf(int stage);
  Result<plan::StageReport> loadReport(int stage, const Upstream& upstream);

  const StageOptions& options_;
  const Stop& stop_;
  Millis waited_{0};
  std::map<int, Fd> directories_;
  std::map<int, plan::StageReport> reports_;
  std::map<std::pair<int, int>, std::unique_ptr<ArtifactTree>> artifacts_;
};

}  // namespace stagewright::stage
