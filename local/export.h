// Outputs other than a registry.
#pragma once

#include <string>
#include <vector>

#include "lib/base/error.h"
#include "local/image.h"
#include "local/options.h"

namespace stagewright::local {

/// An OCI layout, as a tar archive or a directory; `names` are the image's tags. REQUIRES: every layer has its file.
Status exportLayout(const Image& image, const std::vector<std::string>& names, const Output& output);
/// What `docker load` reads: manifest.json, the config and plain layers.
Status exportDockerArchive(const Image& image, const std::vector<std::string>& names, const Output& output);
/// The root file system at `root` as a tar archive, or copied into a directory.
Status exportTree(const std::string& root, const Output& output);

}  // namespace stagewright::local
