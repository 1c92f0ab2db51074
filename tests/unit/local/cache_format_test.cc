#include "local/cache_format.h"

#include <gtest/gtest.h>

namespace stagewright::local {
namespace {

StepRecord makeStep(const std::string& content) {
  StepRecord step;
  step.created = "2026-01-02T03:04:05Z";
  step.blob = BlobRecord{oci::Digest::ofBytes(content), oci::Digest::ofBytes("plain " + content), 5};
  return step;
}

const std::string kKey(64, 'a');
const std::string kOther(64, 'b');

TEST(CacheManifest, SurvivesBeingReadAgain) {
  CacheContent content;
  content.steps = {{kKey, makeStep("one")}, {kOther, makeStep("two")}};
  content.notes = {{"n", "digest"}};
  const CacheManifest made = makeCacheManifest(content);
  EXPECT_EQ(made.manifest.config.mediaType, kMediaCacheConfig);
  EXPECT_EQ(made.manifest.config.digest, oci::Digest::ofBytes(made.config));
  ASSERT_EQ(made.manifest.layers.size(), 2U);
  const auto read = parseCacheConfig(made.config);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->notes, content.notes);
  ASSERT_EQ(read->steps.size(), 2U);
  EXPECT_EQ(read->steps.at(kKey).blob, content.steps.at(kKey).blob);
  EXPECT_EQ(read->steps.at(kKey).created, "2026-01-02T03:04:05Z");
  EXPECT_EQ(read->steps.at(kKey).layer, "");
}

TEST(CacheManifest, NamesEqualLayersOnce) {
  CacheContent content;
  content.steps = {{kKey, makeStep("one")}, {kOther, makeStep("one")}};
  EXPECT_EQ(makeCacheManifest(content).manifest.layers.size(), 1U);
}

TEST(ParseCacheConfig, RefusesWhatItCannotTrust) {
  const std::string digest = oci::Digest::ofBytes("x").str();
  const auto step = [&](const std::string& key, const std::string& blob, const std::string& size) {
    return R"({"steps":[{"key":")" + key + R"(","created":"t","digest":")" + blob + R"(","diffId":")" + digest +
           R"(","size":)" + size + "}]}";
  };
  EXPECT_TRUE(parseCacheConfig(step(kKey, digest, "1")));
  EXPECT_FALSE(parseCacheConfig(step("../../etc", digest, "1")));
  EXPECT_FALSE(parseCacheConfig(step(kKey, "sha256:x", "1")));
  EXPECT_FALSE(parseCacheConfig(step(kKey, digest, "-1")));
  EXPECT_FALSE(parseCacheConfig("[]"));
  EXPECT_FALSE(parseCacheConfig("no json"));
}

TEST(InlineCache, IsOfTheImagesLastLayers) {
  oci::Manifest manifest;
  oci::ImageConfig config;
  for (const char* name : {"base", "one", "two"}) {
    oci::Descriptor layer;
    layer.digest = oci::Digest::ofBytes(name);
    layer.size = 7;
    manifest.layers.push_back(layer);
    config.diffIds.push_back(oci::Digest::ofBytes(std::string("plain ") + name));
  }
  manifest.annotations[std::string(kInlineCacheAnnotation)] = makeInlineCache({{kKey, "t1"}, {kOther, "t2"}});
  const auto read = parseInlineCache(manifest, config);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->steps.at(kKey).blob->digest, oci::Digest::ofBytes("one"));
  EXPECT_EQ(read->steps.at(kOther).blob->diffId, oci::Digest::ofBytes("plain two"));
  EXPECT_EQ(read->steps.at(kOther).created, "t2");
}

TEST(InlineCache, IsEmptyWithoutAnAnnotationAndRefusedWhereItDoesNotFit) {
  oci::Manifest manifest;
  EXPECT_TRUE(parseInlineCache(manifest, {})->steps.empty());
  manifest.annotations[std::string(kInlineCacheAnnotation)] = makeInlineCache({{kKey, "t"}});
  EXPECT_FALSE(parseInlineCache(manifest, {}));
}

}  // namespace
}  // namespace stagewright::local
