// A build cache that travels: which steps there are and where their layers lie. Pure.
//
// It is an OCI manifest. Of its own (--cache-to type=registry or local) it has a config of kMediaCacheConfig with the steps,
// and their layers as its layers. Inside an image (type=inline) it is an annotation of the image's manifest that names the
// steps of the image's own layers.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/oci/image_config.h"
#include "lib/oci/manifest.h"
#include "local/store.h"

namespace stagewright::local {

inline constexpr std::string_view kMediaCacheConfig = "application/vnd.stagewright.cache.config.v1+json";
inline constexpr std::string_view kInlineCacheAnnotation = "dev.stagewright.cache.steps";

struct CacheContent {
  std::map<std::string, StepRecord> steps;   ///< by key; each with its blob, none with a layer directory
  std::map<std::string, std::string> notes;  ///< Store::findNote, under names that hold on every machine
};

/// Config and manifest of a cache. Equal content gives equal bytes.
struct CacheManifest {
  std::string config;
  oci::Manifest manifest;
};
CacheManifest makeCacheManifest(const CacheContent& content);
/// kInvalid where the config is no cache.
Result<CacheContent> parseCacheConfig(const std::string& config);

/// The annotation: `steps` are the keys and times of the image's last layers, in order.
std::string makeInlineCache(const std::vector<std::pair<std::string, std::string>>& steps);
/// What the annotation says about an image; empty where it has none.
Result<CacheContent> parseInlineCache(const oci::Manifest& manifest, const oci::ImageConfig& config);

}  // namespace stagewright::local
