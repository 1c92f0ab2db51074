#include "local/rootless.h"

#include <gtest/gtest.h>

namespace stagewright::local {
namespace {

TEST(FindIdRange, TakesTheFirstLineOfTheUser) {
  const std::string text = "# comment\nother:1:2\nme:100000:65536\nme:900000:1\n";
  const auto range = findIdRange(text, "me", "1000");
  ASSERT_TRUE(range);
  EXPECT_EQ(range->first, "100000");
  EXPECT_EQ(range->count, "65536");
}

TEST(FindIdRange, KnowsUsersByNumber) { EXPECT_EQ(findIdRange("1000:5:6", "", "1000")->first, "5"); }

TEST(FindIdRange, PassesOverWhatIsNoRange) {
  for (const char* text : {"", "me", "me:1", "me::5", "me:1:0", "me:x:5", "me:1:5 ", "men:1:5", ":1:5"}) {
    EXPECT_FALSE(findIdRange(text, "me", "1000")) << text;
  }
}

}  // namespace
}  // namespace stagewright::local
