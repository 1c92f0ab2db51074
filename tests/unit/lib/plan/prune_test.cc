#include "lib/plan/prune.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "lib/base/hash.h"
#include "lib/plan/summary.h"

namespace stagewright::plan {
namespace {

using ::testing::ElementsAre;

LayerStep layerOf(int stage, int step) {
  LayerStep out;
  out.blob.mediaType = oci::kMediaLayerGzip;
  const std::string name = std::to_string(stage) + "/" + std::to_string(step);
  out.blob.digest = oci::Digest::ofBytes("blob " + name);
  out.blob.size = 10;
  out.diffId = oci::Digest::ofBytes("diff " + name);
  return out;
}

CachedLayers cached(std::initializer_list<std::pair<int, int>> steps) {
  CachedLayers out;
  for (const auto& [stage, step] : steps) {
    out.emplace(std::pair(stage, step), layerOf(stage, step));
  }
  return out;
}

Step run() {
  RunStep step;
  step.argv = {"sh"};
  step.workdir = "/";
  return {"RUN x", 2, sha256Hex("run"), step, sha256Hex("content")};
}

Step copyFrom(int stage) {
  CopyStep step;
  step.destination = "/";
  CopySource source;
  if (stage >= 0) {
    source.from = CopySource::From::kStage;
    source.stage = stage;
    source.exportIndex = 0;
    source.path = "/out";
  } else {
    source.path = ".";
  }
  step.sources = {source};
  return {"COPY x", 3, sha256Hex("copy"), step, sha256Hex("content")};
}

Stage stage(int index, std::vector<Step> steps, int base = -1) {
  Stage out;
  out.index = index;
  out.name = "s" + std::to_string(index);
  out.line = 1;
  out.steps = std::move(steps);
  if (base >= 0) {
    out.base.kind = Base::Kind::kStage;
    out.base.stage = base;
    out.dependsOn = {base};
  } else {
    out.base.kind = Base::Kind::kImage;
    out.base.name = "x";
    out.base.reference = "r.example/x@sha256:" + std::string(64, 'a');
  }
  return out;
}

/// 0: builder with two steps. 1: another. 2: the target, which copies from both and the context.
BuildPlan fan() {
  BuildPlan plan;
  plan.stages = {stage(0, {run(), run()}), stage(1, {run()}),
                 stage(2, {copyFrom(-1), copyFrom(0), copyFrom(1)})};
  plan.stages[0].exports = {{"/out"}};
  plan.stages[1].exports = {{"/out"}};
  plan.stages[2].dependsOn = {0, 1};
  plan.stages[2].usesContext = true;
  plan.target = 2;
  return plan;
}

std::vector<bool> skipped(const BuildPlan& plan) {
  std::vector<bool> out;
  for (const Stage& s : plan.stages) {
    out.push_back(s.skipped);
  }
  return out;
}

void expectReadable(const BuildPlan& plan) {
  const auto read = parsePlan(serializePlan(plan));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(serializePlan(*read), serializePlan(plan));
}

TEST(PruneCached, WithoutACacheEverythingRuns) {
  const BuildPlan plan = pruneCached(fan(), {});
  EXPECT_THAT(skipped(plan), ElementsAre(false, false, false));
  EXPECT_EQ(serializePlan(plan), serializePlan(fan()));
}

TEST(PruneCached, ATargetThatIsThereNeedsNoPodAtAll) {
  const BuildPlan plan = pruneCached(fan(), cached({{2, 0}, {2, 1}, {2, 2}}));
  EXPECT_THAT(skipped(plan), ElementsAre(true, true, true));
  EXPECT_EQ(layerSteps(plan.stages[2]), 3);
  EXPECT_EQ(std::get<LayerStep>(plan.stages[2].steps[1].action).diffId, layerOf(2, 1).diffId);
  EXPECT_TRUE(plan.stages[0].steps.empty());
  EXPECT_EQ(plan.stages[0].cachedSteps, 2);
  EXPECT_TRUE(plan.stages[2].dependsOn.empty());
  EXPECT_FALSE(plan.stages[2].usesContext);
  expectReadable(plan);
}

TEST(PruneCached, OnlyWhatTheFirstMissingStepNeedsRuns) {
  // Step 1 of the target is missing, so steps 1 and 2 run, whatever is known of step 2.
  BuildPlan plan = pruneCached(fan(), cached({{0, 0}, {0, 1}, {1, 0}, {2, 0}, {2, 2}}));
  EXPECT_THAT(skipped(plan), ElementsAre(false, false, false));
  EXPECT_EQ(layerSteps(plan.stages[0]), 2);  // a pod that lays down layers and exports
  EXPECT_EQ(layerSteps(plan.stages[2]), 1);
  EXPECT_FALSE(plan.stages[2].usesContext);
  expectReadable(plan);
  // Only the last is missing: the first builder is not needed any more.
  plan = pruneCached(fan(), cached({{1, 0}, {2, 0}, {2, 1}}));
  EXPECT_THAT(skipped(plan), ElementsAre(true, false, false));
  EXPECT_THAT(plan.stages[2].dependsOn, ElementsAre(1));
  expectReadable(plan);
}

TEST(PruneCached, AHoleEndsTheKnownSteps) {
  const BuildPlan plan = pruneCached(fan(), cached({{0, 1}}));
  EXPECT_EQ(layerSteps(plan.stages[0]), 0);
  EXPECT_THAT(skipped(plan), ElementsAre(false, false, false));
}

/// 0 <- 1 <- 2, by FROM.
BuildPlan chain() {
  BuildPlan plan;
  plan.stages = {stage(0, {run()}), stage(1, {run(), run()}, 0), stage(2, {run()}, 1)};
  plan.target = 2;
  return plan;
}

TEST(PruneCached, AStageOnAKnownOneBeginsWithItsLayers) {
  const BuildPlan plan = pruneCached(chain(), cached({{0, 0}, {1, 0}, {1, 1}}));
  EXPECT_THAT(skipped(plan), ElementsAre(true, true, false));
  const Stage& target = plan.stages[2];
  ASSERT_EQ(target.steps.size(), 4U);
  EXPECT_EQ(layerSteps(target), 3);
  EXPECT_EQ(std::get<LayerStep>(target.steps[0].action).diffId, layerOf(0, 0).diffId);
  EXPECT_EQ(std::get<LayerStep>(target.steps[2].action).diffId, layerOf(1, 1).diffId);
  EXPECT_EQ(target.base.kind, Base::Kind::kImage);
  EXPECT_EQ(rootImage(plan, 2), plan.stages[2].base.reference);
  EXPECT_TRUE(target.dependsOn.empty());
  expectReadable(plan);
}

TEST(PruneCached, AMissingLayerBelowRunsThatStageAgain) {
  const BuildPlan plan = pruneCached(chain(), cached({{1, 0}, {1, 1}, {2, 0}}));
  EXPECT_THAT(skipped(plan), ElementsAre(false, true, true));
  // Its layers are the target's lowest; the publisher reads both.
  EXPECT_EQ(plan.stages[2].base.stage, 0);
  EXPECT_THAT(baseChain(plan, 2), ElementsAre(0, 2));
  EXPECT_EQ(layerSteps(plan.stages[2]), 3);
  expectReadable(plan);
}

TEST(PlanSummary, TellsTheOperatorWhatIsNotRun) {
  const BuildPlan plan = pruneCached(fan(), cached({{1, 0}, {2, 0}, {2, 1}}));
  const PlanSummary summary = summarize(plan, oci::Digest::ofBytes("p"), "");
  EXPECT_TRUE(summary.stages[0].skipped);
  EXPECT_EQ(summary.stages[0].steps, 2);
  EXPECT_EQ(summary.stages[0].cachedSteps, 2);
  EXPECT_FALSE(summary.stages[1].skipped);
  EXPECT_EQ(summary.stages[1].cachedSteps, 1);
  EXPECT_TRUE(summary.stages[1].usesFetched);
  EXPECT_EQ(summary.stages[2].cachedSteps, 2);
  EXPECT_EQ(summary.stages[2].steps, 3);
  const Json json = toJson(summary);
  const auto read = parsePlanSummary(JsonReader(json));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(toJson(*read), json);
}

TEST(ParsePlan, RefusesCachedLayersWhereNoneCanBe) {
  BuildPlan plan = fan();
  plan.stages[0].steps[1].action = layerOf(0, 1);
  EXPECT_FALSE(parsePlan(serializePlan(plan)));
  plan = fan();
  plan.stages[0].skipped = true;
  EXPECT_FALSE(parsePlan(serializePlan(plan)));
}

}  // namespace
}  // namespace stagewright::plan
