// Fills a cache's repository with the layers of steps that ran: what the next build's prepare finds
// by the steps' keys. Only layers that the sealed success of their stage names get a tag, and only
// after the image itself is there. A cache that cannot be written fails no build.
#pragma once

#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>

#include "builder-pod/publish/placement.h"
#include "lib/base/error.h"
#include "lib/plan/plan.h"

namespace stagewright::publish {

/// The layers of one step as blobs of the cache's repository.
struct CachedStep {
  std::string contentKey;
  oci::Digest diffId;
  oci::Descriptor blob;
};

class CacheWriter {
 public:
  explicit CacheWriter(Route route) : route_(std::move(route)) {}

  const Route& route() const { return route_; }
  /// A blob that the output repository has, in the cache's repository too.
  Result<oci::Descriptor> copyFrom(const oci::Repository& output, const oci::Descriptor& layer,
                                   std::stop_token stop) const;
  /// Makes the step findable. REQUIRES: its blob is in the cache's repository.
  Status tag(const CachedStep& step, std::stop_token stop);

 private:
  Route route_;
  std::optional<oci::Descriptor> config_;
};

}  // namespace stagewright::publish
