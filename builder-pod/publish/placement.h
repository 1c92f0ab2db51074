// How a blob comes into the output repository.
#pragma once

#include <functional>
#include <stop_token>

#include "builder-pod/publish/upload_queue.h"
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/compress/compressor.h"
#include "lib/oci/reference.h"
#include "lib/plan/report.h"
#include "lib/registry/client.h"

namespace stagewright::publish {

/// Where to and where from. Borrows; thread-safe.
struct Route {
  registry::Client& push;
  registry::Client& pull;  ///< of base images
  oci::Repository target;
  Clock& clock;
  bool dockerFormat = false;
  compress::Format compression = compress::Format::kGzip;  ///< of stages' layers
};

/// A base image's layer: there already, else mounted from `source` if that is in the same registry,
/// else copied.
UploadResult placeBaseLayer(const Route& route, const oci::Repository& source,
                            const oci::Descriptor& layer, std::stop_token stop);

/// A stage's layer: compressed and uploaded. Small ones are compressed in memory first, so that an
/// equal one from an earlier build is found by its digest. A tar that does not match its report is
/// read again for some seconds (a network file system may lag), then refused.
UploadResult placeLayer(const Route& route, const plan::LayerReport& layer,
                        const std::function<Result<Fd>()>& open, std::stop_token stop);

/// A config: small, in memory.
UploadResult placeBytes(const Route& route, std::string bytes, std::string_view mediaType,
                        std::stop_token stop);

}  // namespace stagewright::publish
