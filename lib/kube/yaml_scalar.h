// What a plain YAML 1.1 scalar means.
#pragma once

#include <string_view>

#include "lib/base/error.h"
#include "lib/base/json.h"

namespace stagewright::kube {

/// `tag` as yaml-cpp reports it: "?" plain, "!" quoted, else an explicit tag. kInvalid if tag and
/// text do not fit, and for infinities and NaN, which JSON cannot say.
Result<Json> resolveYamlScalar(std::string_view tag, std::string_view text);

}  // namespace stagewright::kube
