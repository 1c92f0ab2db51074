// Where a built image goes: a registry, or a file.
#pragma once

#include <string>

#include "cli/image_build.h"
#include "lib/oci/reference.h"
#include "lib/registry/client.h"

namespace stagewright::cli {

/// Blobs the registry lacks, manifest by digest, then the tag.
Status pushImage(const BuiltImage& image, const oci::Reference& reference,
                 registry::Client& client);

/// An OCI image layout as a tar (`ctr images import`, `skopeo copy oci-archive:`); `name` may be
/// empty.
Status saveImageLayout(const BuiltImage& image, const std::string& name, const std::string& path);

}  // namespace stagewright::cli
