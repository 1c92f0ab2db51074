#include "lib/dockerfile/expand.h"

#include <gtest/gtest.h>

namespace stagewright::dockerfile {
namespace {

using Names = std::set<std::string>;

TEST(ExpandWord, AppliesModifiers) {
  struct Case {
    std::string word;
    std::string expected;
  };
  const EnvironmentList environment({"P=a/b/b/c.tar.gz", "E=", "STAR=xx**", "RE=()[]{}^$.*?|\\x",
                                     "U=ёжик/ёж", "N=1\n2", "S=aaa"});
  const std::vector<Case> cases = {
      {"${P#*/}", "b/b/c.tar.gz"},
      {"${P##*/}", "c.tar.gz"},
      {"${P%.*}", "a/b/b/c.tar"},
      {"${P%%.*}", "a/b/b/c"},
      {"${P/b/X}", "a/X/b/c.tar.gz"},
      {"${P//b/X}", "a/X/X/c.tar.gz"},
      {"${P/\\//-}", "a-b/b/c.tar.gz"},
      {"${P//\\//\\/}", "a\\/b\\/b\\/c.tar.gz"},
      {"${P/nope/X}", "a/b/b/c.tar.gz"},
      {"${P#nope}", "a/b/b/c.tar.gz"},
      {"${P#?}", "/b/b/c.tar.gz"},
      {"${P#}", "a/b/b/c.tar.gz"},
      {"${P##}", "a/b/b/c.tar.gz"},
      {"${P#*}", "a/b/b/c.tar.gz"},
      {"${P##*}", ""},
      {"${P:#a}", "/b/b/c.tar.gz"},
      {"${P%%/*/}", "a/b/b/c.tar.gz"},
      {"${STAR%%\\**}", "xx"},
      {"${RE#()[]{\\}^$.\\*\\?|\\\\}", "x"},
      {"${U#ё}", "жик/ёж"},
      {"${U%ж}", "ёжик/ё"},
      {"${U//ж/zh}", "ёzhик/ёzh"},
      {"${S//a/$S}", "aaaaaaaaa"},
      {"${S/*/x}", "x"},
      {"${E//x/y}", ""},
      {"${S//$E/-}", "-a-a-a-"},
      {"${N#*2}", "1\n2"},
      {"${none:-${P##*.}}", "gz"},
      {"${E-x}${E:-y}${E+z}${E:+w}", "yz"},
      {"\"${P%/*}\"", "a/b/b"},
      {"$", "$"},
      {"$(x)", "$(x)"},
      {"a$ b", "a$ b"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.word);
    const Result<Expansion> expansion = expandWord(c.word, environment);
    ASSERT_TRUE(expansion) << expansion.error().message;
    EXPECT_EQ(expansion->text, c.expected);
  }
}

TEST(ExpandWord, NamesItsErrors) {
  struct Case {
    std::string word;
    std::string message;
  };
  const EnvironmentList environment({"P=a", "E="});
  const std::vector<Case> cases = {
      {"x${}", "failed to process \"x${}\": syntax error: bad substitution"},
      {"${:x}", "failed to process \"${:x}\": syntax error: bad substitution"},
      {"${{a}", "failed to process \"${{a}\": syntax error: bad substitution"},
      {"${P", "failed to process \"${P\": unsupported modifier (\xef\xbf\xbd) in substitution"},
      {"${P:-x", "failed to process \"${P:-x\": syntax error: missing '}'"},
      {"${", "failed to process \"${\": syntax error: missing '}'"},
      {"${P/x}", "failed to process \"${P/x}\": syntax error: missing '/' in ${}"},
      {"${P/x/y", "failed to process \"${P/x/y\": syntax error: missing '}'"},
      {"${P=x}", "failed to process \"${P=x}\": unsupported modifier (=) in substitution"},
      {"${P:=x}", "failed to process \"${P:=x}\": unsupported modifier (:=) in substitution"},
      {"${P^^}", "failed to process \"${P^^}\": unsupported modifier (^) in substitution"},
      {"${none:?no $P}", "failed to process \"${none:?no $P}\": none: no a"},
      {"${none?}", "failed to process \"${none?}\": none: is not allowed to be unset"},
      {"${E:?}", "failed to process \"${E:?}\": E: is not allowed to be empty"},
      {"'a",
       "failed to process \"'a\": unexpected end of statement while looking for matching "
       "single-quote"},
      {"\"a",
       "failed to process \"\\\"a\": unexpected end of statement while looking for matching "
       "double-quote"},
      {"${P#\\a}",
       "failed to process \"${P#\\\\a}\": invalid pattern (\\a) in substitution: invalid "
       "escape '\\a'"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.word);
    const Result<Expansion> expansion = expandWord(c.word, environment);
    ASSERT_FALSE(expansion) << expansion->text;
    EXPECT_EQ(expansion.error().message, c.message);
    EXPECT_EQ(expansion.error().code, Code::kInvalid);
  }
}

TEST(ExpandWord, TakesTheEscapeCharacterOfTheDirective) {
  const EnvironmentList environment({"A=1"});
  EXPECT_EQ(expandWord("C:\\x`$A$A", environment, '`')->text, "C:\\x$A1");
  EXPECT_EQ(expandWord("\"`\"`x\"", environment, '`')->text, "\"`x");
}

TEST(ExpandWord, ReportsVariables) {
  const EnvironmentList environment({"A=1", "E="});
  const Result<Expansion> expansion = expandWord("$A$B${C:-$A}'$D'${E:-$F}\\$G", environment);
  ASSERT_TRUE(expansion);
  EXPECT_EQ(expansion->variables.used, (Names{"A", "E"}));
  EXPECT_EQ(expansion->variables.unset, (Names{"B", "C", "F"}));
}

TEST(ExpandWord, HasBounds) {
  std::string nested;
  for (int i = 0; i < 200000; ++i) {
    nested += "${a:-";
  }
  EXPECT_FALSE(expandWord(nested, EnvironmentList()));
  EnvironmentList environment;
  environment.set("BIG", std::string(1024 * 1024, 'a'));
  std::string many;
  for (int i = 0; i < 1000; ++i) {
    many += "$BIG";
  }
  EXPECT_FALSE(expandWord(many, environment));
  environment.set("PATTERN", std::string(30000, '?') + "x*x");
  EXPECT_FALSE(expandWord("${BIG//*$PATTERN/y}", environment));
}

TEST(ExpandHeredoc, TreatsQuotesAsText) {
  const EnvironmentList environment({"A=1"});
  const Result<Expansion> expansion =
      expandHeredoc("'$A' \"${A}\" \\$A \\\\ \\x \\\ny ${B:-\"z\"}\n", environment);
  ASSERT_TRUE(expansion);
  EXPECT_EQ(expansion->text, "'1' \"1\" $A \\ x \ny \"z\"\n");
}

Instruction makeInstruction(InstructionBody body) {
  Instruction instruction;
  instruction.body = std::move(body);
  return instruction;
}

TEST(ExpandInstruction, SeesTheEnvironmentBeforeIt) {
  const EnvironmentList environment({"a=old", "k=key"});
  const Result<ExpandedInstruction> out = expandInstruction(
      makeInstruction(Env{{{"a", "new"}, {"b", "$a"}, {"$k", "\"x  y\""}}}), environment);
  ASSERT_TRUE(out);
  EXPECT_EQ(out->instruction.as<Env>()->pairs,
            (std::vector<KeyValue>{{"a", "new"}, {"b", "old"}, {"key", "x  y"}}));
}

TEST(ExpandInstruction, LeavesOutWhatTheReferenceLeavesOut) {
  const EnvironmentList environment({"x=1 2", "m=755"});
  Copy copy;
  copy.sources = {"$x", "\"a\""};
  copy.destination = "/$x";
  copy.chown = "$x";
  copy.chmod = "$m";
  copy.excludes = {"$x"};
  copy.contents = {{"$x", 0, true, true, "\t$x\n"}, {"b", 0, false, false, "$x\n"}};
  const Result<ExpandedInstruction> out = expandInstruction(makeInstruction(copy), environment);
  ASSERT_TRUE(out);
  const Copy& result = *out->instruction.as<Copy>();
  EXPECT_EQ(result.sources, (std::vector<std::string>{"1 2", "a"}));
  EXPECT_EQ(result.destination, "/1 2");
  EXPECT_EQ(result.chmod, "755");
  EXPECT_EQ(result.excludes, std::vector<std::string>{"$x"});
  EXPECT_EQ(result.contents[0].text(), "1 2\n");
  EXPECT_EQ(result.contents[1].text(), "$x\n");
  dockerfile::Run command;
  command.command.args = {"echo $x"};
  const Result<ExpandedInstruction> run = expandInstruction(makeInstruction(command), environment);
  EXPECT_EQ(run->instruction.as<dockerfile::Run>()->command.args[0], "echo $x");
}

TEST(ExpandInstruction, SplitsExposeAfterExpansion) {
  const EnvironmentList environment({"ports=80 443/udp"});
  const Result<ExpandedInstruction> out =
      expandInstruction(makeInstruction(Expose{{"$ports", "\"1 2\""}}), environment);
  ASSERT_TRUE(out);
  EXPECT_EQ(out->instruction.as<Expose>()->ports,
            (std::vector<std::string>{"80", "443/udp", "1 2"}));
}

TEST(EnvironmentList, ReplacesInPlace) {
  EnvironmentList environment({"A=1", "B", "A=3", "C=x=y"});
  EXPECT_EQ(environment.assignments(), (std::vector<std::string>{"A=3", "B=", "C=x=y"}));
  environment.unset("A");
  environment.set("C", "z");
  EXPECT_EQ(environment.names(), (std::vector<std::string>{"B", "C"}));
  EXPECT_EQ(environment.find("C"), "z");
  EXPECT_EQ(environment.find("A"), std::nullopt);
}

}  // namespace
}  // namespace stagewright::dockerfile
