// Base images from registries; what a digest stands for is remembered in the store.
#pragma once

#include <string>

#include "local/image_source.h"
#include "local/store.h"

namespace stagewright::local {

class RegistrySource final : public ImageSource {
 public:
  /// Borrows both. With `refresh` even a registry that does not answer is no excuse for the image of the last time.
  RegistrySource(registry::Client& client, Store& store, bool refresh)
      : client_(client), store_(store), refresh_(refresh) {}
  /// A tag is looked up each time; manifest and config are fetched once per digest.
  Result<plan::BaseImage> fetchImage(const std::string& name, const oci::Platform& platform,
                                     std::stop_token stop) override;
  Status fetchLayer(const std::string& pinnedReference, const oci::Descriptor& layer, const http::BodySink& sink,
                    std::stop_token stop) override;

 private:
  Result<plan::BaseImage> fetchAnew(const oci::Reference& reference, const oci::Platform& platform,
                                    std::stop_token stop);

  registry::Client& client_;
  Store& store_;
  bool refresh_;
};

}  // namespace stagewright::local
