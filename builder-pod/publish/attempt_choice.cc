#include "builder-pod/publish/attempt_choice.h"

#include <vector>

namespace stagewright::publish {

namespace {

const plan::StageReport* findSuccess(const Reports& reports, int stage, int attempt) {
  auto it = reports.find({stage, attempt});
  return it != reports.end() && it->second.succeeded ? &it->second : nullptr;
}

std::vector<int> successes(const Reports& reports, int stage) {
  std::vector<int> newestFirst;
  for (auto it = reports.rbegin(); it != reports.rend(); ++it) {
    if (it->first.first == stage && it->second.succeeded) {
      newestFirst.push_back(it->first.second);
    }
  }
  return newestFirst;
}

/// Everything that `stage` at `attempt` was built from, added to `chosen`. False if something is
/// missing, failed, or contradicts what was chosen before.
bool follow(const plan::BuildPlan& plan, const Reports& reports, int stage, int attempt,
            std::map<int, int>& chosen) {
  auto [it, added] = chosen.emplace(stage, attempt);
  if (!added) {
    return it->second == attempt;
  }
  const plan::StageReport* report = findSuccess(reports, stage, attempt);
  if (report == nullptr) {
    return false;
  }
  for (const int dependency : plan.stages[static_cast<std::size_t>(stage)].dependsOn) {
    if (!report->upstream.contains(dependency)) {
      return false;
    }
  }
  for (const auto& [upstream, upstreamAttempt] : report->upstream) {
    // A stage reads only earlier ones: this also ends the recursion whatever a report says.
    if (upstream < 0 || upstream >= stage ||
        !follow(plan, reports, upstream, upstreamAttempt, chosen)) {
      return false;
    }
  }
  return true;
}

}  // namespace

std::optional<std::map<int, int>> chooseAttempts(const plan::BuildPlan& plan,
                                                 const Reports& reports) {
  // A target that a cache has did not run; a stage that it is built on may have.
  const bool targetRuns = !plan.stages[static_cast<std::size_t>(plan.target)].skipped;
  for (const int attempt : targetRuns ? successes(reports, plan.target) : std::vector<int>{0}) {
    std::map<int, int> chosen;
    bool complete = !targetRuns || follow(plan, reports, plan.target, attempt, chosen);
    for (const plan::Stage& stage : plan.stages) {
      if (!complete || stage.skipped || chosen.contains(stage.index)) {
        continue;
      }
      const std::vector<int> others = successes(reports, stage.index);
      complete = !others.empty() && follow(plan, reports, stage.index, others.front(), chosen);
    }
    if (complete) {
      return chosen;
    }
  }
  return std::nullopt;
}

}  // namespace stagewright::publish
