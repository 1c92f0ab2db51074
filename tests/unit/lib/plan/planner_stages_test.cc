// Which stages are built, from what, and the errors about it (reference
// sections 5.1, 5.11, 6.10, 7.4, 7.5).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lib/plan/summary.h"
#include "tests/unit/lib/plan/plan_fixture.h"

namespace stagewright::plan {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;

/// `name<-base(dependsOn)` of every stage.
std::vector<std::string> shapeOf(const std::string& text, const Given& given = {}) {
  const auto plan = planOf(text, given);
  if (!plan) {
    return {plan.error().message};
  }
  std::vector<std::string> out;
  for (const Stage& stage : plan->stages) {
    std::string one = stage.name + "<-";
    one += stage.base.kind == Base::Kind::kStage   ? std::to_string(stage.base.stage)
           : stage.base.kind == Base::Kind::kImage ? stage.base.name
                                                   : "scratch";
    one += stage.implicit ? "!" : "";
    for (const int d : stage.dependsOn) {
      one += " " + std::to_string(d);
    }
    out.push_back(one);
  }
  EXPECT_EQ(plan->target, static_cast<int>(plan->stages.size()) - 1) << "the target is last";
  const auto read = parsePlan(serializePlan(*plan));
  EXPECT_TRUE(read) << read.error().message;
  return out;
}

struct ShapeCase {
  std::string what;
  std::string text;
  std::vector<std::string> stages;
};

TEST(Stages, AreResolvedAsFromAndCopyDo) {
  const std::vector<ShapeCase> cases = {
      {"two",
       "FROM golang AS b\nFROM scratch\nCOPY --from=b /x /\n",
       {"b<-golang", "1<-scratch 0"}},
      {"by number",
       "FROM golang\nFROM scratch\nCOPY --from=0 /x /\n",
       {"0<-golang", "1<-scratch 0"}},
      {"any case",
       "FROM golang AS Build\nFROM scratch\nCOPY --from=BUILD /x /\n",
       {"build<-golang", "1<-scratch 0"}},
      {"unused",
       "FROM a AS u\nRUN x\nFROM b AS v\nFROM scratch AS t\nCOPY --from=v / /\n",
       {"v<-b", "t<-scratch 0"}},
      {"chain", "FROM a AS x\nFROM x AS y\nFROM y\n", {"x<-a", "y<-0 0", "2<-1 1"}},
      {"latest earlier in FROM", "FROM a AS s\nFROM b AS s\nFROM s\n", {"s<-b", "2<-0 0"}},
      {"FROM looks above only",
       "FROM s AS t\nFROM scratch AS s\nCOPY --from=t / /\n",
       {"t<-s", "s<-scratch 0"}},
      {"last in COPY",
       "FROM a AS s\nFROM b AS s\nFROM scratch\nCOPY --from=s / /\n",
       {"s<-b", "2<-scratch 0"}},
      {"image in COPY",
       "FROM scratch\nCOPY --from=nginx:1 /x /\nCOPY --from=nginx:1 /y /\n",
       {"nginx:1<-nginx:1!", "0<-scratch 0"}},
      {"one image, two names",
       "FROM scratch\nCOPY --from=nginx /x /\nCOPY --from=docker.io/library/nginx:latest /y /\n",
       {"nginx<-nginx!", "0<-scratch 0"}},
      {"images come before their first use",
       "FROM a AS s\nFROM scratch\nCOPY --from=s / /\nCOPY --from=i / /\n",
       {"s<-a", "i<-i!", "1<-scratch 0 1"}},
      {"mount from a stage",
       "FROM a AS s\nFROM b\nRUN --mount=from=s,target=/m x\n",
       {"s<-a", "1<-b 0"}},
      {"mount from a number is an image",
       "FROM a AS s\nFROM b\nRUN --mount=from=0,target=/m x\n",
       {"0<-0!", "1<-b 0"}},
      {"mount from an image", "FROM b\nRUN --mount=from=i,target=/m x\n", {"i<-i!", "0<-b 0"}},
      {"cache from scratch is empty",
       "FROM b\nRUN --mount=type=cache,from=scratch,target=/m x\n",
       {"0<-b"}},
      {"tmpfs reads nothing",
       "FROM a AS s\nFROM b\nRUN --mount=type=tmpfs,from=s,target=/m x\n",
       {"1<-b"}},
      {"arguments in FROM", "ARG V=1\nARG B=golang:$V\nFROM ${B}-alpine\n", {"0<-golang:1-alpine"}},
      {"argument names a stage", "ARG S=a\nFROM i AS a\nFROM $S\n", {"a<-i", "1<-0 0"}},
  };
  for (const ShapeCase& c : cases) {
    EXPECT_EQ(shapeOf(c.text), c.stages) << c.what;
  }
}

TEST(Target, IsFoundByName) {  // section 7.4
  const std::string text = "FROM a AS first\nRUN 1\nFROM b AS Second\nRUN 2\nFROM c\nRUN 3\n";
  EXPECT_THAT(shapeOf(text), ElementsAre("2<-c"));
  EXPECT_THAT(shapeOf(text, {.target = "FIRST"}), ElementsAre("first<-a"));
  EXPECT_THAT(shapeOf(text, {.target = "second"}), ElementsAre("second<-b"));
  EXPECT_THAT(shapeOf("FROM a AS s\nFROM b AS s\n", {.target = "s"}), ElementsAre("s<-b"));
  EXPECT_EQ(errorOf(text, {.target = "secnd"}),
            "target stage \"secnd\" could not be found (did you mean second?)");
  EXPECT_EQ(errorOf(text, {.target = "1"}), "target stage \"1\" could not be found");
}

TEST(NeededImages, AreThoseOfTheTargetOnly) {  // trap 42
  const auto input = makeInput(
      "ARG V=3\nFROM unused AS u\nFROM --platform=$BUILDPLATFORM a:$V AS s\nFROM a:$V\nCOPY "
      "--from=s / /\n"
      "COPY --from=tools:1 / /\n",
      {.platform = "linux/arm64"});
  ASSERT_TRUE(input);
  const auto needed = neededImages(*input, {});
  ASSERT_TRUE(needed) << needed.error().message;
  ASSERT_EQ(needed->size(), 3U);
  EXPECT_EQ((*needed)[0].name, "a:3");
  EXPECT_EQ((*needed)[0].platform.str(), "linux/amd64");
  EXPECT_EQ((*needed)[0].where.line, 3);
  EXPECT_EQ((*needed)[1].name, "a:3");
  EXPECT_EQ((*needed)[1].platform.str(), "linux/arm64");
  EXPECT_NE((*needed)[0].key, (*needed)[1].key);
  EXPECT_EQ((*needed)[2].name, "tools:1");
  EXPECT_EQ((*needed)[2].platform.str(), "linux/arm64");
  EXPECT_EQ((*needed)[2].where.line, 6);
}

TEST(NeededImages, GrowWithTheTriggersOfKnownOnes) {  // section 5.11, trap 41
  const std::string text = "FROM i AS tool\nFROM base\n";
  const auto input = makeInput(text);
  ASSERT_TRUE(input);
  const auto first = neededImages(*input, {});
  ASSERT_TRUE(first);
  ASSERT_EQ(first->size(), 1U);
  oci::ImageConfig base;
  base.onBuild = {"COPY --from=tool /a /b", "RUN --mount=from=other,target=/m x", "ENV A=1"};
  const Given given{.images = {{"base", base}}};
  KnownImages known = {{first->front().key, makeImage(first->front(), given)}};
  const auto second = neededImages(*input, known);
  ASSERT_TRUE(second);
  ASSERT_EQ(second->size(), 2U);
  EXPECT_EQ((*second)[0].name, "i");
  EXPECT_EQ((*second)[1].name, "other");
  EXPECT_EQ((*second)[1].where.line, 2);
  EXPECT_THAT(shapeOf(text, given), ElementsAre("tool<-i", "other<-other!", "1<-base 0 1"));
}

TEST(ImageError, PointsAtTheNameAndSuggestsAStage) {
  const auto input = makeInput("FROM scratch AS builder\nFROM biulder\n");
  ASSERT_TRUE(input);
  const auto needed = neededImages(*input, {});
  ASSERT_TRUE(needed);
  const Error error = imageError(*input, needed->front(), unavailable("503", Millis(7)));
  EXPECT_EQ(error.code, Code::kUnavailable);
  EXPECT_EQ(error.retryAfter, Millis(7));
  EXPECT_EQ(error.message,
            "Dockerfile:2:6: biulder: 503\n  2 | FROM biulder\n    |      ^\nhint: did you mean "
            "stage `builder`?");
}

TEST(OnBuild, FiresInTheChildOnly) {
  const auto plan = planOf(
      "FROM scratch AS parent\nONBUILD ARG A=1\nONBUILD RUN one $A\nENV P=1\nFROM parent AS "
      "child\nRUN two\n"
      "FROM child\nRUN three\n");
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_THAT(historyOf(*plan),
              ElementsAre("-ENV P=1", "-ARG A=1", "RUN |1 A=1 /bin/sh -c one $A # buildkit",
                          "RUN |1 A=1 /bin/sh -c two # buildkit",
                          "RUN |1 A=1 /bin/sh -c three # buildkit"));
  EXPECT_THAT(plan->stages[0].config.onBuild, ElementsAre("ARG A=1", "RUN one $A"));
  EXPECT_THAT(plan->stages[1].config.onBuild, IsEmpty());
  EXPECT_EQ(plan->stages[1].steps[0].line, 0);
  EXPECT_EQ(plan->stages[1].steps[0].text, "ONBUILD RUN one $A");
  EXPECT_EQ(plan->stages[1].steps[1].line, 6);
}

TEST(OnBuild, OfAnImageComesBeforeTheStageAndIsCleared) {
  oci::ImageConfig base;
  base.onBuild = {"WORKDIR /app", "COPY . .", "COPY <<E /x\nhi $Y\nE"};
  base.env = {"Y=1"};
  const auto plan = planOf("FROM base\nRUN x\nONBUILD RUN y\n", {.images = {{"base", base}}});
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_THAT(historyOf(*plan),
              ElementsAre("WORKDIR /app", "COPY . . # buildkit", "COPY <<E /x # buildkit",
                          "RUN /bin/sh -c x # buildkit"));
  EXPECT_THAT(targetOf(*plan).config.onBuild, ElementsAre("RUN y"));
  EXPECT_EQ(stepOf<CopyStep>(*plan, 1).destination, "/app/");
  EXPECT_EQ(stepOf<CopyStep>(*plan, 2).sources[0].content, "hi 1\n");
  EXPECT_TRUE(targetOf(*plan).usesContext);
}

TEST(OnBuild, MistakesArePlacedAtTheFrom) {
  oci::ImageConfig base;
  base.onBuild = {"COPY --from=9 a b"};
  EXPECT_EQ(errorOf("FROM base\n", {.images = {{"base", base}}}),
            "Dockerfile:1:1: ONBUILD trigger \"COPY --from=9 a b\": invalid stage index 9\n  1 | "
            "FROM base\n"
            "    | ^\nhint: the file has one stage, number 0");
  base.onBuild = {"FOO"};
  EXPECT_THAT(errorOf("FROM base\n", {.images = {{"base", base}}}),
              StartsWith("Dockerfile:1:1: ONBUILD trigger of the base: "));
  base.onBuild = {"COPY --from=0 a b"};
  EXPECT_THAT(
      errorOf("FROM base\n", {.images = {{"base", base}}}),
      StartsWith(
          "Dockerfile:1:1: ONBUILD trigger \"COPY --from=0 a b\": cannot copy from stage \"0\", it "
          "needs to be defined before current stage \"stage-0\""));
}

struct ErrorCase {
  std::string text;
  std::string message;
};

TEST(Stages, MistakesSayWhereAndWhat) {
  const std::vector<ErrorCase> cases = {
      {"FROM ${B}\n",
       "Dockerfile:1:6: base name (${B}) should not be blank\n  1 | FROM ${B}\n    |      ^"},
      {"FROM a AS base\nFROM Base\n",
       "Dockerfile:2:6: failed to parse stage name \"Base\": invalid reference format: repository "
       "name (library/Base) must be lowercase\n  2 | FROM Base\n    |      ^\nhint: did you mean stage `base`?"},
      // Not needed by the target, checked all the same.
      {"FROM A:B:C AS u\nFROM scratch\n",
       "Dockerfile:1:6: failed to parse stage name \"A:B:C\": invalid reference format"},
      {"FROM scratch AS u\nCOPY --from=7 a b\nFROM scratch\n",
       "Dockerfile:2:6: invalid stage index 7\n  2 | COPY --from=7 a b\n    |      ^\n"
       "hint: the file has stages 0 to 1"},
      {"FROM scratch\nCOPY --from=-1 a b\n", "Dockerfile:2:6: invalid stage index -1"},
      {"FROM scratch AS a\nCOPY --from=a x y\n",
       "Dockerfile:2:1: circular dependency detected on stage: a"},
      {"FROM scratch AS a\nCOPY --from=b x y\nFROM scratch AS b\nCOPY --from=a x y\n",
       "Dockerfile:4:1: circular dependency detected on stage: a"},
      {"FROM scratch\nCOPY --from=1 x y\nFROM scratch\nCOPY --from=0 x y\nFROM scratch\n",
       "Dockerfile:4:1: circular dependency detected on stage: stage-0"},
      {"FROM scratch AS a\nCOPY --from=b x y\nFROM scratch AS b\nFROM a\n",
       "Dockerfile:2:6: cannot copy from stage \"b\", it needs to be defined before current stage "
       "\"a\""},
      {"FROM scratch\nRUN --mount=from=b,target=/m x\nFROM scratch AS b\nFROM scratch\nCOPY "
       "--from=0 / /\n",
       "Dockerfile:2:13: cannot mount from stage \"b\" to \"/m\", stage needs to be defined before "
       "current command"},
      {"FROM scratch\nCOPY --from=Upper a b\n",
       "Dockerfile:2:13: failed to parse stage name \"Upper\": invalid reference format"},
      {"FROM --platform=$X a\n",
       "Dockerfile:1:17: empty platform value from expression $X\n  1 | FROM --platform=$X a\n"
       "    |                 ^"},
      {"FROM --platform=a/b/c/d a\n",
       "Dockerfile:1:17: failed to parse platform a/b/c/d: invalid platform"},
      {"FROM ${A:?no}\n", "Dockerfile:1:6: failed to process \"${A:?no}\": A: no"},
      {"ARG A=${B:?gone}\nFROM scratch\n",
       "Dockerfile:1:7: failed to process \"${B:?gone}\": B: gone"},
  };
  for (const ErrorCase& c : cases) {
    const auto plan = planOf(c.text);
    ASSERT_FALSE(plan) << c.text;
    EXPECT_THAT(plan.error().message, StartsWith(c.message)) << c.text;
    EXPECT_EQ(plan.error().code, Code::kInvalid);
    EXPECT_TRUE(plan.error().where) << c.text;
  }
}

TEST(Stages, OfWhichTooManyAreNeededAreRefused) {
  std::string text = "FROM scratch\n";
  for (std::size_t i = 0; i < kMaxStages; ++i) {
    text += "COPY --from=i" + std::to_string(i) + " / /\n";
  }
  EXPECT_EQ(
      errorOf(text),
      "the target needs 65 stages, images that are copied from included: at most 64 are possible");
}

TEST(Exports, AreListedOnceInOrder) {
  const auto plan = planOf(
      "FROM a AS s\nFROM scratch\nCOPY --from=s /x /y z* /a/\nCOPY --from=s x ./b/../y /\n"
      "RUN --mount=from=s,source=/q[1],target=/m x\n");
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->stages[0].exports, (std::vector<Export>{{"/x"}, {"/y"}, {"/z*"}, {"/q\\[1]"}}));
  EXPECT_EQ(stepOf<CopyStep>(*plan, 1).sources[0].exportIndex, 0);
  EXPECT_EQ(stepOf<CopyStep>(*plan, 1).sources[1].exportIndex, 1);
  const Mount& mount = stepOf<RunStep>(*plan, 2).mounts[0];
  EXPECT_EQ(mount.source, "/q[1]");
  EXPECT_EQ(mount.fromStage, 0);
  EXPECT_EQ(mount.fromExport, 3);
}

TEST(NamedContexts, StandForStagesAndImages) {  // section 7.5
  using Kind = NamedContext::Kind;
  const Given given{.contexts = {{"alpine", Kind::kImage, "mirror/alpine:3"},
                                 {"build", Kind::kImage, "prebuilt:1"},
                                 {"none", Kind::kScratch, ""},
                                 {"docs", Kind::kDirectory, ""},
                                 {"arm::linux/arm64", Kind::kScratch, ""}}};
  EXPECT_THAT(shapeOf("FROM docker.io/library/alpine:latest\n", given),
              ElementsAre("0<-mirror/alpine:3"));
  EXPECT_THAT(shapeOf("FROM a AS build\nRUN x\nFROM none\nCOPY --from=build / /\n", given),
              ElementsAre("build<-prebuilt:1", "1<-scratch 0"));
  EXPECT_THAT(shapeOf("FROM arm\n", given), ElementsAre("0<-arm"));
  const auto plan =
      planOf("FROM scratch\nCOPY --from=docs a /\nRUN --mount=from=docs,target=/m x\n", given);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(stepOf<CopyStep>(*plan, 0).sources[0].from, CopySource::From::kNamedContext);
  EXPECT_EQ(stepOf<CopyStep>(*plan, 0).sources[0].context, "docs");
  EXPECT_EQ(stepOf<RunStep>(*plan, 1).mounts[0].context, "docs");
  EXPECT_FALSE(targetOf(*plan).usesContext);
  const auto onDirectory = planOf("FROM docs\nRUN x\n", given);
  ASSERT_TRUE(onDirectory) << onDirectory.error().message;
  EXPECT_EQ(targetOf(*onDirectory).base.kind, Base::Kind::kScratch);
  EXPECT_EQ(stepOf<CopyStep>(*onDirectory, 0).sources[0].context, "docs");
  EXPECT_EQ(stepOf<CopyStep>(*onDirectory, 0).destination, "/");
  ASSERT_EQ(targetOf(*onDirectory).config.history.size(), 2U);
  EXPECT_EQ(targetOf(*onDirectory).config.history[1].createdBy, "");
}

TEST(PlanBuild, NeedsItsImages) {
  const auto input = makeInput("FROM a\n");
  ASSERT_TRUE(input);
  EXPECT_EQ(planBuild(*input, {}).error().code, Code::kInternal);
}

TEST(PlanBuild, RefusesAnImageWhoseLayersDisagree) {
  const auto input = makeInput("FROM a\n");
  ASSERT_TRUE(input);
  KnownImages known = *resolveAll(*input);
  known.begin()->second.layers.clear();
  EXPECT_THAT(planBuild(*input, known).error().message,
              StartsWith("Dockerfile:1:1: image a: its manifest has 0 layers, its config 1"));
}

TEST(PlanBuild, IsDeterministic) {
  const std::string text = "FROM a AS s\nRUN x\nFROM scratch\nCOPY --from=s / /\n";
  EXPECT_EQ(serializePlan(*planOf(text)), serializePlan(*planOf(text)));
}

TEST(Warnings, ComeFromTheBuildChecks) {  // section 10
  const auto plan = planOf("ARG V\nFROM a AS B\nRUN x\nENV C=$nope\n");
  ASSERT_TRUE(plan) << plan.error().message;
  std::vector<std::string> rules;
  for (const Warning& w : plan->warnings) {
    rules.push_back(w.rule + ":" + std::to_string(w.line));
  }
  EXPECT_THAT(rules, ElementsAre("StageNameCasing:2", "UndefinedVar:4"));
  EXPECT_EQ(plan->warnings[1].message, "Usage of undefined variable '$nope'");
  oci::ImageConfig arm;
  arm.platform = {"linux", "arm64", ""};
  const auto other = planOf("FROM a\n", {.images = {{"a", arm}}});
  ASSERT_TRUE(other);
  ASSERT_EQ(other->warnings.size(), 1U);
  EXPECT_EQ(other->warnings[0].message,
            "Base image a was pulled with platform \"linux/arm64\", expected \"linux/amd64\" for "
            "current build");
  EXPECT_THAT(errorOf("# check=error=true\nFROM a AS B\n"),
              StartsWith("lint violation found for rules: StageNameCasing\n"));
}

}  // namespace
}  // namespace stagewright::plan
