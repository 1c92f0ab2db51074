#include "lib/base/seal.h"

#include <gtest/gtest.h>

namespace stagewright {
namespace {

const SealScope kScope{"k3v9q2m7xa", "2", 1};

TEST(SealText, RoundTrips) {
  const std::string key = attemptKey("run key", "2", 1);
  const auto body = unsealText(key, kScope, "report", sealText(key, kScope, "report", R"({"a":1})"));
  ASSERT_TRUE(body) << body.error().message;
  EXPECT_EQ(*body, R"({"a":1})");
}

TEST(SealText, IsBoundToEveryPartOfItsScope) {
  const std::string key = attemptKey("run key", "2", 1);
  const std::string sealed = sealText(key, kScope, "report", "{}");
  const SealScope scopes[] = {{"other", "2", 1}, {kScope.runId, "3", 1}, {kScope.runId, "2", 2}};
  for (const SealScope& scope : scopes) {
    EXPECT_EQ(unsealText(key, scope, "report", sealed).error().code, Code::kDenied);
  }
  EXPECT_EQ(unsealText(key, kScope, "layer", sealed).error().code, Code::kDenied);
  EXPECT_EQ(unsealText(attemptKey("run key", "2", 2), kScope, "report", sealed).error().code, Code::kDenied);
}

TEST(SealText, RefusesChangedAndMalformedText) {
  const std::string key = attemptKey("run key", "2", 1);
  std::string sealed = sealText(key, kScope, "report", "{}");
  sealed.back() = ']';
  EXPECT_EQ(unsealText(key, kScope, "report", sealed).error().code, Code::kDenied);
  for (const std::string_view text : {"", "\n", "abc\n{}", "no newline at all"}) {
    EXPECT_EQ(unsealText(key, kScope, "report", text).error().code, Code::kInvalid) << text;
  }
}

TEST(AttemptKey, DiffersByRoleAndAttempt) {
  EXPECT_NE(attemptKey("k", "1", 1), attemptKey("k", "1", 2));
  EXPECT_NE(attemptKey("k", "1", 1), attemptKey("k", "2", 1));
  EXPECT_NE(attemptKey("k", "1", 1), attemptKey("l", "1", 1));
  // "1" + "12" and "11" + "2" must not meet.
  EXPECT_NE(attemptKey("k", "1", 12), attemptKey("k", "11", 2));
  EXPECT_EQ(attemptKey("k", "1", 1).size(), 32U);
}

TEST(Frame, OpensOnlyWithItsSeal) {
  const std::string key = attemptKey("run key", "prepare", 1);
  const SealScope scope{"r", "prepare", 1};
  const std::string line = makeFrame(key, scope, R"({"type":"plan"})");
  EXPECT_EQ(*openFrame(key, scope, line), R"({"type":"plan"})");
  EXPECT_EQ(openFrame(key, scope, "hello").error().code, Code::kNotFound);
  EXPECT_EQ(openFrame(key, scope, "##stagewright short").error().code, Code::kNotFound);
  std::string forged = line;
  forged.replace(forged.find("plan\""), 4, "push");
  EXPECT_EQ(openFrame(key, scope, forged).error().code, Code::kDenied);
}

}  // namespace
}  // namespace stagewright
