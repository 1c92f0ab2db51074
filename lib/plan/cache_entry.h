// How a layer stands in a cache's repository: one manifest for each step, tagged by the step's key,
// with the layer as its only one. Written by publish, read by prepare.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/oci/manifest.h"
#include "lib/plan/plan.h"

namespace stagewright::plan {

/// The config of every entry: `{}`.
inline constexpr std::string_view kCacheConfig = "{}";
inline constexpr std::string_view kCacheConfigType = "application/vnd.oci.empty.v1+json";

std::string cacheTag(std::string_view contentKey);

oci::Manifest makeCacheEntry(const oci::Descriptor& config, const LayerStep& layer,
                             const std::string& contentKey);
/// Nothing if the manifest is no entry for this key.
std::optional<LayerStep> readCacheEntry(const oci::Manifest& manifest,
                                        const std::string& contentKey);

}  // namespace stagewright::plan
