// ADD of a local archive: unpacked by content, whatever its name (docs: Dockerfile language, 6.11).
#pragma once

#include <optional>
#include <string>

#include "builder-pod/stage/accounts.h"
#include "builder-pod/stage/source_tree.h"
#include "lib/base/error.h"
#include "lib/layer/tree.h"

namespace stagewright::stage {

/// False if `path` is no regular file or holds no tar (plain, gzip, bzip2, xz or zstd): then it is
/// to be copied. kInvalid for an archive that breaks off or leads out of the destination.
Result<bool> unpackArchive(layer::Tree& tree, SourceTree& source, const std::string& path,
                           const std::string& destination, const std::optional<Owner>& owner);

}  // namespace stagewright::stage
