#include "operator/progress.h"

#include <gtest/gtest.h>

#include "tests/support/fake_api_clock.h"

namespace stagewright::op {
namespace {

class ProgressTest : public testing::Test {
 protected:
  void pass(int seconds) { clock_.sleepFor(std::chrono::seconds(seconds), {}); }
  kube::FakeApiClock clock_;
  Progress progress_{clock_};
};

TEST_F(ProgressTest, IsNothingWhileNothingIsInFlight) {
  progress_.onPhase("", "Queued");
  pass(100);
  EXPECT_EQ(progress_.since(), Millis(0));
}

TEST_F(ProgressTest, CountsFromTheLastAdvanceOfAnyBuild) {
  progress_.onPhase("Queued", "Preparing");
  pass(10);
  EXPECT_EQ(progress_.since(), Millis(10'000));
  progress_.onAdvance();
  pass(4);
  EXPECT_EQ(progress_.since(), Millis(4'000));
  progress_.onPhase("Preparing", "Building");
  EXPECT_EQ(progress_.since(), Millis(4'000)) << "still one in flight; hasAdvanced() says the rest";
  progress_.onPhase("Building", "Succeeded");
  pass(50);
  EXPECT_EQ(progress_.since(), Millis(0));
}

TEST(HasAdvanced, SeesStatesAndAttemptsButNoMessages) {
  api::ImageBuildStatus before;
  before.phase = "Building";
  before.run.emplace();
  before.run->id = "aaaaaaaaaa";
  before.stages.resize(2);
  api::ImageBuildStatus after = before;
  after.stages[1].message = "Back-off pulling image";
  after.stages[1].reason = "ImagePullBackOff";
  EXPECT_FALSE(hasAdvanced(before, after));
  after.stages[1].attempt = 2;
  EXPECT_TRUE(hasAdvanced(before, after));
  after = before;
  after.run->publish.state = api::AttemptState::kRunning;
  EXPECT_TRUE(hasAdvanced(before, after));
  after = before;
  after.run->id = "bbbbbbbbbb";
  EXPECT_TRUE(hasAdvanced(before, after));
}

}  // namespace
}  // namespace stagewright::op
