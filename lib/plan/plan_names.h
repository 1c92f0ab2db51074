// How the enumerations of the plan are spelled in its JSON. Internal to lib/plan.
#pragma once

#include <optional>
#include <string_view>

#include "lib/plan/plan.h"

namespace stagewright::plan {

std::string_view mountTypeText(Mount::Type type);
std::optional<Mount::Type> mountTypeOf(std::string_view text);
std::string_view copyFromText(CopySource::From from);
std::optional<CopySource::From> copyFromOf(std::string_view text);
std::string_view baseKindText(Base::Kind kind);
std::optional<Base::Kind> baseKindOf(std::string_view text);

}  // namespace stagewright::plan
