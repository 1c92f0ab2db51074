// YAML to JSON with the meaning that Kubernetes gives it (YAML 1.1 as sigs.k8s.io/yaml reads it):
// `on` is true, `010` is 8, keys are strings, the last duplicate key wins, `<<` merges.
#pragma once

#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/json.h"

namespace stagewright::kube {

/// What a document may grow to: an alias counts with the size of what it stands for, so that
/// "billion laughs" ends.
inline constexpr std::size_t kYamlNodeBudget = 1'000'000;
inline constexpr int kYamlDepthLimit = 200;

/// The first document; null for an empty text. kInvalid with line and column.
Result<Json> parseYaml(std::string_view text);

/// Every document of a stream, empty ones left out. One budget for all of them.
Result<std::vector<Json>> parseYamlDocuments(std::string_view text);

}  // namespace stagewright::kube
