#include "cli/arguments.h"

#include <gtest/gtest.h>

namespace stagewright::cli {
namespace {

const std::vector<Option> kTable = {
    {"--add", "SRC", "files"}, {"--json", "", "as JSON"}, {"-o", "FILE", "output"}};

TEST(Arguments, KeepsOrderAndTakesBothSpellings) {
  const Arguments arguments =
      Arguments::parse({"--add", "a", "ref", "--add=b=c", "--json", "-o", "out.tar", "--", "--add"},
                       kTable)
          .value();
  ASSERT_EQ(arguments.given().size(), 4U);
  EXPECT_EQ(arguments.given()[0].value, "a");
  EXPECT_EQ(arguments.given()[1].value, "b=c");
  EXPECT_EQ(arguments.last("-o"), "out.tar");
  EXPECT_TRUE(arguments.has("--json"));
  EXPECT_EQ(arguments.positional(), (std::vector<std::string>{"ref", "--add"}));
}

struct Case {
  std::vector<std::string> args;
  const char* message;
};
class Wrong : public ::testing::TestWithParam<Case> {};
TEST_P(Wrong, IsNamed) {
  EXPECT_EQ(Arguments::parse(GetParam().args, kTable).error().message, GetParam().message);
}
INSTANTIATE_TEST_SUITE_P(Table, Wrong,
                         ::testing::Values(Case{{"--nope"}, "unknown option --nope"},
                                           Case{{"--nope=1"}, "unknown option --nope"},
                                           Case{{"--json=1"}, "--json takes no value"},
                                           Case{{"--add"}, "--add needs a value: SRC"}));

TEST(Arguments, KnowsHelpEverywhere) {
  EXPECT_TRUE(Arguments::parse({"-h"}, {}).value().has("--help"));
  EXPECT_TRUE(Arguments::parse({"--help"}, {}).value().has("--help"));
}

}  // namespace
}  // namespace stagewright::cli
