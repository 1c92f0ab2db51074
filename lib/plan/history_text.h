// `created_by` of history entries, word for word as BuildKit writes them (reference section 9.1).
// Internal to lib/plan.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/dockerfile/environment.h"
#include "lib/dockerfile/instruction.h"
#include "lib/oci/image_config.h"

namespace stagewright::plan {

inline constexpr std::string_view kHistoryComment = "buildkit.dockerfile.v0";

/// A declared ARG and its value, if it has one.
using DeclaredArg = std::pair<std::string, std::optional<std::string>>;

std::string runHistory(const std::vector<std::string>& argv, const std::vector<DeclaredArg>& args,
                       const dockerfile::Environment& variables);
/// `instruction` is COPY or ADD; the values are expanded.
std::string copyHistory(std::string_view instruction, const dockerfile::Transfer& transfer,
                        bool parents);
/// ENV, LABEL.
std::string pairsHistory(std::string_view instruction,
                         const std::vector<dockerfile::KeyValue>& pairs);
std::string argHistory(const std::vector<DeclaredArg>& args);
/// Go's %v of a list of strings: `VOLUME [/a /b]`.
std::string listHistory(std::string_view instruction, const std::vector<std::string>& values);
/// Go's %q: `CMD ["a" "b"]`.
std::string quotedHistory(std::string_view instruction, const std::vector<std::string>& values);
std::string healthHistory(const oci::HealthConfig& health);

}  // namespace stagewright::plan
