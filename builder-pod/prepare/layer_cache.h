// A cache of steps' layers in a registry, from the reader's side. It is an aid: whatever is wrong
// with it makes a build slower and never fails it.
#pragma once

#include <stop_token>
#include <string>

#include "builder-pod/prepare/base_images.h"
#include "lib/oci/reference.h"
#include "lib/plan/prune.h"
#include "lib/registry/client.h"

namespace stagewright::prepare {

class LayerCache {
 public:
  /// Borrows `client` and `tell`.
  LayerCache(registry::Client& client, oci::Repository repository, const Narrator& tell,
             std::stop_token stop)
      : client_(client), repository_(std::move(repository)), tell_(tell), stop_(std::move(stop)) {}

  /// Asks for all steps at once. REQUIRES: setContentKeys().
  plan::CachedLayers find(const plan::BuildPlan& plan);
  /// Puts the layer, as compressed as it is, to <directory>/<plan::cachedLayerName()>. kNotFound,
  /// kDenied, kUnavailable: it cannot be had; others: of the volume.
  Status fetch(const plan::LayerStep& layer, const std::string& directory);

 private:
  registry::Client& client_;
  oci::Repository repository_;
  const Narrator& tell_;
  std::stop_token stop_;
};

}  // namespace stagewright::prepare
