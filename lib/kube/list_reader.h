// Reading a list answer item by item: a tree of the whole would take seven times the memory of its
// text.
#pragma once

#include <functional>
#include <string_view>

#include "lib/base/json.h"
#include "lib/kube/client.h"

namespace stagewright::kube {

/// Calls `onItem` for every element of the top-level `items`. kInvalid for what is no list.
Result<ListMeta> readList(std::string_view text, const std::function<void(Json&)>& onItem);

}  // namespace stagewright::kube
