// Which files of a context a plan can touch, so that no others need to travel.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/plan/plan.h"

namespace stagewright::plan {

/// One path below the context with everything below it. Where it, or a directory on the way, is a symbolic link, the
/// link's destination is used as well: COPY follows links that are named or matched.
struct ContextUse {
  std::string path;         ///< relative, clean; `.` is all of the context
  bool wildcards = false;   ///< it is a pattern by the rules of filepath.Match (a bind mount's source is none)
  bool doubleStar = false;  ///< COPY --parents: `**` in it crosses directories

  bool operator==(const ContextUse&) const = default;
};

/// What one source of a copy from the main context means.
ContextUse contextUseOf(const CopyStep& copy, const CopySource& source);

/// Sorted by path, each once. One use of `.` stands for all. `context` is a named context, empty for the main one.
std::vector<ContextUse> contextUses(const BuildPlan& plan, std::string_view context = {});

}  // namespace stagewright::plan
