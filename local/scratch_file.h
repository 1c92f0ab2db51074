// Files that only this boot of the machine needs: written without waiting for the disk.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/error.h"

namespace stagewright::local {

/// Writes under a temporary name beside `path` and renames: a reader of this boot sees all or nothing. After a crash of the
/// machine the file may be empty or cut off; its readers must take that for absent.
Status saveScratchFile(const std::string& path, std::string_view bytes);

}  // namespace stagewright::local
