#include "builder-pod/publish/assembly.h"

#include <algorithm>

namespace stagewright::publish {

Result<std::string> makeConfig(const plan::BuildPlan& plan, const std::vector<oci::Digest>& diffIds,
                               TimePoint now) {
  oci::ImageConfig config = plan.stages[static_cast<std::size_t>(plan.target)].config;
  config.diffIds = diffIds;
  const TimePoint stamp =
      plan.sourceDateEpoch ? TimePoint(std::chrono::seconds(*plan.sourceDateEpoch)) : now;
  config.created = formatTime(stamp);
  const auto layersInHistory =
      static_cast<std::size_t>(std::count_if(config.history.begin(), config.history.end(),
                                             [](const auto& entry) { return !entry.emptyLayer; }));
  if (layersInHistory > diffIds.size()) {
    return internal("the image has " + std::to_string(diffIds.size()) +
                    " layers and its history speaks of " + std::to_string(layersInHistory));
  }
  oci::HistoryEntry unknown;
  unknown.comment = "layer of a base image without history";
  config.history.insert(config.history.begin(), diffIds.size() - layersInHistory, unknown);
  for (oci::HistoryEntry& entry : config.history) {
    if (entry.created.empty()) {
      entry.created = config.created;
    }
  }
  return oci::serializeImageConfig(config);
}

std::string makeManifest(const oci::Descriptor& config, const std::vector<oci::Descriptor>& layers,
                         const std::vector<std::pair<std::string, std::string>>& annotations,
                         bool dockerFormat) {
  oci::Manifest manifest;
  manifest.mediaType = std::string(dockerFormat ? oci::kMediaDockerManifest : oci::kMediaManifest);
  manifest.config = config;
  manifest.layers = layers;
  manifest.annotations = {annotations.begin(), annotations.end()};
  return oci::serializeManifest(manifest);
}

}  // namespace stagewright::publish
