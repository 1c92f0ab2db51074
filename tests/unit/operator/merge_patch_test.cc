#include "operator/merge_patch.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace stagewright::op {
namespace {

TEST(MergePatch, MakesOneValueOfAnother) {
  struct Case {
    const char *from, *to, *patch;
  };
  const Case cases[] = {
      {R"({"a":1})", R"({"a":1})", "{}"},
      {R"({"a":1})", R"({"a":2})", R"({"a":2})"},
      {R"({"a":1,"b":2})", R"({"a":1})", R"({"b":null})"},
      {R"({})", R"({"a":{"b":1}})", R"({"a":{"b":1}})"},
      {R"({"a":{"b":1,"c":2}})", R"({"a":{"b":1,"d":3}})", R"({"a":{"c":null,"d":3}})"},
      {R"({"a":[1,2]})", R"({"a":[1,3]})", R"({"a":[1,3]})"},
      {R"({"a":{"b":1}})", R"({"a":7})", R"({"a":7})"},
  };
  for (const Case& c : cases) {
    Json value = Json::parse(c.from);
    const Json patch = makeMergePatch(value, Json::parse(c.to));
    EXPECT_EQ(patch, Json::parse(c.patch));
    value.merge_patch(patch);
    EXPECT_EQ(value, Json::parse(c.to));
  }
}

}  // namespace
}  // namespace stagewright::op
