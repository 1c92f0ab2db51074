// A complete image in files: what `pack` writes and `push` uploads.
#pragma once

#include <string>
#include <vector>

#include "cli/arguments.h"
#include "cli/image_content.h"
#include "cli/work_directory.h"
#include "lib/oci/image_config.h"
#include "lib/oci/manifest.h"

namespace stagewright::cli {

/// The options of pack and push that describe content and config.
const std::vector<Option>& contentOptions();

struct BuiltImage {
  std::string config;    ///< bytes
  std::string manifest;  ///< bytes
  oci::Manifest parsed;
  std::vector<std::string> layerFiles;  ///< compressed, same order as the manifest's layers
  oci::Digest digest() const { return oci::Digest::ofBytes(manifest); }
};

/// Equal options and files give equal bytes, whenever and wherever. At least one layer, if an empty
/// one: runtimes refuse images without.
Result<BuiltImage> buildImage(const Arguments& arguments, const WorkDirectory& work);

}  // namespace stagewright::cli
