#include "lib/kube/yaml.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "lib/base/json.h"

namespace stagewright::kube {
namespace {

struct Case {
  const char* input;     ///< `\n` and `\t` stand for the characters
  const char* expected;  ///< what sigs.k8s.io/yaml makes of it, or "error"
};

constexpr Case kCases[] = {
    {R"~(a: yes)~", R"~({"a":true})~"},
    {R"~(a: "yes")~", R"~({"a":"yes"})~"},
    {R"~(a: on)~", R"~({"a":true})~"},
    {R"~(on: 1)~", R"~({"true":1})~"},
    {R"~(a: y)~", R"~({"a":true})~"},
    {R"~(n: 1)~", R"~({"false":1})~"},
    {R"~(a: True)~", R"~({"a":true})~"},
    {R"~(a: tRUE)~", R"~({"a":"tRUE"})~"},
    {R"~(a: 010)~", R"~({"a":8})~"},
    {R"~(a: 0o10)~", R"~({"a":8})~"},
    {R"~(a: 08)~", R"~({"a":8})~"},
    {R"~(a: 0x1F)~", R"~({"a":31})~"},
    {R"~(a: 0b11)~", R"~({"a":3})~"},
    {R"~(a: 1_000)~", R"~({"a":1000})~"},
    {R"~(a: 1e3)~", R"~({"a":1000})~"},
    {R"~(a: 1.0)~", R"~({"a":1})~"},
    {R"~(a: .5)~", R"~({"a":0.5})~"},
    {R"~(a: 1.)~", R"~({"a":1})~"},
    {R"~(a: +1)~", R"~({"a":1})~"},
    {R"~(a: -0)~", R"~({"a":0})~"},
    {R"~(a: 12:30:45)~", R"~({"a":"12:30:45"})~"},
    {R"~(a: 2024-01-01)~", R"~({"a":"2024-01-01"})~"},
    {R"~(a: 2024-01-01T00:00:00Z)~", R"~({"a":"2024-01-01T00:00:00Z"})~"},
    {R"~(a: 9223372036854775808)~", R"~({"a":9223372036854775808})~"},
    {R"~(a: 18446744073709551616)~", R"~({"a":18446744073709552000})~"},
    {R"~(a: 1.22.3)~", R"~({"a":"1.22.3"})~"},
    {R"~(a: 1.20)~", R"~({"a":1.2})~"},
    {R"~(a: ~)~", R"~({"a":null})~"},
    {R"~(a:)~", R"~({"a":null})~"},
    {R"~(a: null)~", R"~({"a":null})~"},
    {R"~(a: "null")~", R"~({"a":"null"})~"},
    {R"~(a: !!str 123)~", R"~({"a":"123"})~"},
    {R"~(a: !!int "42")~", R"~({"a":42})~"},
    {R"~(a: !!str yes)~", R"~({"a":"yes"})~"},
    {R"~(a: !!float 3)~", R"~({"a":3})~"},
    {R"~(a: !!binary aGVsbG8=)~", R"~({"a":"hello"})~"},
    {R"~(a: .inf)~", R"~(error)~"},
    {R"~(1: a)~", R"~({"1":"a"})~"},
    {R"~(1.5: a)~", R"~({"1.5":"a"})~"},
    {R"~(true: a)~", R"~({"true":"a"})~"},
    {R"~(null: a)~", R"~(error)~"},
    {R"~(a: |\n  yes)~", R"~({"a":"yes"})~"},
    {R"~(a: >-\n  123)~", R"~({"a":"123"})~"},
    {R"~(a: 'yes')~", R"~({"a":"yes"})~"},
    {R"~(a: 1,000)~", R"~({"a":"1,000"})~"},
    {R"~(a: 0.1e-3)~", R"~({"a":0.0001})~"},
    {R"~(a: 1e400)~", R"~({"a":"1e400"})~"},
    {R"~(a: 0777)~", R"~({"a":511})~"},
    {R"~(a: -010)~", R"~({"a":-8})~"},
    {R"~(a: 0xFFFFFFFFFFFFFFFF)~", R"~({"a":18446744073709551615})~"},
    {R"~(x: &a {p: 1, q: 2}\ny: {<<: *a, q: 3})~", R"~({"true":{"p":1,"q":3},"x":{"p":1,"q":2}})~"},
    {R"~(x: &a {p: 1}\nz: &b {r: 2}\ny: {<<: [*a, *b], q: 3})~",
     R"~({"true":{"p":1,"q":3,"r":2},"x":{"p":1},"z":{"r":2}})~"},
    {R"~(x: &a 1\ny: *a)~", R"~({"true":1,"x":1})~"},
    {R"~(a: 1\na: 2)~", R"~({"a":2})~"},
    {R"~(a: {b: [1, two, ~]})~", R"~({"a":{"b":[1,"two",null]}})~"},
    {R"~(? [1,2]\n: x)~", R"~(error)~"},
    {R"~(a: &x [*x])~", R"~(error)~"},
    {R"~(a: "\u00e9\x41")~", R"~({"a":"éA"})~"},
    {R"~(a: é)~", R"~({"a":"é"})~"},
    {R"~(- 1\n- yes)~", R"~([1,true])~"},
    {R"~(just text)~", R"~("just text")~"},
    {R"~(a: 123abc)~", R"~({"a":"123abc"})~"},
    {R"~(a: 1e)~", R"~({"a":"1e"})~"},
    {R"~(a: -)~", R"~(error)~"},
    {R"~(a: --)~", R"~({"a":"--"})~"},
    {R"~(a: ')~", R"~(error)~"},
    {R"~(a: [1)~", R"~(error)~"},
    {R"~(a:\tb)~", R"~({"a":"b"})~"},
    {R"~(a: @x)~", R"~(error)~"},
    {R"~(a: %x)~", R"~(error)~"},
    {R"~(a: 'it''s')~", R"~({"a":"it's"})~"},
    {R"~(a: 0b)~", R"~({"a":"0b"})~"},
    {R"~(a: 0x)~", R"~({"a":"0x"})~"},
    {R"~(a: +)~", R"~({"a":"+"})~"},
    {R"~(a: .)~", R"~({"a":"."})~"},
    {R"~(a: 1__0)~", R"~({"a":10})~"},
    {R"~(a: _1)~", R"~({"a":"_1"})~"},
    {R"~(a: NO)~", R"~({"a":false})~"},
    {R"~(a: ON)~", R"~({"a":true})~"},
    {R"~(a: nO)~", R"~({"a":"nO"})~"},
    {R"~(a: 00)~", R"~({"a":0})~"},
    {R"~(a: 1E5)~", R"~({"a":100000})~"},
    {R"~(a: 0o9)~", R"~({"a":"0o9"})~"},
    {R"~(a: 100m)~", R"~({"a":"100m"})~"},
    {R"~(a: 1Gi)~", R"~({"a":"1Gi"})~"},
};

std::string unescaped(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape =
        text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == 'n' || text[i + 1] == 't');
    if (escape) {
      out += text[++i] == 'n' ? '\n' : '\t';
    } else {
      out += text[i];
    }
  }
  return out;
}

class YamlTable : public testing::TestWithParam<Case> {};

TEST_P(YamlTable, AgreesWithSigsYaml) {
  const Result<Json> value = parseYaml(unescaped(GetParam().input));
  if (std::string(GetParam().expected) == "error") {
    EXPECT_FALSE(value.has_value()) << dumpJson(*value);
    return;
  }
  ASSERT_TRUE(value.has_value()) << value.error().message;
  EXPECT_EQ(*value, Json::parse(GetParam().expected)) << dumpJson(*value);
}

INSTANTIATE_TEST_SUITE_P(Reference, YamlTable, testing::ValuesIn(kCases));

TEST(Yaml, StopsBillionLaughs) {
  std::string text = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int j = 0; j < 8; ++j) {
      text += "," + before;
    }
    text += "]\n";
  }
  const Result<Json> value = parseYaml(text);
  ASSERT_FALSE(value.has_value());
  EXPECT_NE(value.error().message.find("the document is too large"), std::string::npos)
      << value.error().message;
}

TEST(Yaml, StopsDeepNesting) {
  const Result<Json> value = parseYaml(std::string(300, '[') + std::string(300, ']'));
  ASSERT_FALSE(value.has_value());
  EXPECT_NE(value.error().message.find("nested too deeply"), std::string::npos)
      << value.error().message;
}

TEST(Yaml, ReadsEveryDocumentOfAStream) {
  const Result<std::vector<Json>> documents = parseYamlDocuments("a: 1\n---\n---\nb: 2\n");
  ASSERT_TRUE(documents.has_value());
  ASSERT_EQ(documents->size(), 2u);
  EXPECT_EQ((*documents)[1], Json::parse(R"({"b":2})"));
}

TEST(Yaml, SaysWhere) {
  const Result<Json> value = parseYaml("a: 1\nb: [1\n");
  ASSERT_FALSE(value.has_value());
  EXPECT_EQ(value.error().message.rfind("not YAML: line ", 0), 0u) << value.error().message;
}

TEST(Yaml, MergedKeysGiveWayToWrittenOnesWhateverTheOrder) {
  const Result<Json> value = parseYaml("x: &x {p: 1}\nz: {p: 2, <<: *x}\n");
  ASSERT_TRUE(value.has_value());
  EXPECT_EQ((*value)["z"], Json::parse(R"({"p":2})"));
}

}  // namespace
}  // namespace stagewright::kube
