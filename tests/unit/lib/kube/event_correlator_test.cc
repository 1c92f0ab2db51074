#include "lib/kube/event_correlator.h"

#include <gtest/gtest.h>

namespace stagewright::kube {
namespace {

using Kind = EventVerdict::Kind;

class Correlator : public testing::Test {
 protected:
  EventVerdict judge(const std::string& note, const std::string& uid = "u") {
    return correlator_.judge("shop", uid, {"Normal", "StageStarted", note}, now_,
                             TimePoint(now_.time_since_epoch()));
  }
  EventCorrelator correlator_;
  SteadyPoint now_{std::chrono::hours(10)};
};

TEST_F(Correlator, RepeatsBecomeASeries) {
  const EventVerdict first = judge("a");
  EXPECT_EQ(first.kind, Kind::kCreate);
  const EventVerdict again = judge("a");
  EXPECT_EQ(again.kind, Kind::kRepeat);
  EXPECT_EQ(again.name, first.name);
  EXPECT_EQ(again.count, 2);
}

TEST_F(Correlator, ASeriesEndsAfterSixQuietMinutes) {
  const EventVerdict first = judge("a");
  now_ += std::chrono::minutes(7);
  const EventVerdict later = judge("a");
  EXPECT_EQ(later.kind, Kind::kCreate);
  EXPECT_NE(later.name, first.name);
}

TEST_F(Correlator, CombinesTheEleventhDifferentNote) {
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(judge(std::to_string(i)).note, std::to_string(i));
  }
  EXPECT_EQ(judge("x").note, "(combined from similar events)");
  EXPECT_EQ(judge("y").kind, Kind::kRepeat);
  now_ += std::chrono::minutes(11);
  EXPECT_EQ(judge("y").note, "y");
}

TEST_F(Correlator, DropsBeyondTheBurstOfOneObjectOnly) {
  for (int i = 0; i < 25; ++i) {
    EXPECT_NE(judge("a").kind, Kind::kDrop);
  }
  EXPECT_EQ(judge("a").kind, Kind::kDrop);
  EXPECT_EQ(judge("a", "other").kind, Kind::kCreate);
  now_ += std::chrono::seconds(301);
  EXPECT_NE(judge("a").kind, Kind::kDrop);
  EXPECT_EQ(judge("a").kind, Kind::kDrop);
}

}  // namespace
}  // namespace stagewright::kube
