// Watches the run's directory: layers and reports as stages finish them.
#pragma once

#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "builder-pod/publish/attempt_choice.h"
#include "builder-pod/publish/run_directory.h"
#include "lib/base/error.h"

namespace stagewright::publish {

/// Where a layer comes from.
struct LayerPlace {
  int stage = 0;
  int attempt = 1;
  plan::LayerReport report;
};

class LayerWatch {
 public:
  using OnLayer = std::function<void(const LayerPlace&)>;

  /// Layers of the stages in `chain` are told to `onLayer`, once each. Borrows.
  LayerWatch(const RunDirectory& directory, const plan::BuildPlan& plan, std::vector<int> chain,
             OnLayer onLayer);

  /// Looks once. True if anything was new. Only the newest attempt that shows anything is followed:
  /// what a retry replaced is not worth an upload.
  Result<bool> poll();
  const Reports& reports() const { return reports_; }

 private:
  Result<bool> pollReports(int stage);
  Result<bool> pollLayers(int stage);
  int attempts(int stage);

  const RunDirectory& directory_;
  const plan::BuildPlan& plan_;
  std::vector<int> chain_;
  OnLayer onLayer_;
  Reports reports_;
  std::map<std::pair<int, int>, int> nextStep_;  ///< by (stage, attempt): layers told so far
  std::map<int, int> attempts_;                  ///< attempt directories seen
};

}  // namespace stagewright::publish
