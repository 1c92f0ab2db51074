#include "builder-pod/stage/held_secrets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

#include "tests/unit/lib/layer/temporary_directory.h"

namespace stagewright::stage {
namespace {

using layer::TemporaryDirectory;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TakeSecrets : public ::testing::Test {
 protected:
  TakeSecrets() { EXPECT_TRUE(dir_.shell("mkdir volume")); }
  Result<HeldSecrets> take(Millis patience = Millis(10'000)) {
    return takeSecrets(dir_ / "volume", patience, *stop_);
  }
  TemporaryDirectory dir_;
  Result<Stop> stop_ = Stop::make();
};

constexpr const char* kFull =
    "cd volume && printf value > 0 && printf key > 1 && touch leftover && "
    "echo '{\"items\": [{\"kind\": \"secret\", \"id\": \"npm\", \"file\": \"0\"}, "
    "{\"kind\": \"ssh\", \"id\": \"default\", \"file\": \"1\"}]}' > h.tmp && mv h.tmp "
    "handover.json";

TEST_F(TakeSecrets, TakesEverythingAndLeavesNothing) {
  ASSERT_TRUE(dir_.shell(kFull));
  const auto held = take();
  ASSERT_TRUE(held) << held.error().message;
  EXPECT_EQ(held->values.at("npm"), "value");
  EXPECT_EQ(held->keys.at("default"), "key");
  EXPECT_TRUE(dir_.shell("test -z \"$(ls -A volume)\" && test $(stat -c %a volume) = 711"));
}

TEST_F(TakeSecrets, WaitsForTheLastFile) {
  std::jthread carrier([this] {
    std::this_thread::sleep_for(Millis(60));
    EXPECT_TRUE(dir_.shell(kFull));
  });
  const auto held = take();
  ASSERT_TRUE(held) << held.error().message;
  EXPECT_EQ(held->values.size(), 1U);
}

TEST_F(TakeSecrets, TellsWhatIsMissing) {
  ASSERT_TRUE(dir_.shell(
      "echo '{\"items\": [], \"problem\": \"the Secret x is not there\"}' > volume/handover.json"));
  const auto held = take();
  ASSERT_FALSE(held);
  EXPECT_EQ(held.error().code, Code::kNotFound);
  EXPECT_EQ(held.error().message, "the Secret x is not there");
}

TEST_F(TakeSecrets, GivesUpInTimeAndWhenStopped) {
  auto held = take(Millis(30));
  ASSERT_FALSE(held);
  EXPECT_EQ(held.error().code, Code::kUnavailable);
  stop_->request();
  held = take();
  ASSERT_FALSE(held);
  EXPECT_EQ(held.error().code, Code::kCancelled);
}

TEST_F(TakeSecrets, FollowsNoLink) {
  ASSERT_TRUE(
      dir_.shell("echo out > out; ln -s ../out volume/0; echo '{\"items\": [{\"kind\": \"secret\", "
                 "\"id\": \"npm\", \"file\": \"0\"}]}' > volume/handover.json"));
  EXPECT_FALSE(take());
  EXPECT_EQ(dir_.read("out"), "out\n");
}

TEST(HeldSecrets, MasksAreValuesAndTheLinesOfLongOnes) {
  HeldSecrets held;
  held.values = {{"a", "hunter2\n"}, {"b", "yes"}, {"c", "hunter2-and-more"}};
  held.keys = {{"k", "-----BEGIN-----\nabcdefghijk\nxy\n-----END-----\n"}};
  EXPECT_THAT(held.masks(), ElementsAre("hunter2-and-more", "-----BEGIN-----", "-----END-----",
                                        "abcdefghijk", "hunter2"));
}

}  // namespace
}  // namespace stagewright::stage
