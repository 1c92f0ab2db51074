#include "lib/api/conditions.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "lib/api/reasons.h"

namespace stagewright::api {
namespace {

const TimePoint kThen{std::chrono::seconds(1000)};
const TimePoint kLater{std::chrono::seconds(2000)};

TEST(ConditionSet, MovesTheTransitionTimeOnlyWithTheStatus) {
  ConditionSet set;
  set.set("Ready", Truth::kUnknown, "Progressing", "a", 1, kThen);
  set.set("Ready", Truth::kUnknown, "QuotaExceeded", "b", 2, kLater);
  EXPECT_EQ(set.find("Ready")->lastTransitionTime, kThen);
  EXPECT_EQ(set.find("Ready")->reason, "QuotaExceeded");
  EXPECT_EQ(set.find("Ready")->observedGeneration, 2);
  set.set("Ready", Truth::kTrue, "Succeeded", "", 2, kLater);
  EXPECT_EQ(set.find("Ready")->lastTransitionTime, kLater);
  EXPECT_TRUE(set.isTrue("Ready"));
  EXPECT_FALSE(set.isTrue("Stalled"));
}

TEST(ConditionSet, IsSortedAndRoundTrips) {
  ConditionSet set;
  set.set("Stalled", Truth::kTrue, "X", "m", 1, kThen);
  set.set("Finished", Truth::kFalse, "Running", "", 1, kThen);
  set.set("Ready", Truth::kUnknown, "Y", "", 1, kLater);
  const Json json = set.toJson();
  EXPECT_EQ(json[0]["type"], "Finished");
  EXPECT_EQ(json[2]["lastTransitionTime"], "1970-01-01T00:16:40Z");
  const Json holder = {{"conditions", json}};
  const auto items = JsonReader(holder).array("conditions").value();
  EXPECT_EQ(ConditionSet::parse(items)->toJson(), json);
  set.remove("Stalled");
  EXPECT_EQ(set.find("Stalled"), nullptr);
}

TEST(Reasons, AreUniqueAndClassified) {
  std::set<std::string_view> names;
  for (const ReasonInfo& info : allReasons()) {
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_FALSE(className(info.failureClass).empty());
    if (info.failureClass == FailureClass::kWaiting) {
      EXPECT_EQ(info.retry, Retry::kFree) << info.name << " is never charged";
    }
    if (info.failureClass == FailureClass::kUser) {
      EXPECT_TRUE(info.retry == Retry::kNever || info.retry == Retry::kForGrace) << info.name;
    }
  }
  EXPECT_EQ(names.size(), 35U);
  EXPECT_FALSE(findReason("Whatever"));
}

}  // namespace
}  // namespace stagewright::api
