// Which attempts make up the image.
#pragma once

#include <map>
#include <optional>
#include <utility>

#include "lib/plan/plan.h"
#include "lib/plan/report.h"

namespace stagewright::publish {

/// Sealed reports by (stage, attempt).
using Reports = std::map<std::pair<int, int>, plan::StageReport>;

/// An attempt for every stage of the plan, once there is a set in which all have succeeded and each
/// was built from exactly the attempts that are in the set. The newest attempt of the target wins.
/// Skipped stages have none.
/// Pure.
std::optional<std::map<int, int>> chooseAttempts(const plan::BuildPlan& plan,
                                                 const Reports& reports);

}  // namespace stagewright::publish
