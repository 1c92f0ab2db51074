#include "lib/dockerfile/checks.h"

#include <gtest/gtest.h>

#include "lib/dockerfile/parser.h"

namespace stagewright::dockerfile {
namespace {

using Lines = std::vector<std::string>;

/// Bases are empty Linux images unless a test says otherwise.
CheckInputs emptyBases() {
  CheckInputs inputs;
  inputs.baseImage = [](std::string_view, std::string_view) {
    return std::optional<BaseImageFacts>(BaseImageFacts());
  };
  return inputs;
}

Result<CheckReport> reportOf(const std::string& text, const CheckInputs& inputs) {
  const Source source{"Dockerfile", text};
  Result<ParsedFile> file = parseDockerfile(source);
  EXPECT_TRUE(file) << (file ? "" : file.error().message);
  return file ? checkFile(source, *file, inputs) : Result<CheckReport>(CheckReport());
}

/// `line: rule: message` for each finding.
Lines findings(const std::string& text, const CheckInputs& inputs = emptyBases()) {
  const Result<CheckReport> report = reportOf(text, inputs);
  EXPECT_TRUE(report) << (report ? "" : report.error().message);
  Lines out;
  for (const Finding& finding : report ? report->findings : std::vector<Finding>()) {
    out.push_back(std::to_string(finding.range.line) + ": " + finding.rule + ": " +
                  finding.message);
  }
  return out;
}

struct DataCase {
  std::string text;
  Lines expected;
};

class ChecksOfTheFile : public testing::TestWithParam<DataCase> {};

TEST_P(ChecksOfTheFile, FindExactlyThis) {
  EXPECT_EQ(findings(GetParam().text), GetParam().expected);
}

const std::vector<DataCase> kCases = {
    {"FROM scratch AS Bad\n", {"1: StageNameCasing: Stage name 'Bad' should be lowercase"}},
    {"FROM scratch as a\n", {"1: FromAsCasing: 'as' and 'FROM' keywords' casing do not match"}},
    {"from scratch AS a\n", {"1: FromAsCasing: 'AS' and 'from' keywords' casing do not match"}},
    {"From scratch as a\n",
     {"1: ConsistentInstructionCasing: Command 'From' should match the case of the command "
      "majority "
      "(uppercase)"}},
    {"FROM scratch\nCOPY a \\\n\nb\nCOPY c d\n",
     {"4: NoEmptyContinuation: Empty continuation line"}},
    {"FROM scratch\ncopy a b\nCOPY c d\n",
     {"2: ConsistentInstructionCasing: Command 'copy' should match the case of the command "
      "majority "
      "(uppercase)"}},
    {"FROM scratch\ncopy a b\ncopy c d\n",
     {"1: ConsistentInstructionCasing: Command 'FROM' should match the case of the command "
      "majority "
      "(lowercase)"}},
    {"FROM scratch AS a\nFROM scratch AS A\n",
     {"2: StageNameCasing: Stage name 'A' should be lowercase",
      "2: DuplicateStageName: Duplicate stage name \"a\", stage names should be unique"}},
    {"FROM alpine AS scratch\nFROM alpine AS context\n",
     {"1: ReservedStageName: Stage name should not use the same name as reserved stage \"scratch\"",
      "2: ReservedStageName: Stage name should not use the same name as reserved stage "
      "\"context\""}},
    {"FROM scratch\nENTRYPOINT a\nCMD b\n",
     {"2: JSONArgsRecommended: JSON arguments recommended for ENTRYPOINT to prevent unintended "
      "behavior related to OS signals",
      "3: JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior "
      "related to OS signals"}},
    {"FROM scratch\nSHELL [\"/bin/bash\", \"-c\"]\nCMD b\n", {}},
    {"FROM scratch AS a\nSHELL [\"/bin/bash\", \"-c\"]\nFROM a\nCMD b\n", {}},
    {"FROM scratch\nMAINTAINER me\n",
     {"2: MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label"}},
    {"ARG VERSION=1\nFROM alpine:x$VERSON\nFROM alpine:1$NOSUCHTHING\n",
     {"2: UndefinedArgInFrom: FROM argument 'VERSON' is not declared (did you mean VERSION?)",
      "3: UndefinedArgInFrom: FROM argument 'NOSUCHTHING' is not declared"}},
    {"FROM scratch\nWORKDIR app\nWORKDIR x\n",
     {"2: WorkdirRelativePath: Relative workdir \"app\" can have unexpected results if the base "
      "image "
      "changes"}},
    {"FROM scratch AS a\nWORKDIR /app\nFROM a\nWORKDIR x\n", {}},
    {"FROM scratch\nENV PREFIX=/x\nCOPY $PREFX /d\nCOPY $UNRELATED /d\n",
     {"3: UndefinedVar: Usage of undefined variable '$PREFX' (did you mean $PREFIX?)",
      "4: UndefinedVar: Usage of undefined variable '$UNRELATED'"}},
    {"FROM scratch\nARG A\nENV B=$A C=$PATH D=${E:-x}\nRUN echo $NOPE\nEXPOSE $NOPE\n",
     {"3: UndefinedVar: Usage of undefined variable '$E'"}},
    {"FROM scratch\nARG A=$B\nRUN --mount=type=cache,target=$LONGNAME x\nLABEL a=$PATH\n",
     {"2: UndefinedVar: Usage of undefined variable '$B'",
      "3: UndefinedVar: Usage of undefined variable '$LONGNAME'"}},
    {"FROM scratch\nCMD [\"a\"]\nHEALTHCHECK NONE\nCMD [\"b\"]\nENTRYPOINT [\"a\"]\nentrypoint "
     "[\"b\"]\nHEALTHCHECK "
     "NONE\n",
     {"2: MultipleInstructionsDisallowed: Multiple CMD instructions should not be used in the same "
      "stage because only the last one will be used",
      "3: MultipleInstructionsDisallowed: Multiple HEALTHCHECK instructions should not be used in "
      "the "
      "same stage because only the last one will be used",
      "5: MultipleInstructionsDisallowed: Multiple entrypoint instructions should not be used in "
      "the "
      "same stage because only the last one will be used",
      "6: ConsistentInstructionCasing: Command 'entrypoint' should match the case of the command "
      "majority (uppercase)"}},
    {"FROM scratch\nENV a b\nLABEL c d e\n",
     {"2: LegacyKeyValueFormat: \"ENV key=value\" should be used instead of legacy \"ENV key "
      "value\" "
      "format",
      "3: LegacyKeyValueFormat: \"LABEL key=value\" should be used instead of legacy \"LABEL key "
      "value\" format"}},
    {"FROM --platform=$TARGETPLATFORM alpine\n",
     {"1: RedundantTargetPlatform: Setting platform to predefined $TARGETPLATFORM in FROM is "
      "redundant as this is the default behavior"}},
    {"FROM --platform=linux/arm64 alpine\n",
     {"1: FromPlatformFlagConstDisallowed: FROM --platform flag should not use constant value "
      "\"linux/arm64\""}},
    {"FROM --platform=linux/arm64 alpine AS build-arm64\nFROM --platform=$BUILDPLATFORM alpine\n",
     {}},
    {"ARG TOKEN=x\nFROM scratch\nARG TOKEN PUBLIC_KEY\nENV API_KEY=x A=b\n",
     {"3: SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ARG "
      "\"TOKEN\")",
      "4: SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ENV "
      "\"API_KEY\")"}},
    {"ARG IMAGE\nARG TAG\nFROM $IMAGE\nFROM alpine:$TAG\nFROM alpine:${TAG:-latest}\n",
     {"3: InvalidDefaultArgInFrom: Default value for ARG $IMAGE results in empty or invalid base "
      "image name",
      "4: InvalidDefaultArgInFrom: Default value for ARG alpine:$TAG results in empty or invalid "
      "base "
      "image name"}},
    {"# check=experimental=InvalidDefinitionDescription\n# bar is it\nARG foo=bar\n# base it "
     "is\nFROM "
     "scratch AS base\n# x\nARG a b\n# lost\n\nARG c\n",
     {"3: InvalidDefinitionDescription: Comment for ARG should follow the format: `# foo "
      "<description>`",
      "7: InvalidDefinitionDescription: Comment for ARG should follow the format: `# <arg_key> "
      "<description>`"}},
    {"# bar is it\nARG foo=bar\nFROM scratch\n", {}},
    {"FROM scratch\nEXPOSE 80/TCP 81/udp 8080:82 127.0.0.1:1:83/Udp\n",
     {"2: ExposeProtoCasing: Defined protocol '127.0.0.1:1:83/Udp' in EXPOSE instruction should be "
      "lowercase",
      "2: ExposeInvalidFormat: EXPOSE instruction should not define an IP address or host-port "
      "mapping, found '127.0.0.1:1:83/Udp'",
      "2: ExposeProtoCasing: Defined protocol '80/TCP' in EXPOSE instruction should be lowercase",
      "2: ExposeInvalidFormat: EXPOSE instruction should not define an IP address or host-port "
      "mapping, found '8080:82'"}},
    {"# check=skip=JSONArgsRecommended, X\nFROM scratch\nCMD a\n", {}},
    {"# check=skip=all\nFROM scratch as A\n", {}},
    {"FROM scratch\n# check=skip=JSONArgsRecommended\nCMD a\nENTRYPOINT b\n",
     {"4: JSONArgsRecommended: JSON arguments recommended for ENTRYPOINT to prevent unintended "
      "behavior related to OS signals"}},
    {"FROM scratch AS a\nONBUILD CMD x\nFROM a\n",
     {"3: JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior "
      "related to OS signals"}},
};

INSTANTIATE_TEST_SUITE_P(Dockerfile, ChecksOfTheFile, testing::ValuesIn(kCases));

TEST(CheckFile, UnknownBasesHaveNoUndefinedVariables) {
  CheckInputs inputs;
  EXPECT_EQ(findings("FROM alpine\nCOPY $X /\n", inputs), Lines());
  EXPECT_EQ(findings("FROM scratch\nCOPY $X /\n", inputs),
            Lines{"2: UndefinedVar: Usage of undefined variable '$X'"});
}

TEST(CheckFile, NamedContextsReplaceStagesAndBases) {
  CheckInputs inputs;
  inputs.namedContexts = {"alpine", "b"};
  const std::string text = "FROM alpine\nCOPY $X /\nFROM scratch AS b\nCOPY $X /\nFROM b\nCOPY $X /\n";
  EXPECT_EQ(findings(text, inputs), Lines());  // it is not known what they are
  inputs.baseImage = emptyBases().baseImage;
  EXPECT_EQ(findings(text, inputs), (Lines{"2: UndefinedVar: Usage of undefined variable '$X'",
                                           "6: UndefinedVar: Usage of undefined variable '$X'"}));
}

TEST(CheckFile, UsesWhatItIsToldAboutBases) {
  CheckInputs inputs;
  inputs.targetPlatform = "linux/arm64";
  inputs.baseImage = [](std::string_view image, std::string_view platform) {
    BaseImageFacts facts;
    facts.env = {"X=1"};
    facts.shell = {"/bin/ash"};
    facts.platform = "linux/amd64";
    facts.onBuild = {"COPY $Y /"};
    EXPECT_EQ(image, "alpine:3");
    EXPECT_EQ(platform, "linux/arm64");
    return std::optional<BaseImageFacts>(facts);
  };
  EXPECT_EQ(findings("ARG V=3\nFROM alpine:$V\nCOPY $X /\nCMD a\n", inputs),
            (Lines{"2: InvalidBaseImagePlatform: Base image alpine:3 was pulled with platform "
                   "\"linux/amd64\", expected \"linux/arm64\" for current build",
                   "2: UndefinedVar: Usage of undefined variable '$Y' (did you mean $X?)"}));
}

TEST(CheckFile, BuildArgumentsCount) {
  CheckInputs inputs = emptyBases();
  inputs.buildArgs = {{"A", "/x"}, {"IMAGE", "alpine"}};
  EXPECT_EQ(
      findings("ARG IMAGE\nFROM $IMAGE\nARG A=$NOPE\nWORKDIR $A\n", inputs),
      Lines{"2: InvalidDefaultArgInFrom: Default value for ARG $IMAGE results in empty or invalid "
            "base image name"});
}

TEST(CheckFile, OnlyNeededStagesCountWithATarget) {
  const std::string text =
      "FROM scratch AS a\nCMD x\nFROM scratch AS b\nCMD x\nFROM scratch AS c\nCOPY --from=B x y\n";
  CheckInputs inputs = emptyBases();
  EXPECT_EQ(findings(text, inputs).size(), 2U);
  inputs.target = "c";
  EXPECT_EQ(findings(text, inputs).size(), 1U);
  inputs.target = "";
  inputs.allStages = false;
  EXPECT_EQ(findings(text, inputs).size(), 1U);
}

TEST(CheckFile, ReportsIgnoredSources) {
  const IgnoreMatcher matcher = makeIgnoreMatcher({"build", "**/*.log"}).value();
  CheckInputs inputs = emptyBases();
  inputs.ignore = &matcher;
  EXPECT_EQ(findings("FROM scratch AS a\nCOPY ./build/x a.log . /d/\nADD http://x/a.log b.log /d/\n"
                     "COPY --from=a build /\n",
                     inputs),
            (Lines{"2: CopyIgnoredFile: Attempting to Copy file \"build/x\" that is excluded by "
                   ".dockerignore",
                   "2: CopyIgnoredFile: Attempting to Copy file \"a.log\" that is excluded by "
                   ".dockerignore",
                   "3: CopyIgnoredFile: Attempting to Add file \"b.log\" that is excluded by "
                   ".dockerignore"}));
  const IgnoreMatcher all = makeIgnoreMatcher({"*"}).value();
  inputs.ignore = &all;
  EXPECT_EQ(
      findings("FROM scratch\nCOPY . /d/\n", inputs),
      Lines{"2: CopyIgnoredFile: Attempting to Copy file \".\" that is excluded by .dockerignore"});
  const IgnoreMatcher exceptions = makeIgnoreMatcher({"*", "!x"}).value();
  inputs.ignore = &exceptions;
  EXPECT_EQ(findings("FROM scratch\nCOPY . y /d/\n", inputs), Lines());
}

TEST(CheckFile, EndsWithAnErrorIfAsked) {
  const Result<CheckReport> report = reportOf(
      "# check=error=true\nFROM scratch\nCMD a\nENTRYPOINT b\nMAINTAINER x\n", emptyBases());
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->error);
  EXPECT_EQ(report->violation(),
            "lint violation found for rules: JSONArgsRecommended, MaintainerDeprecated");
  const Result<CheckReport> clean = reportOf("# check=error=true\nFROM scratch\n", emptyBases());
  EXPECT_FALSE(clean->error);
  EXPECT_EQ(clean->violation(), "");
}

TEST(CheckFile, TheBuildArgumentOverridesTheDirective) {
  CheckInputs inputs = emptyBases();
  inputs.buildArgs = {{"BUILDKIT_DOCKERFILE_CHECK", "skip=all"}};
  EXPECT_EQ(findings("# check=error=true\nFROM scratch\nCMD a\n", inputs), Lines());
  inputs.buildArgs = {{"BUILDKIT_DOCKERFILE_CHECK", "wrong"}};
  EXPECT_EQ(reportOf("FROM scratch\n", inputs).error().message, "failed to parse check options: invalid check option \"wrong\"");
}

TEST(CheckFile, ShowsWhereADirectiveIsWrong) {
  EXPECT_EQ(reportOf("# check=skp=all\nFROM scratch\n", emptyBases()).error().message,
            "Dockerfile:1:9: failed to parse check options: invalid check option \"skp\"\n"
            "  1 | # check=skp=all\n"
            "    |         ^\n"
            "hint: skip, error and experimental are known");
}

TEST(CheckFile, ManyStagesTakeLinearTime) {
  std::string text;
  for (int i = 0; i < 50000; ++i) {
    text += "FROM a\n";
  }
  EXPECT_EQ(findings(text, CheckInputs()), Lines());
}

TEST(CheckRules, AreTwentyTwoWithPages) {
  EXPECT_EQ(checkRules().size(), 22U);
  EXPECT_EQ(checkUrl("UndefinedVar"), "docs/checks.md#undefined-var");
  EXPECT_EQ(checkUrl("JSONArgsRecommended"), "docs/checks.md#json-args-recommended");
  EXPECT_EQ(checkUrl("SecretsUsedInArgOrEnv"), "docs/checks.md#secrets-used-in-arg-or-env");
}

TEST(FormatFinding, ShowsPlaceRuleAndPage) {
  const Source source{"Dockerfile", "FROM scratch\nCMD a\n"};
  const Result<CheckReport> report = checkFile(source, *parseDockerfile(source), emptyBases());
  ASSERT_EQ(report->findings.size(), 1U);
  EXPECT_EQ(
      formatFinding(source, report->findings[0]),
      "Dockerfile:2:1: warning: JSONArgsRecommended: JSON arguments recommended for CMD to prevent "
      "unintended behavior related to OS signals\n"
      "  2 | CMD a\n"
      "    | ^\n"
      "  JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to "
      "OS "
      "signals (docs/checks.md#json-args-recommended)");
}

}  // namespace
}  // namespace stagewright::dockerfile
