// The tree of an image in a registry, as a list or as one tar.
#pragma once

#include <string>
#include <vector>

#include "cli/image_tree.h"
#include "cli/work_directory.h"
#include "lib/oci/manifest.h"
#include "lib/oci/reference.h"
#include "lib/registry/client.h"

namespace stagewright::cli {

/// Layers in files, and the tree they make.
struct ExportedImage {
  std::vector<std::string> layerFiles;  ///< as the registry has them, compressed
  ImageTree tree;
};

/// Fetches every layer and checks it against digest and diffId.
Result<ExportedImage> fetchTree(const oci::Reference& reference, const oci::Platform& platform,
                                registry::Client& client, const WorkDirectory& work);

/// Directories first, then files with their hard links, then the rest: what a plain `tar -x` needs.
Status saveTree(const ExportedImage& image, const std::string& path);

}  // namespace stagewright::cli
