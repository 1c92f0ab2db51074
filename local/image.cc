#include "local/image.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "lib/base/clock.h"

namespace stagewright::local {

namespace {

std::optional<std::string> knownTime(const oci::HistoryEntry& entry) {
  return entry.created.empty() ? std::nullopt : std::optional(entry.created);
}

/// The time of what has none: of the first layer that is new, else of the last entry that has one.
std::optional<std::string> firstNewTime(const std::vector<oci::HistoryEntry>& history) {
  std::optional<std::string> time;
  bool seenMissing = false;
  for (const oci::HistoryEntry& entry : history) {
    if (const auto known = knownTime(entry)) {
      time = known;
      if (seenMissing) {
        break;
      }
    } else {
      seenMissing = true;
    }
  }
  return time;
}

}  // namespace

void fillTimes(oci::ImageConfig& config, const std::vector<std::string>& stepTimes, const std::string& fallback) {
  std::size_t left = stepTimes.size();
  for (auto entry = config.history.rbegin(); entry != config.history.rend() && left > 0; ++entry) {
    if (!entry->emptyLayer) {
      entry->created = stepTimes[--left];
    }
  }
  std::string time = firstNewTime(config.history).value_or(fallback);
  bool seenMissing = false;
  for (oci::HistoryEntry& entry : config.history) {
    if (!entry.created.empty()) {
      if (seenMissing) {
        time = entry.created;
      }
      continue;
    }
    seenMissing = true;
    entry.created = time;
  }
  config.created = config.history.empty() ? fallback : config.history.back().created;
}

Image assembleImage(const plan::BuildPlan& plan, std::vector<ImageLayer> layers,
                    const std::vector<std::string>& stepTimes, const std::string& now,
                    const std::vector<std::pair<std::string, std::string>>& annotations, bool dockerFormat) {
  oci::ImageConfig config = plan.stages[static_cast<std::size_t>(plan.target)].config;
  config.diffIds.clear();
  for (const ImageLayer& layer : layers) {
    config.diffIds.push_back(layer.diffId);
  }
  const auto described = static_cast<std::size_t>(
      std::count_if(config.history.begin(), config.history.end(), [](const auto& entry) { return !entry.emptyLayer; }));
  if (described < layers.size()) {
    oci::HistoryEntry unknown;
    unknown.comment = "layer of a base image without history";
    config.history.insert(config.history.begin(), layers.size() - described, unknown);
  }
  if (plan.sourceDateEpoch) {
    const std::string epoch = formatTime(TimePoint(std::chrono::seconds(*plan.sourceDateEpoch)));
    fillTimes(config, std::vector<std::string>(stepTimes.size(), epoch), epoch);
    config.created = epoch;
  } else {
    fillTimes(config, stepTimes, now);
  }
  Image image;
  image.platform = config.platform;
  image.config = oci::serializeImageConfig(config);
  image.configDescriptor.mediaType = std::string(dockerFormat ? oci::kMediaDockerConfig : oci::kMediaConfig);
  image.configDescriptor.digest = oci::Digest::ofBytes(image.config);
  image.configDescriptor.size = static_cast<std::int64_t>(image.config.size());
  oci::Manifest manifest;
  manifest.mediaType = std::string(dockerFormat ? oci::kMediaDockerManifest : oci::kMediaManifest);
  manifest.config = image.configDescriptor;
  for (const ImageLayer& layer : layers) {
    manifest.layers.push_back(layer.descriptor);
  }
  manifest.annotations = {annotations.begin(), annotations.end()};
  image.manifest = oci::serializeManifest(manifest);
  image.mediaType = manifest.mediaType;
  image.digest = oci::Digest::ofBytes(image.manifest);
  image.layers = std::move(layers);
  return image;
}

}  // namespace stagewright::local
