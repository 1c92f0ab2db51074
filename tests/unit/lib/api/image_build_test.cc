#include "lib/api/image_build.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace stagewright::api {
namespace {

using ::testing::HasSubstr;

Json smallSpec() {
  return {{"source", {{"git", {{"url", "https://git.example/a.git"}}}}},
          {"output", {{"image", "registry.example/a:1"}}}};
}

struct BadSpec {
  const char* patch;
  const char* message;
};

TEST(ParseSpec, SaysWhereItIsWrong) {
  const BadSpec cases[] = {
      {R"({"output": {"image": 5}})", "spec.output.image: expected string, got number"},
      {R"({"outputt": {}})", "spec: unknown field \"outputt\""},
      {R"({"source": {"git": {"ref": {"comit": "x"}}}})",
       "spec.source.git.ref: unknown field \"comit\""},
      {R"({"source": {"configMap": {"name": "x"}}})",
       "spec.source: git and configMap exclude each other: a build has one source"},
      {R"({"source": null})", "spec: needs a source, or dockerfileInline if there is none"},
      {R"({"dockerfile": "a", "dockerfileInline": "FROM x"})",
       "spec: dockerfile and dockerfileInline exclude each other"},
      {R"({"source": {"git": {"ref": {"tag": "a", "branch": "b"}}}})",
       "spec.source.git.ref: branch, tag and commit exclude each other"},
      {R"({"output": null})", "spec.output: required, but missing"},
      {R"({"output": {"repository": "r"}})", "spec.output: needs either image or repository"},
      {R"({"output": {"tags": ["1"]}})",
       "spec.output: tags belong to repository; with image the tag stands in it"},
      {R"({"output": {"image": null, "repository": "r", "tags": [1.8]}})",
       "spec.output.tags[0]: expected string, got number"},
      {R"({"buildArgs": [{"name": "A", "value": 1}]})",
       "spec.buildArgs[0].value: expected string, got number"},
      {R"({"buildArgs": [{"name": "A", "value": "1", "valueFrom": {"configMapKeyRef": {"name": "a", "key": "b"}}}]})",
       "spec.buildArgs[0]: needs either value or valueFrom"},
      {R"({"buildArgs": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}]})",
       "spec.buildArgs[0].valueFrom: unknown field \"secretKeyRef\""},
      {R"({"execution": {"isolation": "None"}})",
       "spec.execution: isolation: expected Auto, UserNamespace or Baseline, got \"None\""},
      {R"({"execution": {"resources": {"limits": {"gpu": 1}}}})",
       "spec.execution.resources.limits: unknown field \"gpu\""},
      {R"({"timeout": "5x"})",
       "spec: timeout: expected a duration such as 90s or 1h30m, got \"5x\""},
      {R"({"workspace": {"claimName": "a", "size": "1Gi"}})",
       "spec.workspace: claimName names an existing claim"},
      {R"({"registries": [{"host": "h", "tls": "PlainHTTP", "trustedCA": {"configMapKeyRef": {"name": "a", "key": "b"}}}]})",
       "spec.registries[0]: trustedCA has no effect unless tls is Verify"},
      {R"({"proxy": {"http": "http://user:pass@proxy.example:3128"}})",
       "spec.proxy: http: credentials in a URL are refused"},
      {R"({"proxy": {"https": "proxy.example:3128"}})",
       "spec.proxy: https: expected a URL such as http://proxy.example:3128"},
      {R"({"proxy": {"https": "http://proxy.example\nX: y"}})",
       "spec.proxy: https: expected a URL such as http://proxy.example:3128"},
      {R"({"proxy": {"noProxy": "a"}})", "spec.proxy: noProxy needs http or https"},
      {R"({"suspend": "yes"})", "spec.suspend: expected boolean, got string"},
      {R"({"imagePullSecrets": ["a"]})", "spec.imagePullSecrets[0]: expected object, got string"}};
  for (const BadSpec& c : cases) {
    Json spec = smallSpec();
    spec.merge_patch(Json::parse(c.patch));
    const Result<ImageBuildSpec> parsed = parseSpec(JsonReader(spec, "spec"));
    ASSERT_FALSE(parsed) << c.patch;
    EXPECT_THAT(parsed.error().message, HasSubstr(c.message)) << c.patch;
    EXPECT_EQ(parsed.error().code, Code::kInvalid);
  }
}

TEST(ParseSpec, TellsUnsetFromSet) {
  const Json spec = smallSpec();
  const ImageBuildSpec parsed = parseSpec(JsonReader(spec, "spec")).value();
  EXPECT_EQ(parsed.contextDir, "");
  EXPECT_FALSE(parsed.timeout);
  EXPECT_FALSE(parsed.execution.isolation);
  EXPECT_EQ(toJson(parsed), smallSpec());
}

TEST(ParseSpec, TakesNullAndEmptyForUnset) {
  Json spec = smallSpec();
  spec["buildArgs"] = Json::array();
  spec["workspace"] = Json::object();
  spec["timeout"] = nullptr;
  EXPECT_EQ(toJson(parseSpec(JsonReader(spec, "spec")).value()), smallSpec());
}

TEST(ParseSpec, KeepsWhereAnArgumentComesFrom) {
  Json spec = smallSpec();
  spec["buildArgs"] = Json::parse(
      R"([{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "env", "key": "a"}}}, {"name": "B", "value": ""}])");
  const ImageBuildSpec parsed = parseSpec(JsonReader(spec, "spec")).value();
  EXPECT_EQ(parsed.buildArgs[0].from->key, "a");
  EXPECT_EQ(toJson(parsed), spec);
}

TEST(ParseSpec, AnEmptyProxySaysThatThereIsNone) {
  Json spec = smallSpec();
  spec["proxy"] = Json::object();
  const ImageBuildSpec parsed = parseSpec(JsonReader(spec, "spec")).value();
  ASSERT_TRUE(parsed.proxy);
  EXPECT_EQ(toJson(parsed), spec);
}

TEST(ParseSpec, AcceptsNumbersAsQuantities) {
  Json spec = smallSpec();
  spec["execution"]["resources"]["requests"] = {{"cpu", 2}, {"memory", "1Gi"}};
  const ImageBuildSpec parsed = parseSpec(JsonReader(spec, "spec")).value();
  EXPECT_EQ(parsed.execution.resources.requests.at("cpu"), "2");
}

TEST(ParseImageBuild, KeepsABadSpecApartFromBadMetadata) {
  Json object = {{"metadata", {{"name", "a"}, {"uid", "u"}, {"generation", 3}}},
                 {"spec", {{"output", 5}}},
                 {"status", {{"observedGeneration", -1}}}};
  const Result<ImageBuild> build = parseImageBuild(object);
  ASSERT_TRUE(build);
  EXPECT_EQ(build->metadata.generation, 3);
  ASSERT_TRUE(build->specError);
  object["metadata"]["generation"] = "3";
  EXPECT_FALSE(parseImageBuild(object));
  EXPECT_FALSE(parseImageBuild(Json(5)));
  EXPECT_FALSE(parseImageBuild(Json::object()));
}

TEST(ParseImageBuild, ReadsOnlyItsOwnAnnotations) {
  const Json object = {
      {"metadata",
       {{"name", "a"},
        {"annotations", {{std::string(kRebuildAnnotation), "7"}, {"argocd.argoproj.io/x", "y"}}}}},
      {"spec", smallSpec()}};
  const Result<ImageBuild> build = parseImageBuild(object);
  ASSERT_TRUE(build);
  EXPECT_EQ(build->metadata.annotations.size(), 1U);
  EXPECT_EQ(build->status.observedGeneration, -1);
}

TEST(ParseStatus, IgnoresWhatANewerOperatorWrote) {
  const Json status = {
      {"observedGeneration", 2}, {"novelty", {{"x", 1}}}, {"run", {{"id", "a"}, {"new", 1}}}};
  const Result<ImageBuildStatus> parsed = parseStatus(JsonReader(status, "status"));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->run->id, "a");
}

}  // namespace
}  // namespace stagewright::api
