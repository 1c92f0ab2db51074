// The state of a running stage and the steps of its flow. Internal to the stage library.
#pragma once

#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "builder-pod/stage/out_directory.h"
#include "builder-pod/stage/run_mounts.h"
#include "builder-pod/stage/stage.h"
#include "builder-pod/stage/upstream.h"
#include "lib/layer/snapshot.h"
#include "lib/layer/tree.h"
#include "lib/layer/tree_writer.h"

namespace stagewright::stage {

class StageRun {
 public:
  StageRun(const plan::BuildPlan& plan, const StageOptions& options, StepRunner& runner,
           StageLog& log, const Stop& stop);
  StageResult run();

 private:
  using Items = std::vector<layer::LayerItem>;

  // The flow, in this order.
  Status runAll();
  Status openTree();
  Status layBase();
  Status layStage(int stage);
  Status layLayer(int stage, const plan::LayerReport& layer);
  Result<std::int64_t> layCached(const plan::LayerStep& layer);
  Status runCachedStep(int index, const plan::LayerStep& layer);
  Status runStep(int index);
  Status packExports();

  // One step: what changed, as lines of its layer.
  Result<Items> execute(const plan::Step& step);
  Result<Items> executeRun(const plan::Step& step, const plan::RunStep& run);
  Result<Items> executeCopy(const plan::CopyStep& copy);
  Result<Items> executeWorkdir(const plan::WorkdirStep& workdir);
  Status writeStepLayer(int index, Items items);

  Status loadBaseline();
  Status settleBaseline() const;
  Result<Items> collectChanges(const std::set<std::string>& hidden);
  Items takeTouchedItems();
  Status judge(const plan::Step& step, const plan::RunStep& run, const RunOutcome& outcome);
  std::optional<SteadyPoint> deadline() const;
  bool isOverdue() const;

  // Sources of COPY and of mounts.
  Result<MountSource> findMountSource(const plan::Mount& mount);
  Status copySource(const plan::CopyStep& copy, const plan::CopySource& source);
  Status copyFromDirectory(const plan::CopyStep& copy, const plan::CopySource& source,
                           const std::string& directory);
  Status copyFromStage(const plan::CopyStep& copy, const plan::CopySource& source);
  Status copyFetched(const plan::CopyStep& copy, const plan::CopySource& source);

  void announce(int index, const char* state, std::int64_t millis = -1);
  plan::Failure describe(const Error& error) const;
  StageResult finish(const Status& status);

  const plan::BuildPlan& plan_;
  const plan::Stage& stage_;
  const StageOptions& options_;
  StepRunner& runner_;
  StageLog& log_;
  const Stop& stop_;

  UpstreamStages upstream_;
  std::optional<OutDirectory> out_;
  std::optional<layer::Tree> tree_;
  std::vector<std::unique_ptr<SourceTree>> mountSources_;  ///< of the running step
  std::set<std::string> stubs_;              ///< what the runtime made in an empty image
  std::optional<layer::Snapshot> baseline_;  ///< the tree as it is now; none if it changed since
  std::chrono::steady_clock::time_point baselineTaken_{};
  std::optional<SteadyPoint> ready_;  ///< when the base was there
  Millis waitedBefore_{0};

  plan::StageReport report_;
  int current_ = -1;                      ///< index of the running step
  std::optional<plan::Failure> failure_;  ///< of a step, if more is known than an Error holds
  plan::Exit exit_ = plan::Exit::kStepFailed;
};

}  // namespace stagewright::stage
