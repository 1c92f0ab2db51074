// Certificate authorities beyond the system's.
#pragma once

#include <string>
#include <vector>

#include "lib/base/error.h"

namespace stagewright::http {

/// The certificates of `files`, which are in PEM, and the system's in one text. kNotFound for a
/// file that is not there, kInvalid for one without a certificate or larger than 4 MiB.
Result<std::string> loadAuthorities(const std::vector<std::string>& files);

}  // namespace stagewright::http
