#include "lib/plan/cache_entry.h"

namespace stagewright::plan {

namespace {
constexpr const char* kDiffIdAnnotation = "dev.stagewright.cache.diffid";
constexpr const char* kKeyAnnotation = "dev.stagewright.cache.key";

std::string annotationOf(const oci::Manifest& manifest, const char* name) {
  const auto it = manifest.annotations.find(name);
  return it == manifest.annotations.end() ? std::string() : it->second;
}
}  // namespace

std::string cacheTag(std::string_view contentKey) { return "step-" + std::string(contentKey); }

oci::Manifest makeCacheEntry(const oci::Descriptor& config, const LayerStep& layer,
                             const std::string& contentKey) {
  oci::Manifest out;
  out.config = config;
  out.layers = {layer.blob};
  out.annotations = {{kDiffIdAnnotation, layer.diffId.str()}, {kKeyAnnotation, contentKey}};
  return out;
}

std::optional<LayerStep> readCacheEntry(const oci::Manifest& manifest,
                                        const std::string& contentKey) {
  const auto diffId = oci::Digest::parse(annotationOf(manifest, kDiffIdAnnotation));
  if (!diffId || manifest.layers.size() != 1 ||
      annotationOf(manifest, kKeyAnnotation) != contentKey) {
    return std::nullopt;
  }
  return LayerStep{manifest.layers.front(), *diffId};
}

}  // namespace stagewright::plan
