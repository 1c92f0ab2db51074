#include "lib/pods/pods.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "lib/pods/parts.h"
#include "lib/pods/quantity.h"
#include "lib/pods/requests.h"
#include "lib/pods/resources.h"

namespace stagewright::pods {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(PodName, FitsALabelForTheLongestBuildName) {
  const std::string name =
      podName(std::string(api::kMaxNameLength, 'a'), "k3v9q2m7xa", "prepare", 99);
  EXPECT_LE(name.size(), 63U);
  EXPECT_EQ(podName("shop", "k3v9q2m7xa", "2", 1), "shop-k3v9q2m7xa-2-1");
}

TEST(AddEnv, DoublesDollarsSoThatTheKubeletExpandsNothing) {
  Json env = Json::array();
  addEnv(env, "A", "$(STAGEWRIGHT_RUN_KEY) $$ $x");
  EXPECT_EQ(env[0]["value"], "$$(STAGEWRIGHT_RUN_KEY) $$$$ $$x");
}

TEST(ParseQuantity, ReadsAllShapes) {
  const std::vector<std::pair<const char*, double>> cases = {
      {"1", 1000},
      {"500m", 500},
      {"1.5", 1500},
      {"4Gi", 4.0 * 1073741824 * 1000},
      {"2k", 2000000},
      {"1e3", 1000000},
      {"1E3", 1000000},
      {".5", 500},
      {"5e-1", 500},
      {"100u", 0.1},
      {"128974848", 128974848000.0},
      {"1E", 1e21 > 9007199254740992.0 ? -1 : 0}};
  for (const auto& [text, expected] : cases) {
    const Result<double> value = parseQuantity(text);
    if (expected < 0) {
      EXPECT_FALSE(value) << text;
      continue;
    }
    ASSERT_TRUE(value) << text;
    EXPECT_DOUBLE_EQ(*value, expected) << text;
  }
  for (const char* text : {"", "m", "1.2.3", "-1", "1e", "1e+", "1Xi", "many", "1 Gi", "1ee3"}) {
    EXPECT_FALSE(parseQuantity(text)) << text;
  }
}

TEST(QuantityLess, TreatsWhatItCannotReadAsLargest) {
  EXPECT_TRUE(quantityLess("1000Mi", "1Gi"));
  EXPECT_FALSE(quantityLess("1Gi", "1024Mi"));
  EXPECT_TRUE(quantityLess("1Gi", "many"));
  EXPECT_FALSE(quantityLess("many", "1Gi"));
}

TEST(StageResources, OwnSettingsWinByNameOrIndex) {
  PodSettings settings;
  settings.stageResources.requests = {{"cpu", "2"}, {"memory", "8Gi"}};
  api::ImageBuildSpec spec;
  spec.execution.resources.limits = {{"memory", "4Gi"}};
  spec.execution.stages = {{"test", {{{"cpu", "3"}}, {}}}, {"1", {{}, {{"memory", "16Gi"}}}}};
  const api::Resources plain = stageResources(spec, settings, "deps", 0);
  EXPECT_EQ(plain.requests.at("memory"), "4Gi") << "an inherited request is lowered to the limit";
  EXPECT_EQ(plain.requests.at("cpu"), "2");
  const api::Resources test = stageResources(spec, settings, "test", 1);
  EXPECT_EQ(test.requests.at("cpu"), "3");
  EXPECT_EQ(test.limits.at("memory"), "16Gi");
}

TEST(StageResources, OwnRequestLiftsAnInheritedLimit) {
  api::ImageBuildSpec spec;
  spec.execution.resources.limits = {{"memory", "1Gi"}};
  spec.execution.stages = {{"big", {{{"memory", "2Gi"}}, {}}}};
  EXPECT_EQ(stageResources(spec, {}, "big", 0).limits.at("memory"), "2Gi");
}

TEST(PrepareResources, ReserveTheLargestStage) {
  PodSettings settings;
  settings.prepareResources = {{{"cpu", "100m"}, {"memory", "128Mi"}}, {{"memory", "256Mi"}}};
  api::ImageBuildSpec spec;
  spec.execution.resources.requests = {{"cpu", "1"}};
  spec.execution.stages = {{"a", {{}, {{"memory", "3Gi"}}}}, {"b", {{{"memory", "2Gi"}}, {}}}};
  const api::Resources out = prepareResources(spec, settings);
  EXPECT_EQ(out.requests.at("cpu"), "1");
  EXPECT_EQ(out.requests.at("memory"), "3Gi") << "a limit without a request is a request";
  EXPECT_EQ(out.limits.at("memory"), "3Gi") << "a request above the limit would be refused";
}

TEST(UnknownStages, NamesWhatNoStageMatches) {
  api::ImageBuildSpec spec;
  spec.execution.stages = {{"deps", {}}, {"1", {}}, {"tset", {}}};
  api::StageStatus deps;
  deps.name = "deps";
  api::StageStatus test;
  test.index = 1;
  test.name = "test";
  EXPECT_THAT(unknownStages(spec, {deps, test}), ElementsAre("tset"));
}

TEST(StageSettings, AreFoundByNameAndByIndex) {
  api::ImageBuildSpec spec;
  spec.execution.stages = {{"deps", {}, Millis(1000), {{"disk", "ssd"}}},
                           {"1", {}, Millis(2000), {{"zone", "a"}}}};
  EXPECT_EQ(stageSettings(spec, "deps", 0).timeout, Millis(1000));
  EXPECT_EQ(stageSettings(spec, "other", 1).timeout, Millis(2000));
  EXPECT_FALSE(stageSettings(spec, "third", 2).timeout);
  const api::StageSettings both = stageSettings(spec, "deps", 1);
  EXPECT_EQ(both.nodeSelector.size(), 2U);
}

TEST(CommonNodeSelector, IsThatOfAllStagesUnlessTheyContradictEachOther) {
  api::ImageBuildSpec spec;
  spec.execution.nodeSelector = {{"pool", "builds"}};
  spec.execution.stages = {{"a", {}, {}, {{"disk", "ssd"}}}, {"b", {}, {}, {{"zone", "z1"}}}};
  EXPECT_EQ(*commonNodeSelector(spec), (std::map<std::string, std::string>{
                                           {"pool", "builds"}, {"disk", "ssd"}, {"zone", "z1"}}));
  spec.execution.stages[1].nodeSelector["disk"] = "hdd";
  EXPECT_EQ(commonNodeSelector(spec).error().message,
            "spec.execution.stages: stage \"b\" asks for disk=hdd, but another part of execution "
            "for ssd; on a ReadWriteOnce workspace all pods share one node");
}

TEST(CheckPodMetadata, AllowsWhatTheAdministratorAllows) {
  api::ImageBuildSpec spec;
  PodSettings settings;
  EXPECT_TRUE(checkPodMetadata(spec, settings));
  spec.execution.podMetadata.labels = {{"cost.example/team", "a"}};
  EXPECT_EQ(checkPodMetadata(spec, settings).error().message,
            "spec.execution.podMetadata.labels: \"cost.example/team\" is not allowed; the "
            "operator's --pod-metadata-prefix allows none");
  settings.podMetadataPrefixes = {"cost.example/", "sidecar.istio.io/inject"};
  EXPECT_TRUE(checkPodMetadata(spec, settings));
  spec.execution.podMetadata.annotations = {{"sidecar.istio.io/inject", "false"}};
  EXPECT_TRUE(checkPodMetadata(spec, settings));
  spec.execution.podMetadata.annotations = {{"sidecar.istio.io/userVolume", "x"}};
  EXPECT_THAT(checkPodMetadata(spec, settings).error().message,
              HasSubstr("allows cost.example/, sidecar.istio.io/inject"));
  spec.execution.podMetadata.annotations.clear();
  settings.podMetadataPrefixes = {""};
  for (const char* name : {"build.stagewright.dev/run", "app"}) {
    spec.execution.podMetadata.labels = {{name, "x"}};
    EXPECT_FALSE(checkPodMetadata(spec, settings)) << name;
  }
}

TEST(ResolveOutput, SplitsImagesAndFillsInRevisions) {
  api::Output image;
  image.image = "registry.example:5000/team/app";
  EXPECT_EQ(resolveOutput(image, "")->repository, "registry.example:5000/team/app");
  EXPECT_THAT(resolveOutput(image, "")->tags, ElementsAre("latest"));
  api::Output tags;
  tags.repository = "registry.example/app";
  tags.tags = {"1", "$(source.revision.short)-x", "$(source.revision)"};
  EXPECT_THAT(resolveOutput(tags, "0123456789abcdef")->tags,
              ElementsAre("1", "01234567-x", "0123456789abcdef"));
}

TEST(ResolveOutput, SaysWhereItIsWrong) {
  api::Output tags;
  tags.repository = "registry.example/app";
  tags.tags = {"1", "$(source.revision)"};
  EXPECT_EQ(resolveOutput(tags, "").error().message,
            "spec.output.tags[1]: asks for the source's revision, but the source has none");
  tags.tags = {"a b"};
  EXPECT_EQ(resolveOutput(tags, "").error().message, "spec.output.tags[0]: \"a b\" is not a tag");
  api::Output image;
  image.image = "registry.example/App:1";
  EXPECT_THAT(resolveOutput(image, "").error().message, HasSubstr("spec.output.image: "));
}

TEST(CheckRequestSize, RefusesWhatNoEnvironmentVariableHolds) {
  api::ImageBuildSpec spec;
  spec.dockerfileInline = "FROM scratch";
  EXPECT_TRUE(checkRequestSize(spec));
  spec.buildArgs.assign(40, {"A", std::string(4096, 'x')});
  EXPECT_THAT(checkRequestSize(spec).error().message, HasSubstr("at most 120 are possible"));
}

}  // namespace
}  // namespace stagewright::pods
