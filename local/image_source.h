// Where base images come from: a registry, or an OCI layout on this machine.
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "lib/base/error.h"
#include "lib/http/transport.h"
#include "lib/oci/manifest.h"
#include "lib/oci/reference.h"
#include "lib/plan/planner.h"
#include "lib/registry/client.h"

namespace stagewright::local {

/// Thread-safe.
class ImageSource {
 public:
  virtual ~ImageSource() = default;
  /// The platform's image under a name. Errors: as registry::Client.
  virtual Result<plan::BaseImage> fetchImage(const std::string& name, const oci::Platform& platform,
                                             std::stop_token stop) = 0;
  /// The bytes of a layer as they are stored.
  virtual Status fetchLayer(const std::string& pinnedReference, const oci::Descriptor& layer,
                            const http::BodySink& sink, std::stop_token stop) = 0;
};

/// An OCI layout directory: index.json, blobs/. Its images have references of the form `<name>@<digest>`, the name
/// beginning with a host below kLayoutHost.
class LayoutSource final : public ImageSource {
 public:
  LayoutSource(std::string name, std::string directory) : name_(std::move(name)), directory_(std::move(directory)) {}
  /// `name` ends in `:tag` or `@digest`; without either the only image, or `latest`, is meant.
  Result<plan::BaseImage> fetchImage(const std::string& name, const oci::Platform& platform,
                                     std::stop_token stop) override;
  Status fetchLayer(const std::string& pinnedReference, const oci::Descriptor& layer, const http::BodySink& sink,
                    std::stop_token stop) override;

 private:
  Result<oci::Descriptor> findEntry(const std::string& name) const;
  Result<std::string> loadBlob(const oci::Digest& digest) const;

  std::string name_;
  std::string directory_;
};

inline constexpr std::string_view kLayoutHost = "oci-layout.local";

}  // namespace stagewright::local
