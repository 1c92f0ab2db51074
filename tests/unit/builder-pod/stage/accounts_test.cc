#include "builder-pod/stage/accounts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stagewright::stage {
namespace {

using ::testing::ElementsAreArray;

const Accounts kAccounts{
    "root:x:0:0:root:/root:/bin/sh\n"
    "\n"
    "app:x:1000:1001:App:/home/app:/bin/sh\n"
    "twin:x:1000:7::/twin:\n"
    "nohome:x:1005:1005::\n"
    "123:x:1006:1006::/n:\n"
    "broken:x:abc\n",
    "root:x:0:\nwheel:x:10:root,app\napp:x:1001:\nextra:x:1002:app,other\nlong:x:1003:a,b,app\n",
    true};

TEST(ResolveUser, FollowsTheTable) {
  struct Case {
    const char* user;
    std::uint32_t uid, gid;
    std::vector<std::uint32_t> groups;
    const char* home;
  };
  const Case cases[] = {
      {"", 0, 0, {0, 10}, "/root"},
      {"root", 0, 0, {0, 10}, "/root"},
      {"app", 1000, 1001, {1001, 10, 1002, 1003}, "/home/app"},
      {"1000", 1000, 1001, {1001, 10, 1002, 1003}, "/home/app"},
      {"4711", 4711, 0, {0}, "/"},
      {"app:extra", 1000, 1002, {1002}, "/home/app"},
      {"app:5", 1000, 5, {5}, "/home/app"},
      {"1000:1000", 1000, 1000, {1000}, "/home/app"},
      {"4711:wheel", 4711, 10, {10}, "/"},
      {"root:root", 0, 0, {0}, "/root"},
      {"nohome", 1005, 1005, {1005}, "/"},
      {"broken", 0, 0, {0}, "/root"},  // a field that is no number reads as 0
      {":extra", 0, 1002, {1002}, "/root"},
  };
  for (const Case& c : cases) {
    const auto who = resolveUser(c.user, kAccounts);
    ASSERT_TRUE(who) << c.user;
    EXPECT_EQ(who->uid, c.uid) << c.user;
    EXPECT_EQ(who->gid, c.gid) << c.user;
    EXPECT_THAT(who->groups, ElementsAreArray(c.groups)) << c.user;
    EXPECT_EQ(who->home, c.home) << c.user;
  }
}

TEST(ResolveUser, SaysWhatIsUnknown) {
  EXPECT_EQ(resolveUser("ghost", kAccounts).error().message,
            "unable to find user ghost: no matching entries in passwd file");
  EXPECT_EQ(resolveUser("app:ghosts", kAccounts).error().message,
            "unable to find group ghosts: no matching entries in group file");
  EXPECT_EQ(resolveUser("app", Accounts{}).error().message,
            "unable to find user app: no matching entries in passwd file");
  EXPECT_FALSE(resolveUser("-5", kAccounts));
  EXPECT_FALSE(resolveUser("99999999999", kAccounts));
  EXPECT_TRUE(resolveUser("", Accounts{}));
  EXPECT_TRUE(resolveUser("1:2", Accounts{}));
}

TEST(ResolveOwner, FollowsTheTable) {
  const std::vector<std::pair<const char*, Owner>> cases = {
      {"app", {1000, 1001}},       {"1000", {1000, 1000}},       {"root", {0, 0}},
      {"app:extra", {1000, 1002}}, {"app:", {1000, 1001}},          {"ghost", {0, 0}},
      {"ghost:extra", {0, 1002}},  {"app:ghosts", {1000, 1001}}, {"5:6", {5, 6}},
      {"5:ghosts", {5, 5}},        {":extra", {0, 1002}},
  };
  for (const auto& [text, owner] : cases) {
    EXPECT_EQ(resolveOwner(text, kAccounts), owner) << text;
  }
}

}  // namespace
}  // namespace stagewright::stage
