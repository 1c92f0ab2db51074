#include "operator/write_gate.h"

#include <gtest/gtest.h>

#include "tests/support/fake_api_clock.h"

namespace stagewright::op {
namespace {

class Gate : public testing::Test {
 protected:
  bool isOpen(const std::string& key) { return !gate_.wait(key).has_value(); }

  kube::FakeApiClock clock_;
  std::map<CachedKind, std::string> cache_ = {
      {CachedKind::kBuild, "10"}, {CachedKind::kPod, "10"}, {CachedKind::kClaim, "10"}};
  WriteGate gate_{clock_, [this](CachedKind kind, const std::string&) { return cache_[kind]; }};
};

TEST_F(Gate, IsOpenBeforeAnyWrite) { EXPECT_TRUE(isOpen("a")); }

TEST_F(Gate, WaitsUntilEveryKindHasPassed) {
  gate_.expect("a", CachedKind::kBuild, "11");
  gate_.expect("a", CachedKind::kPod, "12");
  cache_[CachedKind::kBuild] = "100";
  EXPECT_FALSE(isOpen("a"));
  EXPECT_TRUE(isOpen("b"));
  cache_[CachedKind::kPod] = "12";
  EXPECT_TRUE(isOpen("a"));
}

TEST_F(Gate, KeepsTheNewestVersion) {
  gate_.expect("a", CachedKind::kPod, "20");
  gate_.expect("a", CachedKind::kPod, "9");
  gate_.expect("a", CachedKind::kPod, "");
  cache_[CachedKind::kPod] = "19";
  EXPECT_FALSE(isOpen("a"));
}

TEST_F(Gate, LooksMoreRarelyTheLongerItWaits) {
  gate_.expect("a", CachedKind::kPod, "11");
  EXPECT_EQ(gate_.wait("a"), Millis(20));
  clock_.advance(Millis(400));
  EXPECT_EQ(gate_.wait("a"), Millis(100));
  clock_.advance(std::chrono::minutes(1));
  EXPECT_EQ(gate_.wait("a"), Millis(1000));
}

TEST_F(Gate, OpensAtLastForVersionsThatNeverCome) {
  gate_.expect("a", CachedKind::kPod, "999999");
  clock_.advance(std::chrono::minutes(9));
  EXPECT_FALSE(isOpen("a"));
  clock_.advance(std::chrono::minutes(2));
  EXPECT_TRUE(isOpen("a"));
}

}  // namespace
}  // namespace stagewright::op
