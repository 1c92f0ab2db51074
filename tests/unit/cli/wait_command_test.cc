#include "cli/wait_command.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "lib/base/json.h"

namespace stagewright::cli {
namespace {

api::ImageBuild buildWith(const Json& status, int generation = 2) {
  const Json object = {{"metadata", {{"name", "shop"}, {"generation", generation}}},
                       {"spec", {{"dockerfileInline", "FROM x"}, {"output", {{"image", "r/x:1"}}}}},
                       {"status", status}};
  Result<api::ImageBuild> out = api::parseImageBuild(object);
  EXPECT_TRUE(out) << out.error().message;
  return out ? std::move(*out) : api::ImageBuild();
}

Json statusWith(const char* ready, const char* reason, const char* failureClass = nullptr) {
  Json out = {{"observedGeneration", 2},
              {"lastHandledRebuild", "7"},
              {"conditions",
               {{{"type", "Ready"}, {"status", ready}, {"reason", reason}, {"message", "m"}}}}};
  if (failureClass != nullptr) {
    out["failure"] = {{"class", failureClass}, {"reason", reason}};
  }
  return out;
}

TEST(VerdictOf, TellsWhoCanHelp) {
  EXPECT_EQ(verdictOf(buildWith(statusWith("True", "Succeeded")), ""), 0);
  EXPECT_EQ(verdictOf(buildWith(statusWith("False", "StageFailed", "User")), ""), 1);
  EXPECT_EQ(verdictOf(buildWith(statusWith("False", "PolicyViolation", "Policy")), ""), 1);
  EXPECT_EQ(verdictOf(buildWith(statusWith("False", "NodeCannotPull", "Platform")), ""), 2);
  EXPECT_EQ(verdictOf(buildWith(statusWith("False", "Cancelled")), ""), 3);
}

TEST(VerdictOf, WaitsForThePresentSpecAndTheWantedRun) {
  EXPECT_FALSE(verdictOf(buildWith(statusWith("Unknown", "Progressing")), ""));
  EXPECT_FALSE(verdictOf(buildWith({{"observedGeneration", -1}}), ""));
  EXPECT_FALSE(verdictOf(buildWith(statusWith("True", "Succeeded"), 3), ""))
      << "the edit was not seen yet";
  EXPECT_FALSE(verdictOf(buildWith(statusWith("True", "Succeeded")), "8"));
  EXPECT_EQ(verdictOf(buildWith(statusWith("True", "Succeeded")), "7"), 0);
}

}  // namespace
}  // namespace stagewright::cli
