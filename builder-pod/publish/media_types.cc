#include "builder-pod/publish/media_types.h"

#include <array>
#include <utility>

#include "lib/oci/manifest.h"

namespace stagewright::publish {

namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kPairs = {{
    {oci::kMediaLayerGzip, oci::kMediaDockerLayer},
    {oci::kMediaLayerZstd, "application/vnd.docker.image.rootfs.diff.tar.zstd"},
    {oci::kMediaLayerTar, "application/vnd.docker.image.rootfs.diff.tar"},
}};

}  // namespace

std::string layerMediaType(std::string_view type, bool dockerFormat) {
  for (const auto& [ociType, dockerType] : kPairs) {
    if (type == ociType || type == dockerType) {
      return std::string(dockerFormat ? dockerType : ociType);
    }
  }
  return std::string(type);
}

bool isForeignLayer(std::string_view type) {
  return type.find(".nondistributable.") != std::string_view::npos ||
         type.find(".foreign.") != std::string_view::npos;
}

}  // namespace stagewright::publish
