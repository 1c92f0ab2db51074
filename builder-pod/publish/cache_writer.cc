#include "builder-pod/publish/cache_writer.h"

#include "lib/plan/cache_entry.h"

namespace stagewright::publish {

namespace {

Error errorOf(const Refusal& refusal) { return unavailable(refusal.failure.message); }

}  // namespace

Result<oci::Descriptor> CacheWriter::copyFrom(const oci::Repository& output,
                                              const oci::Descriptor& layer,
                                              std::stop_token stop) const {
  const UploadResult placed = placeBaseLayer(route_, output, layer, std::move(stop));
  if (const auto* refusal = std::get_if<Refusal>(&placed)) {
    return errorOf(*refusal);
  }
  return std::get<Placed>(placed).descriptor;
}

Status CacheWriter::tag(const CachedStep& step, std::stop_token stop) {
  if (!config_) {
    const UploadResult placed =
        placeBytes(route_, std::string(plan::kCacheConfig), plan::kCacheConfigType, stop);
    if (const auto* refusal = std::get_if<Refusal>(&placed)) {
      return errorOf(*refusal);
    }
    config_ = std::get<Placed>(placed).descriptor;
  }
  const oci::Manifest entry =
      plan::makeCacheEntry(*config_, {step.blob, step.diffId}, step.contentKey);
  return route_.push.pushManifest(route_.target, plan::cacheTag(step.contentKey), entry.mediaType,
                                  oci::serializeManifest(entry), std::move(stop));
}

}  // namespace stagewright::publish
