// A finished image, as values and files of the store.
#pragma once

#include <string>
#include <vector>

#include "lib/oci/image_config.h"
#include "lib/oci/manifest.h"
#include "lib/plan/plan.h"

namespace stagewright::local {

struct ImageLayer {
  oci::Descriptor descriptor;
  oci::Digest diffId;
  std::string file;  ///< compressed; empty: a base layer that is not here
};

struct Image {
  std::string config;    ///< bytes
  std::string manifest;  ///< bytes
  oci::Descriptor configDescriptor;
  std::string mediaType;
  oci::Digest digest;    ///< of the manifest
  oci::Platform platform;
  std::vector<ImageLayer> layers;  ///< the base's first
};

/// `created` of every history entry and of the image. Layers have times of their own (`stepTimes`, of our steps in order); an
/// entry without a layer has that of the first new layer, or of the layer before it. `fallback` where there is none at all.
void fillTimes(oci::ImageConfig& config, const std::vector<std::string>& stepTimes, const std::string& fallback);

/// Config and manifest from the target's plan. Pure.
Image assembleImage(const plan::BuildPlan& plan, std::vector<ImageLayer> layers,
                    const std::vector<std::string>& stepTimes, const std::string& now,
                    const std::vector<std::pair<std::string, std::string>>& annotations, bool dockerFormat);

}  // namespace stagewright::local
