// Whole plans: tests/golden/plan/<case>/{Dockerfile, request.json, plan.json}; in cases named
// error-* `message` in the place of the plan. UPDATE_GOLDEN=1 rewrites plans and messages; what
// they hold was checked against the language reference by eye. Cache keys are left out:
// planner_steps_test.cc says what they must tell apart.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "lib/base/file.h"
#include "tests/support/source_dir.h"
#include "tests/unit/lib/plan/plan_fixture.h"

namespace stagewright::plan {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLimit = 4 * 1024 * 1024;

fs::path goldenFolder() { return sourceDir() / "tests/golden/plan"; }

std::vector<std::string> caseNames() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(goldenFolder())) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string testName(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

void readPairs(const Json& json, const char* key,
               std::vector<std::pair<std::string, std::string>>& out) {
  const Json pairs = json.value(key, Json::object());
  for (const auto& [name, value] : pairs.items()) {
    out.emplace_back(name, value.get<std::string>());
  }
}

Given readRequest(const fs::path& path) {
  Given given;
  const auto text = loadFile(path.string(), kLimit);
  const Json json = text ? Json::parse(*text) : Json::object();
  readPairs(json, "args", given.args);
  readPairs(json, "labels", given.labels);
  given.target = json.value("target", "");
  given.platform = json.value("platform", "linux/amd64");
  given.buildPlatform = json.value("buildPlatform", "linux/amd64");
  const Json images = json.value("images", Json::object());
  for (const auto& [name, config] : images.items()) {
    const auto parsed = oci::parseImageConfig(config.dump());
    EXPECT_TRUE(parsed) << parsed.error().message;
    given.images.emplace_back(name, *parsed);
  }
  return given;
}

std::string planText(const BuildPlan& plan) {
  Json json = Json::parse(serializePlan(plan));
  for (Json& stage : json["stages"]) {
    for (Json& step : stage["steps"]) {
      step.erase("cacheKey");
    }
  }
  return json.dump(1) + "\n";
}

class GoldenPlan : public testing::TestWithParam<std::string> {};

TEST_P(GoldenPlan, IsAsWritten) {
  const fs::path folder = goldenFolder() / GetParam();
  const auto text = loadFile((folder / "Dockerfile").string(), kLimit);
  ASSERT_TRUE(text) << text.error().message;
  const auto plan = planOf(*text, readRequest(folder / "request.json"));
  const bool wantsError = GetParam().rfind("error-", 0) == 0;
  ASSERT_EQ(plan.has_value(), !wantsError) << (plan ? "planning succeeded" : plan.error().message);
  const std::string actual = plan ? planText(*plan) : plan.error().message + "\n";
  const std::string path = (folder / (wantsError ? "message" : "plan.json")).string();
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {
    ASSERT_TRUE(saveFileAtomically(path, actual));
    GTEST_SKIP() << "rewrote " << path;
  }
  EXPECT_EQ(actual, loadFile(path, kLimit).value_or("(no golden file)"));
  if (plan) {
    EXPECT_TRUE(parsePlan(serializePlan(*plan)));
  }
}

INSTANTIATE_TEST_SUITE_P(Plan, GoldenPlan, testing::ValuesIn(caseNames()), testName);

}  // namespace
}  // namespace stagewright::plan
