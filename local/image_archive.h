// Images in archives: what `docker save` writes, and OCI layouts in a tar file.
#pragma once

#include <stop_token>
#include <string>

#include "lib/base/error.h"
#include "local/store.h"

namespace stagewright::local {

/// Unpacks the archive into a directory of this build and makes it an OCI layout, if it is none: docker-archive files have
/// plain layers, which are compressed. kInvalid where it is neither.
Result<std::string> openImageArchive(const std::string& path, Store& store, std::stop_token stop);

}  // namespace stagewright::local
