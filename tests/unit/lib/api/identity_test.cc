#include "lib/api/identity.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace stagewright::api {
namespace {

Json fullSpec() {
  return Json::parse(R"({
    "source": {"git": {"url": "https://git.example/a.git", "ref": {"branch": "main"}, "secretRef": {"name": "s"}}},
    "contextDir": "a", "dockerfile": "D", "target": "t",
    "buildArgs": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
    "secrets": [{"id": "npm", "secretKeyRef": {"name": "n", "key": "k"}}],
    "ssh": [{"id": "default", "secretKeyRef": {"name": "n", "key": "k"}}],
    "output": {"repository": "registry.example/a", "tags": ["1", "2"], "secretRef": {"name": "p"},
               "labels": [{"name": "l", "value": "v"}]},
    "imagePullSecrets": [{"name": "m"}],
    "registries": [{"host": "registry.example", "tls": "Verify"}],
    "cache": {"mode": "Registry", "repository": "registry.example/a-cache"},
    "workspace": {"size": "1Gi"},
    "execution": {"isolation": "Auto"},
    "timeout": "1h", "suspend": false, "retention": {"pods": "Never"}})");
}

ImageBuildSpec parsed(const Json& spec) { return parseSpec(JsonReader(spec, "spec")).value(); }

struct Edit {
  const char* patch;
  bool input;
  bool remedy;
};

TEST(Hashes, TellInputsRemediesAndTheRestApart) {
  const Edit edits[] = {
      {R"({"source": {"git": {"url": "https://git.example/b.git"}}})", true, false},
      {R"({"source": {"git": {"ref": {"branch": "x"}}}})", true, false},
      {R"({"source": {"git": {"secretRef": {"name": "other"}}}})", false, true},
      {R"({"contextDir": "b"})", true, false},
      {R"({"dockerfile": "E"})", true, false},
      {R"({"target": null})", true, false},
      {R"({"buildArgs": [{"name": "A", "value": "9"}, {"name": "B", "value": "2"}]})", true, false},
      {R"({"buildArgs": [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]})", false,
       false},
      {R"({"output": {"repository": "registry.example/b"}})", true, false},
      {R"({"output": {"tags": ["1", "2", "3"]}})", true, false},
      {R"({"output": {"tags": ["2", "1"]}})", false, false},
      {R"({"output": {"labels": null}})", true, false},
      {R"({"output": {"secretRef": {"name": "other"}}})", false, true},
      {R"({"secrets": [{"id": "npm", "secretKeyRef": {"name": "o", "key": "k"}}]})", false, true},
      {R"({"secrets": [{"id": "other", "secretKeyRef": {"name": "n", "key": "k"}}]})", true, true},
      {R"({"secrets": null})", true, true},
      {R"({"ssh": [{"id": "default", "secretKeyRef": {"name": "n", "key": "l"}}]})", false, true},
      {R"({"ssh": null})", true, true},
      {R"({"imagePullSecrets": null})", false, true},
      {R"({"registries": [{"host": "registry.example", "tls": "PlainHTTP"}]})", false, true},
      {R"({"proxy": {"http": "http://proxy.example:3128"}})", false, true},
      {R"({"proxy": {}})", false, true},
      {R"({"trustedCA": {"configMapKeyRef": {"name": "c", "key": "k"}}})", false, true},
      {R"({"cache": {"policy": "Refresh"}})", false, true},
      {R"({"cache": null})", false, true},
      {R"({"workspace": {"size": "2Gi"}})", false, true},
      {R"({"execution": {"isolation": "Baseline"}})", false, true},
      {R"({"timeout": "2h"})", false, true},
      {R"({"timeout": "60m"})", false, false},
      {R"({"suspend": true})", false, false},
      {R"({"retention": {"pods": "Always"}})", false, false}};
  const ImageBuildSpec before = parsed(fullSpec());
  for (const Edit& edit : edits) {
    Json spec = fullSpec();
    spec.merge_patch(Json::parse(edit.patch));
    const ImageBuildSpec after = parsed(spec);
    EXPECT_EQ(inputHash(before, "") != inputHash(after, ""), edit.input) << edit.patch;
    EXPECT_EQ(remediesHash(before) != remediesHash(after), edit.remedy) << edit.patch;
  }
}

TEST(InputHash, IsWhatItWasInEveryVersion) {
  // A change here starts a run of every build in every cluster at the next upgrade.
  const Json spec = {{"source", {{"git", {{"url", "https://git.example/a.git"}}}}},
                     {"output", {{"image", "registry.example/a:1"}}}};
  EXPECT_EQ(inputHash(parsed(spec), ""),
            "sha256:167104508a5bb983ae21758415a0160b1d7c1b79c9dfe47f06676746a46ebfd3");
}

TEST(RemediesHash, IsWhatItWasInEveryVersion) {
  // A change here starts a run of every failed build in every cluster at the next upgrade.
  const Json spec = {{"source", {{"git", {{"url", "https://git.example/a.git"}}}}},
                     {"output", {{"image", "registry.example/a:1"}}}};
  EXPECT_EQ(remediesHash(parsed(spec)),
            "sha256:7eda405f6d73a27fb7d7430bcae59cd15ec2d51d0206c8cd004460973ea58a99");
}

TEST(InputHash, CoversTheRebuildToken) {
  const ImageBuildSpec spec = parsed(fullSpec());
  EXPECT_NE(inputHash(spec, ""), inputHash(spec, "7"));
}

TEST(NoCacheToken, IsPartOfTheHashOnceItWasUsed) {
  ImageBuild build;
  EXPECT_EQ(joinTokens("7", noCacheToken(build)), "7");
  build.metadata.annotations[std::string(kRebuildNoCacheAnnotation)] = "x";
  EXPECT_EQ(noCacheToken(build), "x");
  EXPECT_NE(joinTokens("7", "x"), joinTokens("7", "y"));
  EXPECT_NE(joinTokens("7", "x"), joinTokens("x", "7"));
  build.metadata.annotations.clear();
  build.status.lastHandledNoCacheRebuild = "x";
  EXPECT_EQ(noCacheToken(build), "x");
}

TEST(RebuildToken, OutlivesItsAnnotation) {
  ImageBuild build;
  EXPECT_EQ(rebuildToken(build), "");
  build.status.lastHandledRebuild = "6";
  EXPECT_EQ(rebuildToken(build), "6");
  build.metadata.annotations[std::string(kRebuildAnnotation)] = "7";
  EXPECT_EQ(rebuildToken(build), "7");
  build.metadata.annotations[std::string(kRebuildAnnotation)] = std::string(100'000, 'x');
  EXPECT_EQ(rebuildToken(build).size(), 71U) << "status could not hold it";
}

TEST(MakeRunId, IsShortStableAndFitsNames) {
  const std::string id = makeRunId("uid", "sha256:x", 1);
  EXPECT_EQ(id.size(), 10U);
  EXPECT_EQ(id.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567"), std::string::npos);
  EXPECT_EQ(id, makeRunId("uid", "sha256:x", 1));
  EXPECT_NE(id, makeRunId("uid", "sha256:x", 2));
  EXPECT_NE(id, makeRunId("uid", "sha256:y", 1));
  EXPECT_NE(id, makeRunId("other", "sha256:x", 1));
}

}  // namespace
}  // namespace stagewright::api
