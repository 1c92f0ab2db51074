#include "lib/plan/plan.h"

#include <algorithm>

namespace stagewright::plan {

namespace {

const Stage& stageAt(const BuildPlan& plan, int index) {
  return plan.stages[static_cast<std::size_t>(index)];
}

}  // namespace

std::string rootImage(const BuildPlan& plan, int stage) {
  const Base& base = stageAt(plan, baseChain(plan, stage).front()).base;
  return base.kind == Base::Kind::kImage ? base.reference : std::string();
}

std::vector<int> baseChain(const BuildPlan& plan, int stage) {
  std::vector<int> chain = {stage};
  while (stageAt(plan, chain.back()).base.kind == Base::Kind::kStage) {
    chain.push_back(stageAt(plan, chain.back()).base.stage);
  }
  std::reverse(chain.begin(), chain.end());
  return chain;
}

}  // namespace stagewright::plan
