#include "lib/dockerfile/parser.h"

#include <gtest/gtest.h>

#include "lib/dockerfile/values.h"

namespace stagewright::dockerfile {
namespace {

ParsedFile parsed(const std::string& text) {
  Result<ParsedFile> file = parseDockerfile({"Dockerfile", text});
  EXPECT_TRUE(file) << (file ? "" : file.error().message);
  return file ? std::move(*file) : ParsedFile{};
}

/// The first instruction of a stage made of `lines`.
template <class T>
T only(const std::string& lines) {
  const ParsedFile file = parsed("FROM scratch\n" + lines);
  if (file.stages.empty() || file.stages[0].instructions.empty() ||
      file.stages[0].instructions[0].as<T>() == nullptr) {
    ADD_FAILURE() << "no such instruction in " << lines;
    return T{};
  }
  return *file.stages[0].instructions[0].as<T>();
}

std::string errorOf(const std::string& text) {
  const Result<ParsedFile> file = parseDockerfile({"Dockerfile", text});
  return file ? "" : file.error().message;
}

TEST(Lines, ContinuationLooksAtOneCharacterOnly) {
  struct Case {
    std::string text;
    std::string joined;
  };
  const std::vector<Case> cases = {
      {"RUN a \\\n  b", "a   b"},
      {"RUN a \\  \t\n  b", "a   b"},
      {"RUN a \\\\\n", "a \\\\"},
      {"RUN a \\\n\n# comment\n  # another\nb", "a b"},
      {"\\\nRUN a", "a"},
      {"RUN a \\", "a"},
      {"RUN a \\\r\n b\r\n", "a  b"},
      {"RUN a # no comment", "a # no comment"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.text);
    EXPECT_EQ(only<dockerfile::Run>(c.text).command.args, std::vector<std::string>{c.joined});
  }
  EXPECT_NE(errorOf("FROM scratch\nRUN a \\\\\\\n  b").find("unknown instruction: b"),
            std::string::npos);
}

TEST(Lines, EscapeDirectiveChangesContinuation) {
  const ParsedFile file = parsed("# escape=`\nFROM scratch\nRUN dir C:\\ `\n  x\n");
  EXPECT_EQ(file.directives.escape, '`');
  EXPECT_EQ(file.stages[0].instructions[0].as<dockerfile::Run>()->command.args[0], "dir C:\\   x");
}

TEST(Lines, DirectivesEndAtTheFirstOtherLine) {
  const ParsedFile late = parsed("# just a comment\n# escape=`\nFROM scratch\n");
  EXPECT_EQ(late.directives.escape, '\\');
  const ParsedFile all =
      parsed("#Syntax = docker/dockerfile:1 -flag\n# check=skip=A;error=true more\nFROM scratch\n");
  EXPECT_EQ(all.directives.syntax, "docker/dockerfile:1");
  EXPECT_EQ(all.directives.check, "skip=A;error=true");
  EXPECT_EQ(all.directives.checkRange.line, 2);
}

TEST(Lines, SyntaxIsFoundInOtherForms) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"//syntax=a/b\n", "a/b"},        {"#!/usr/bin/env x\n# syntax=a/b\n", "a/b"},
      {"{\"syntax\": \"a/b\"}", "a/b"}, {"{\"syntax\": 1}", ""},
      {"FROM x\n# syntax=a/b\n", ""},
  };
  for (const auto& [text, syntax] : cases) {
    SCOPED_TRACE(text);
    const Result<Directives> directives = parseDirectives({"Dockerfile", text});
    ASSERT_TRUE(directives);
    EXPECT_EQ(directives->syntax, syntax);
  }
}

TEST(Lines, LengthIsLimited) {
  EXPECT_EQ(errorOf("FROM scratch\nRUN " + std::string(65531, 'x') + "\n"), "");
  EXPECT_NE(errorOf("FROM scratch\nRUN " + std::string(65532, 'x') + "\n")
                .find("dockerfile line greater than max allowed size of 65535"),
            std::string::npos);
}

TEST(Lines, CommentsDirectlyAboveBelongToAnInstruction) {
  const ParsedFile file = parsed(
      "# syntax=x\n# base is it\nFROM scratch AS base\n# lost\n\n# A first\n#\n# A second\nARG "
      "A\n");
  EXPECT_EQ(file.stages[0].from.comments, std::vector<std::string>{"base is it"});
  EXPECT_EQ(file.stages[0].instructions[0].comments, std::vector<std::string>{"A second"});
}

TEST(Parser, FromHasNameAndPlatform) {
  const ParsedFile file =
      parsed("ARG V=1\nFROM --platform=$BUILDPLATFORM go:$V As Builder\nfrom builder\nRUN x\n");
  ASSERT_EQ(file.stages.size(), 2U);
  EXPECT_EQ(file.globalArgs.size(), 1U);
  EXPECT_EQ(file.stages[0].name, "builder");
  EXPECT_EQ(file.stages[0].base, "go:$V");
  EXPECT_EQ(file.stages[0].platform, "$BUILDPLATFORM");
  EXPECT_EQ(file.stages[0].from.as<From>()->nameAsWritten, "Builder");
  EXPECT_EQ(file.stages[0].from.as<From>()->asWord, "As");
  EXPECT_EQ(file.stages[1].from.keyword, "from");
}

TEST(Parser, StagesAreFoundByTheRulesOfTheirReferrer) {
  const ParsedFile file = parsed("FROM a AS x\nFROM b AS y\nFROM c AS x\nFROM d AS z\n");
  EXPECT_EQ(findStage(file, "X"), 2);
  EXPECT_EQ(findStage(file, "0"), 0);
  EXPECT_EQ(findStage(file, "4"), std::nullopt);
  EXPECT_EQ(findStage(file, "-1"), std::nullopt);
  EXPECT_EQ(findStage(file, "none"), std::nullopt);
  EXPECT_EQ(findBaseStage(file, "x", 2), 0);
  EXPECT_EQ(findBaseStage(file, "x", 3), 2);
  EXPECT_EQ(findBaseStage(file, "X", 3), std::nullopt);
  EXPECT_EQ(findBaseStage(file, "z", 3), std::nullopt);
}

TEST(Parser, CopyAndAddHaveTheirFlags) {
  const Copy copy = only<Copy>(
      "COPY --from=b --chown=1:2 --chmod=u=rwX,go=rX --link --parents=TRUE --exclude=*.o "
      "--exclude=\"a b\" -- --x y /d/");
  EXPECT_EQ(copy.from, "b");
  EXPECT_EQ(copy.chown, "1:2");
  EXPECT_EQ(copy.chmod, "u=rwX,go=rX");
  EXPECT_TRUE(copy.link);
  EXPECT_TRUE(copy.parents);
  EXPECT_EQ(copy.excludes, (std::vector<std::string>{"*.o", "a b"}));
  EXPECT_EQ(copy.sources, (std::vector<std::string>{"--x", "y"}));
  EXPECT_EQ(copy.destination, "/d/");
  const Add add = only<Add>(
      "ADD --keep-git-dir --checksum=sha256:1 --unpack=false --link=false [\"a b\", \"c\"]");
  EXPECT_EQ(add.keepGitDir, true);
  EXPECT_EQ(add.checksum, "sha256:1");
  EXPECT_EQ(add.unpack, false);
  EXPECT_FALSE(add.link);
  EXPECT_EQ(add.sources, std::vector<std::string>{"a b"});
  EXPECT_EQ(only<Add>("ADD a b").unpack, std::nullopt);
}

TEST(Parser, RunHasItsFlags) {
  const dockerfile::Run run = only<dockerfile::Run>(
      "RUN --mount=type=cache,target=/c --mount=from=b,target=/x --network=none "
      "--security=insecure [\"a\", \"b c\"]");
  ASSERT_EQ(run.mounts.size(), 2U);
  EXPECT_EQ(run.mounts[0].from, "");
  EXPECT_EQ(run.mounts[1].from, "b");
  EXPECT_EQ(run.network, NetworkMode::kNone);
  EXPECT_EQ(run.security, SecurityMode::kInsecure);
  EXPECT_FALSE(run.command.shellForm);
  EXPECT_EQ(run.command.args, (std::vector<std::string>{"a", "b c"}));
  EXPECT_EQ(run.flagsUsed, (std::vector<std::string>{"mount", "network", "security"}));
}

TEST(Parser, ExecFormIsStrictJson) {
  struct Case {
    std::string text;
    bool shellForm;
    std::vector<std::string> args;
  };
  const std::vector<Case> cases = {
      {"[\"a\",\"\\u00e9\\ud83d\\ude00\\n\"]", false, {"a", "é😀\n"}},
      {"[]", false, {}},
      {" [ ] ", false, {}},
      {"['a']", true, {"['a']"}},
      {"[\"a\"] x", true, {"[\"a\"] x"}},
      {"[\"a\",]", true, {"[\"a\",]"}},
      {"[\"a\" \"b\"]", true, {"[\"a\" \"b\"]"}},
      {"[\"\\x\"]", true, {"[\"\\x\"]"}},
      {"[ -f x ]", true, {"[ -f x ]"}},
      {"[\"\\ud83d\"]", false, {"\xef\xbf\xbd"}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.text);
    const Cmd cmd = only<Cmd>("CMD " + c.text);
    EXPECT_EQ(cmd.command.shellForm, c.shellForm);
    EXPECT_EQ(cmd.command.args, c.args);
  }
  for (const std::string text : {"[1]", "[\"a\",null]", "[[\"a\"]]", "[{\"a\":1.5e3}]", "[true]"}) {
    EXPECT_NE(errorOf("FROM scratch\nCMD " + text).find("arrays must be comprised of strings only"),
              std::string::npos)
        << text;
  }
}

TEST(Parser, PairsKeepTheirQuotes) {
  const Env env = only<Env>("ENV a=\"b c\" d=e\\ f g=");
  EXPECT_EQ(env.pairs, (std::vector<KeyValue>{{"a", "\"b c\""}, {"d", "e\\ f"}, {"g", ""}}));
  EXPECT_EQ(only<Env>("ENV a   b  c=d ").pairs, (std::vector<KeyValue>{{"a", "b  c=d", true}}));
  EXPECT_EQ(only<Label>("LABEL \"a b\"=c").pairs, (std::vector<KeyValue>{{"\"a b\"", "c"}}));
  const Arg arg = only<Arg>("ARG --flag a b= c='d e'");
  EXPECT_EQ(arg.entries, (std::vector<Arg::Entry>{{"a", std::nullopt}, {"b", ""}, {"c", "'d e'"}}));
}

TEST(Parser, ExposeIsSortedAndPlainTextIsOneString) {
  EXPECT_EQ(only<Expose>("EXPOSE 80 443 8080/udp").ports,
            (std::vector<std::string>{"443", "80", "8080/udp"}));
  EXPECT_EQ(only<Workdir>("WORKDIR /a b").path, "/a b");
  EXPECT_EQ(only<User>("USER a b").user, "a b");
  EXPECT_EQ(only<Volume>("VOLUME [\" /a \", \"/b c\"]").paths,
            (std::vector<std::string>{"/a", "/b c"}));
  EXPECT_EQ(only<StopSignal>("STOPSIGNAL --x SIGTERM").signal, "SIGTERM");
  EXPECT_EQ(only<Maintainer>("MAINTAINER a <b>").name, "a <b>");
}

TEST(Parser, HealthcheckIsAsTheConfigurationHasIt) {
  const Healthcheck check = only<Healthcheck>(
      "HEALTHCHECK --interval=1m30s --timeout=1.5s --start-period=0s --start-interval=5s "
      "--retries=3 CMD curl -f x");
  EXPECT_EQ(check.test, (std::vector<std::string>{"CMD-SHELL", "curl -f x"}));
  EXPECT_EQ(check.intervalNs, 90'000'000'000);
  EXPECT_EQ(check.timeoutNs, 1'500'000'000);
  EXPECT_EQ(check.startIntervalNs, 5'000'000'000);
  EXPECT_EQ(check.retries, 3);
  EXPECT_EQ(only<Healthcheck>("HEALTHCHECK cmd [\"a\",\"b\"]").test,
            (std::vector<std::string>{"CMD", "a", "b"}));
  EXPECT_EQ(only<Healthcheck>("HEALTHCHECK --x none").test, std::vector<std::string>{"NONE"});
}

TEST(Heredocs, AreRecognised) {
  struct Case {
    std::string line;
    std::string name;
    bool expand;
    bool chomp;
  };
  const std::vector<Case> cases = {
      {"RUN <<EOF", "EOF", true, false},          {"RUN <<-EOF", "EOF", true, true},
      {"RUN <<'EOF'", "EOF", false, false},       {"RUN <<\"E O F\"", "E O F", false, false},
      {"RUN <<E'O'F", "EOF", false, false},       {"RUN << EOF", "EOF", true, false},
      {"RUN 3<<EOF cat <&3", "EOF", true, false}, {"RUN <<$EOF", "$EOF", true, false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.line);
    const dockerfile::Run run = only<dockerfile::Run>(c.line + "\n\tx\n" + c.name + "\n");
    ASSERT_EQ(run.command.heredocs.size(), 1U);
    const Heredoc& heredoc = run.command.heredocs[0];
    EXPECT_EQ(heredoc.name, c.name);
    EXPECT_EQ(heredoc.expand, c.expand);
    EXPECT_EQ(heredoc.chomp, c.chomp);
    EXPECT_EQ(heredoc.content, "\tx\n");
    EXPECT_EQ(heredoc.text(), c.chomp ? "x\n" : "\tx\n");
  }
  for (const std::string line :
       {"RUN a <<<b", "RUN a << ", "RUN [\"a\", \"<<EOF\"]", "ENV A=<<EOF"}) {
    SCOPED_TRACE(line);
    EXPECT_EQ(errorOf("FROM scratch\n" + line + "\n"), "");
  }
}

TEST(Heredocs, AreFilesOfCopy) {
  const ParsedFile file = parsed(
      "FROM scratch\nCOPY <<a.txt plain <<'b' <<-c /d/\n$A\na.txt\n$B\r\nb\r\n\t\t1\n\tc\nRUN x\n");
  const Copy& copy = *file.stages[0].instructions[0].as<Copy>();
  EXPECT_EQ(copy.sources, std::vector<std::string>{"plain"});
  ASSERT_EQ(copy.contents.size(), 3U);
  EXPECT_EQ(copy.contents[0].name, "a.txt");
  EXPECT_EQ(copy.contents[0].content, "$A\n");
  EXPECT_EQ(copy.contents[1].content, "$B\r\n");
  EXPECT_FALSE(copy.contents[1].expand);
  EXPECT_EQ(copy.contents[2].text(), "1\n");
  EXPECT_EQ(file.stages[0].instructions[0].range.endLine, 8);
  EXPECT_EQ(file.stages[0].instructions[1].range.line, 9);
}

TEST(Heredocs, OfTwoWithOneNameTheLastCounts) {
  const Copy copy = only<Copy>("COPY <<a <<a /d/\n1\na\n2\na\n");
  ASSERT_EQ(copy.contents.size(), 2U);
  EXPECT_EQ(copy.contents[0].content, "2\n");
  EXPECT_EQ(copy.contents[1].content, "2\n");
}

TEST(Heredocs, BlanksBeforeTheDelimiterAreForRunOnly) {
  const Copy copy = only<Copy>("COPY << EOF /d\nx\nEOF\n");
  EXPECT_EQ(copy.sources, (std::vector<std::string>{"<<", "EOF"}));
  EXPECT_TRUE(copy.contents.empty());
}

TEST(Heredocs, RunHandsThemOverInThreeWays) {
  RunScript script = makeRunScript(only<dockerfile::Run>("RUN <<-EOF\n\techo\n\tx\nEOF\n")).value();
  EXPECT_EQ(script.args, std::vector<std::string>{"echo\nx\n"});
  EXPECT_FALSE(script.pipeFile);
  script = makeRunScript(only<dockerfile::Run>("RUN <<EOF\n#!/bin/python\nx\nEOF\n")).value();
  EXPECT_EQ(script.args, std::vector<std::string>{"/dev/pipes/EOF"});
  EXPECT_TRUE(script.prependShell);
  EXPECT_EQ(script.pipeFile->text(), "#!/bin/python\nx\n");
  script = makeRunScript(only<dockerfile::Run>("RUN cat <<A 3<<B\n1\nA\n2\nB\n")).value();
  EXPECT_EQ(script.args, std::vector<std::string>{"cat <<A 3<<B\n1\nA\n2\nB"});
  script = makeRunScript(only<dockerfile::Run>("RUN [\"a\", \"b\"]")).value();
  EXPECT_EQ(script.args, (std::vector<std::string>{"a", "b"}));
  EXPECT_FALSE(script.prependShell);
}

TEST(Triggers, AreStoredAsTextAndParsedAnew) {
  const OnBuild trigger = only<OnBuild>("OnBuild   COPY --from=x <<-a /d\n\t1\na\n");
  EXPECT_EQ(trigger.expression, "COPY --from=x <<-a /d\n\t1\na");
  const Result<Instruction> fired = parseTrigger(trigger.expression);
  ASSERT_TRUE(fired);
  EXPECT_EQ(fired->as<Copy>()->from, "x");
  EXPECT_EQ(fired->as<Copy>()->contents[0].text(), "1\n");
  EXPECT_EQ(fired->as<Copy>()->destination, "/d");
}

TEST(Triggers, AreValidatedWhenTheyFire) {
  EXPECT_EQ(errorOf("FROM scratch\nONBUILD NONSENSE x"), "");
  EXPECT_NE(parseTrigger("NONSENSE x").error().message.find("unknown instruction: NONSENSE"),
            std::string::npos);
  EXPECT_NE(parseTrigger("RUN a\nRUN b").error().message.find("should be a single expression"),
            std::string::npos);
  EXPECT_FALSE(parseTrigger("FROM x"));
  EXPECT_FALSE(parseTrigger(""));
}

TEST(Triggers, DeepChainsEndInAnError) {
  std::string text = "FROM scratch\n";
  for (int i = 0; i < 5000; ++i) {
    text += "ONBUILD ";
  }
  EXPECT_NE(errorOf(text + "RUN x").find("Chaining ONBUILD"), std::string::npos);
}

}  // namespace
}  // namespace stagewright::dockerfile
