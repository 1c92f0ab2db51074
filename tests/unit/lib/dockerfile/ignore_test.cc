#include "lib/dockerfile/ignore.h"

#include <gtest/gtest.h>


namespace stagewright::dockerfile {
namespace {

IgnoreMatcher matcherOf(const std::vector<std::string>& patterns) {
  Result<IgnoreMatcher> matcher = makeIgnoreMatcher(patterns);
  EXPECT_TRUE(matcher) << (matcher ? "" : matcher.error().message);
  return matcher ? std::move(*matcher) : IgnoreMatcher();
}

TEST(MatchGlob, IsGosFilepathMatch) {
  struct Case {
    std::string pattern;
    std::string name;
    bool expected;
  };
  const std::vector<Case> cases = {
      {"*", "a", true},           {"*", "a/b", false},    {"a*", ".a", false},
      {"*", ".a", true},          {"a?c", "abc", true},   {"a?c", "a/c", false},
      {"[a-c]x", "bx", true},     {"[^a]x", "ax", false}, {"[[]x", "[x", true},
      {"\\*", "*", true},         {"**", "a/b", false},   {"a*b*c", "axxbyyc", true},
      {"a*b*c", "axxbyy", false}, {"日?", "日本", true},  {"", "", true},
      {"[^a]", "/", true},
  };
  for (const Case& c : cases) {
    const Result<bool> matched = matchGlob(c.pattern, c.name);
    ASSERT_TRUE(matched) << c.pattern;
    EXPECT_EQ(*matched, c.expected) << c.pattern << " against " << c.name;
  }
  for (const std::string bad : {"[", "[a", "[]a]", "a\\", "[-a]", "[a-]"}) {
    EXPECT_EQ(matchGlob(bad, "x").error().message, "syntax error in pattern") << bad;
  }
}

TEST(IgnoreMatcher, CarriesResultsDownwards) {
  const IgnoreMatcher matcher = matcherOf({"a/b", "!a"});
  const IgnoreMatcher::State root;
  const IgnoreMatcher::State a = matcher.step("a", root);
  EXPECT_FALSE(a.excluded());
  EXPECT_TRUE(matcher.step("a/b", a).excluded());
  EXPECT_TRUE(matcher.hasExceptions());
  EXPECT_FALSE(matcher.empty());
  EXPECT_TRUE(IgnoreMatcher().empty());
}

TEST(IgnoreMatcher, SkipsDirectoriesOnlyWhereNoExceptionReaches) {
  const IgnoreMatcher matcher = matcherOf({"*", "!docs/api/*.md", "!src"});
  EXPECT_TRUE(matcher.canSkipDirectory("lib"));
  EXPECT_FALSE(matcher.canSkipDirectory("docs"));
  EXPECT_FALSE(matcher.canSkipDirectory("docs/api"));
  EXPECT_TRUE(matcher.canSkipDirectory("docs/guide"));
  EXPECT_FALSE(matcherOf({"*", "!**/*.go"}).canSkipDirectory("lib"));
  EXPECT_TRUE(matcherOf({"*"}).canSkipDirectory("lib"));
}

TEST(IgnoreMatcher, HostilePatternsStayLinear) {
  std::string pattern;
  for (int i = 0; i < 500; ++i) {
    pattern += "*a";
  }
  const IgnoreMatcher matcher = matcherOf({pattern + "b"});
  EXPECT_FALSE(matcher.excludes(std::string(400, 'a') + "b"));
  EXPECT_TRUE(matcher.excludes(std::string(600, 'a') + "b"));
}

}  // namespace
}  // namespace stagewright::dockerfile
