// What an image in a registry consists of, for people and as JSON.
#pragma once

#include <string>

#include "lib/base/json.h"
#include "lib/oci/image_config.h"
#include "lib/oci/reference.h"
#include "lib/registry/client.h"

namespace stagewright::cli {

struct InspectedImage {
  oci::Reference reference;
  registry::ResolvedImage image;
  oci::ImageConfig config;
  std::string configText;  ///< as the registry has it

  /// Config and compressed layers.
  std::int64_t sizeBytes() const;
};

Result<InspectedImage> fetchInspection(const oci::Reference& reference,
                                       const oci::Platform& platform, registry::Client& client);

/// reference, repository, tag, digest, mediaType, platform, sizeBytes, layers, config (as the registry has it).
Json makeInspectionJson(const InspectedImage& inspected);
/// Aligned lines.
std::string makeInspectionText(const InspectedImage& inspected);
/// 12.3 MB: decimal units, as registries and Docker print them.
std::string formatBytes(std::int64_t bytes);

}  // namespace stagewright::cli
