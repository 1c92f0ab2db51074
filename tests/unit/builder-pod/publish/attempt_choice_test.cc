#include "builder-pod/publish/attempt_choice.h"

#include <gtest/gtest.h>

namespace stagewright::publish {
namespace {

/// 0 and 1 stand alone, 2 (the target) copies from both.
plan::BuildPlan joinPlan() {
  plan::BuildPlan plan;
  plan.stages.resize(3);
  for (int i = 0; i < 3; ++i) {
    plan.stages[static_cast<std::size_t>(i)].index = i;
  }
  plan.stages[2].dependsOn = {0, 1};
  plan.target = 2;
  return plan;
}

struct Entry {
  int stage;
  int attempt;
  bool succeeded;
  std::map<int, int> upstream;
};

Reports reportsOf(const std::vector<Entry>& entries) {
  Reports reports;
  for (const Entry& entry : entries) {
    plan::StageReport report;
    report.stage = entry.stage;
    report.attempt = entry.attempt;
    report.succeeded = entry.succeeded;
    report.upstream = entry.upstream;
    reports[{entry.stage, entry.attempt}] = report;
  }
  return reports;
}

using Choice = std::map<int, int>;

struct Case {
  const char* name;
  std::vector<Entry> reports;
  std::optional<Choice> expected;
};

class Choose : public ::testing::TestWithParam<Case> {};

TEST_P(Choose, Attempts) {
  EXPECT_EQ(chooseAttempts(joinPlan(), reportsOf(GetParam().reports)), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Table, Choose,
    ::testing::Values(
        Case{"nothing", {}, std::nullopt},
        Case{"all first",
             {{0, 1, true, {}}, {1, 1, true, {}}, {2, 1, true, {{0, 1}, {1, 1}}}},
             Choice{{0, 1}, {1, 1}, {2, 1}}},
        Case{"one missing", {{0, 1, true, {}}, {2, 1, true, {{0, 1}, {1, 1}}}}, std::nullopt},
        Case{"one failed",
             {{0, 1, true, {}}, {1, 1, false, {}}, {2, 1, true, {{0, 1}, {1, 1}}}},
             std::nullopt},
        Case{"target failed",
             {{0, 1, true, {}}, {1, 1, true, {}}, {2, 1, false, {{0, 1}, {1, 1}}}},
             std::nullopt},
        Case{
            "retried upstream",
            {{0, 1, false, {}}, {0, 2, true, {}}, {1, 1, true, {}}, {2, 2, true, {{0, 2}, {1, 1}}}},
            Choice{{0, 2}, {1, 1}, {2, 2}}},
        Case{"newest target wins",
             {{0, 1, true, {}},
              {0, 2, true, {}},
              {1, 1, true, {}},
              {2, 1, true, {{0, 1}, {1, 1}}},
              {2, 2, true, {{0, 2}, {1, 1}}}},
             Choice{{0, 2}, {1, 1}, {2, 2}}},
        Case{"older target if the newer's upstream failed",
             {{0, 1, true, {}},
              {0, 2, false, {}},
              {1, 1, true, {}},
              {2, 1, true, {{0, 1}, {1, 1}}},
              {2, 2, true, {{0, 2}, {1, 1}}}},
             Choice{{0, 1}, {1, 1}, {2, 1}}},
        Case{"a dependency is not in the report",
             {{0, 1, true, {}}, {1, 1, true, {}}, {2, 1, true, {{0, 1}}}},
             std::nullopt},
        Case{"an upstream that is later",
             {{0, 1, true, {{2, 1}}}, {1, 1, true, {}}, {2, 1, true, {{0, 1}, {1, 1}}}},
             std::nullopt},
        Case{"two stages built from different attempts",
             {{0, 1, true, {}},
              {0, 2, true, {}},
              {1, 1, true, {{0, 2}}},
              {2, 1, true, {{0, 1}, {1, 1}}}},
             std::nullopt}),
    [](const auto& param) { return "Case" + std::to_string(param.index); });

}  // namespace
}  // namespace stagewright::publish
