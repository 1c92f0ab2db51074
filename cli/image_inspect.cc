#include "cli/image_inspect.h"

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace stagewright::cli {

namespace {

constexpr std::int64_t kMaxConfig = 8 * 1024 * 1024;

std::string line(std::string_view name, const std::string& value) {
  std::string left(name);
  left.resize(14, ' ');
  return value.empty() ? "" : left + value + "\n";
}

std::string jsonWords(const std::vector<std::string>& words) { return dumpJson(words); }

}  // namespace

std::int64_t InspectedImage::sizeBytes() const {
  std::int64_t size = image.manifest.config.size;
  for (const oci::Descriptor& layer : image.manifest.layers) {
    size += layer.size;
  }
  return size;
}

std::string formatBytes(std::int64_t bytes) {
  constexpr std::array kUnits = {"B", "kB", "MB", "GB", "TB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1000 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text;
}

Result<InspectedImage> fetchInspection(const oci::Reference& reference,
                                       const oci::Platform& platform, registry::Client& client) {
  InspectedImage inspected;
  inspected.reference = reference;
  TRY(inspected.image, client.resolveImage(reference, platform, {}));
  TRY(inspected.configText,
      client.fetchBlobBytes(reference.repository, inspected.image.manifest.config, kMaxConfig, {}));
  TRY(inspected.config, oci::parseImageConfig(inspected.configText));
  return inspected;
}

Json makeInspectionJson(const InspectedImage& inspected) {
  Json layers = Json::array();
  for (const oci::Descriptor& layer : inspected.image.manifest.layers) {
    layers.push_back(oci::toJson(layer));
  }
  Json config = parseJson(inspected.configText).value_or(Json());
  return {{"reference", inspected.reference.pinned(inspected.image.digest)},
          {"repository", inspected.reference.repository.str()},
          {"tag", inspected.reference.tag.value_or("")},
          {"digest", inspected.image.digest.str()},
          {"mediaType", inspected.image.manifest.mediaType},
          {"platform", inspected.config.platform.str()},
          {"sizeBytes", inspected.sizeBytes()},
          {"layers", std::move(layers)},
          {"config", std::move(config)}};
}

std::string makeInspectionText(const InspectedImage& inspected) {
  const oci::ImageConfig& config = inspected.config;
  std::string text = line("Reference", inspected.reference.str());
  text += line("Digest", inspected.image.digest.str());
  text += line("Index", inspected.image.indexDigest.str());
  text += line("Media type", inspected.image.manifest.mediaType);
  text += line("Platform", config.platform.str());
  text += line("Created", config.created);
  text += line("Size", formatBytes(inspected.sizeBytes()));
  text += line("User", config.user);
  text += line("Workdir", config.workingDir);
  text += config.entrypoint ? line("Entrypoint", jsonWords(*config.entrypoint)) : "";
  text += config.cmd ? line("Cmd", jsonWords(*config.cmd)) : "";
  for (const std::string& variable : config.env) {
    text += line("Env", variable);
  }
  for (const auto& [name, value] : config.labels) {
    text += line("Label", name + "=" + value);
  }
  for (const oci::Descriptor& layer : inspected.image.manifest.layers) {
    std::string size = formatBytes(layer.size);
    size.resize(std::max<std::size_t>(size.size(), 10), ' ');
    text += line("Layer", layer.digest.str() + "  " + size + "  " + layer.mediaType);
  }
  return text;
}

}  // namespace stagewright::cli
