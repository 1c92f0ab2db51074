// Which shared libraries a program needs, by asking its own dynamic linker.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"

namespace stagewright::cli {

/// The program interpreter named in an ELF file (64 bit, little endian); nothing for a static
/// program, kInvalid for a file that is no such ELF.
Result<std::optional<std::string>> loadInterpreter(const std::string& path);

/// Paths in the output of `ld.so --list`. kInvalid names a library that was not found.
Result<std::vector<std::string>> parseLoaderList(std::string_view text);

/// The interpreter and every library that `path` needs, as the linker finds them on this machine,
/// sorted.
Result<std::vector<std::string>> findSharedLibraries(const std::string& path);

}  // namespace stagewright::cli
