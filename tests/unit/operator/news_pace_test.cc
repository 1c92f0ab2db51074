#include "operator/news_pace.h"

#include <gtest/gtest.h>

#include "tests/support/fake_api_clock.h"

namespace stagewright::op {
namespace {

TEST(NewsPace, OnceInTwoSecondsForAFewBuilds) {
  kube::FakeApiClock clock;
  NewsPace pace(clock);
  EXPECT_EQ(pace.rest("ns/a"), std::nullopt) << "the first news does not wait";
  pace.wrote("ns/a");
  EXPECT_EQ(pace.rest("ns/a"), Millis(2'000));
  clock.advance(Millis(1'500));
  EXPECT_EQ(pace.rest("ns/a"), Millis(500));
  EXPECT_EQ(pace.rest("ns/b"), std::nullopt) << "each build has its own";
  clock.advance(Millis(500));
  EXPECT_EQ(pace.rest("ns/a"), std::nullopt);
}

TEST(NewsPace, FiftyASecondForAllBuildsTogether) {
  kube::FakeApiClock clock;
  NewsPace pace(clock);
  for (int i = 0; i < 500; ++i) {
    pace.wrote("ns/" + std::to_string(i));
  }
  EXPECT_EQ(pace.rest("ns/7"), Millis(10'000));
  for (int i = 500; i < 5'000; ++i) {
    pace.wrote("ns/" + std::to_string(i));
  }
  EXPECT_EQ(pace.rest("ns/7"), Millis(30'000)) << "but every build twice a minute";
  for (int i = 10; i < 5'000; ++i) {
    pace.forget("ns/" + std::to_string(i));
  }
  EXPECT_EQ(pace.rest("ns/7"), Millis(2'000)) << "builds that have ended do not count";
}

}  // namespace
}  // namespace stagewright::op
