// The fields of spec, as data: the parser refuses what is not here, and a test compares this table
// with the CRD.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "lib/base/json.h"

namespace stagewright::api {

struct KeySet {
  std::string_view path;  ///< of an object in spec: spec.source.git, spec.buildArgs[]
  std::vector<std::string_view> keys;
};

/// Every object in spec that has named fields. Maps with free keys (nodeSelector) are not in it.
std::span<const KeySet> specKeys();

/// kInvalid naming the first field of `reader` that the table does not have at `path`.
Status onlySpecKeys(const JsonReader& reader, std::string_view path);

}  // namespace stagewright::api
