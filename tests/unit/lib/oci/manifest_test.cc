#include "lib/oci/manifest.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace stagewright::oci {
namespace {

std::string digestText(char c) { return "sha256:" + std::string(64, c); }

Descriptor makeDescriptor(char c, std::optional<Platform> platform) {
  Descriptor out;
  out.mediaType = std::string(kMediaManifest);
  out.digest = *Digest::parse(digestText(c));
  out.size = 7;
  out.platform = std::move(platform);
  return out;
}

TEST(ParsePlatform, NormalisesAsContainerd) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"linux/amd64", "linux/amd64"},
      {"linux/x86_64", "linux/amd64"},
      {"Linux/AMD64", "linux/amd64"},
      {"linux/aarch64", "linux/arm64"},
      {"linux/arm64/v8", "linux/arm64"},
      {"linux/arm/v7", "linux/arm/v7"},
      {"linux/arm", "linux/arm/v7"},
      {"linux/arm/6", "linux/arm/v6"},
      {"linux/armhf", "linux/arm/v7"},
      {"linux/armel", "linux/arm/v6"},
      {"linux/i386", "linux/386"},
      {"linux/amd64/v1", "linux/amd64"},
      {"linux/amd64/v3", "linux/amd64/v3"},
      {"macos/arm64", "darwin/arm64"},
      {"amd64", "linux/amd64"},
      {"linux/riscv64", "linux/riscv64"}};
  for (const auto& [text, want] : cases) {
    const auto result = parsePlatform(text);
    ASSERT_TRUE(result) << text;
    EXPECT_EQ(result->str(), want) << text;
  }
}

TEST(ParsePlatform, RefusesOtherShapes) {
  for (const std::string& text :
       {std::string(), std::string("/"), std::string("plan9x"), std::string("linux/"),
        std::string("a/b/c/d"), std::string("linux/am d64"), std::string(1000, 'x'),
        std::string("linux/\xc3\xa4")}) {
    const auto result = parsePlatform(text);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().code, Code::kInvalid);
  }
}

std::string pick(const std::vector<std::string>& offers, const std::string& wanted) {
  Index index;
  char c = 'a';
  for (const std::string& offer : offers) {
    const std::size_t slash = offer.find('/');
    const std::size_t second = offer.find('/', slash + 1);
    Platform p{offer.substr(0, slash), offer.substr(slash + 1, second - slash - 1),
               second == std::string::npos ? "" : offer.substr(second + 1)};
    index.manifests.push_back(makeDescriptor(c++, p));
  }
  const auto result = selectPlatform(index, *parsePlatform(wanted));
  return result ? offers[static_cast<std::size_t>(result->digest.hex()[0] - 'a')]
                : "! " + result.error().message;
}

TEST(SelectPlatform, PrefersTheExactVariantThenWhatRuns) {
  EXPECT_EQ(pick({"linux/arm/v6", "linux/arm/v7"}, "linux/arm/v7"), "linux/arm/v7");
  EXPECT_EQ(pick({"linux/arm/v5", "linux/arm/v6"}, "linux/arm/v7"), "linux/arm/v6");
  EXPECT_EQ(pick({"linux/arm64/v8"}, "linux/arm64"), "linux/arm64/v8");
  EXPECT_EQ(pick({"linux/arm64"}, "linux/arm64/v8"), "linux/arm64");
  EXPECT_EQ(pick({"linux/arm/v7", "linux/arm64"}, "linux/arm64"), "linux/arm64");
  EXPECT_EQ(pick({"linux/arm/v7"}, "linux/arm64"), "linux/arm/v7");
  EXPECT_EQ(pick({"linux/386", "linux/amd64"}, "linux/amd64"), "linux/amd64");
  EXPECT_EQ(pick({"linux/386"}, "linux/amd64"), "linux/386");
  EXPECT_EQ(pick({"linux/amd64", "linux/amd64/v2"}, "linux/amd64/v3"), "linux/amd64/v2");
}

TEST(SelectPlatform, SaysWhatThereIsAndSkipsAttestations) {
  EXPECT_EQ(pick({"unknown/unknown", "linux/s390x"}, "linux/amd64"),
            "! no image for platform linux/amd64: there is linux/s390x");
  EXPECT_EQ(pick({"linux/arm/v7"}, "linux/arm/v6"),
            "! no image for platform linux/arm/v6: there is linux/arm/v7");
  EXPECT_EQ(selectPlatform(Index(), Platform()).error().code, Code::kNotFound);
}

TEST(Manifest, RoundTripsToTheSameBytes) {
  Manifest manifest;
  manifest.config = makeDescriptor('c', std::nullopt);
  manifest.config.mediaType = std::string(kMediaConfig);
  manifest.layers = {makeDescriptor('1', std::nullopt), makeDescriptor('2', std::nullopt)};
  manifest.layers[1].annotations = {{"k", "v"}};
  manifest.annotations = {{"b", "2"}, {"a", "1"}};
  const std::string bytes = serializeManifest(manifest);
  const auto read = parseManifest(bytes);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(serializeManifest(*read), bytes);
  EXPECT_EQ(read->layers, manifest.layers);
  EXPECT_EQ(bytes.find("{\"annotations\":{\"a\":\"1\",\"b\":\"2\"},\"config\":"), 0U) << bytes;
}

std::string manifestText(const std::string& extra) {
  return R"({"schemaVersion":2,"config":{"mediaType":"c","digest":")" + digestText('c') +
         R"(","size":1})" + extra + "}";
}

TEST(ParseManifest, DefaultsTheMediaTypeOfOci) {
  const auto result = parseManifest(manifestText(""));
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->mediaType, kMediaManifest);
  EXPECT_TRUE(result->layers.empty());
  EXPECT_EQ(
      parseManifest(manifestText(R"(,"mediaType":")" + std::string(kMediaDockerManifest) + "\""))
          ->mediaType,
      kMediaDockerManifest);
}

TEST(ParseManifest, RefusesHostileInput) {
  const std::string layer = R"({"mediaType":"x","digest":")" + digestText('1') + R"(","size":1})";
  std::string many = R"(,"layers":[)" + layer;
  for (int i = 0; i < 4096; ++i) {
    many += "," + layer;
  }
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "not JSON"},
      {"[]", "expected object, got array"},
      {"{}", "schemaVersion: required, but missing"},
      {R"({"schemaVersion":1,"fsLayers":[]})",
       "manifest: Docker schema 1 images are not supported"},
      {R"({"schemaVersion":2})", "config: required, but missing"},
      {R"({"schemaVersion":2,"manifests":[]})", "expected an image manifest, got an index"},
      {manifestText(R"(,"mediaType":"application/x")"), "mediaType: unknown type"},
      {manifestText(R"(,"layers":{})"), "layers: expected array, got object"},
      {manifestText(R"(,"layers":[{"digest":"sha256:x","size":1}])"),
       "layers[0]: digest: invalid digest"},
      {manifestText(R"(,"layers":[{"digest":")" + digestText('1') + R"(","size":-1}])"),
       "layers[0]: size: must not be negative"},
      {manifestText(R"(,"layers":[{"digest":")" + digestText('1') + R"(","size":1e99}])"),
       "layers[0].size: expected integer"},
      {manifestText(R"(,"annotations":{"a":1})"), "annotations.a: expected string, got number"},
      {manifestText(many + "]"), "layers: more than 4096 entries"},
      {std::string(5U << 20, ' '), "the manifest is larger than 4 MiB"},
      {std::string(100000, '['), "not JSON"},
      {std::string(1000, '[') + std::string(1000, ']'), "JSON is nested deeper"},
  };
  for (const auto& [text, want] : cases) {
    const auto result = parseManifest(text);
    ASSERT_FALSE(result) << text.substr(0, 120);
    EXPECT_EQ(result.error().code, Code::kInvalid);
    EXPECT_EQ(result.error().message.find(want), 0U) << result.error().message;
  }
}

TEST(ParseIndex, ReadsPlatforms) {
  const auto result = parseIndex(
      R"({"schemaVersion":2,"manifests":[{"mediaType":"m","digest":")" + digestText('1') +
      R"(","size":3,"platform":{"os":"linux","architecture":"arm","variant":"v7"}}]})");
  ASSERT_TRUE(result) << result.error().message;
  ASSERT_EQ(result->manifests.size(), 1U);
  EXPECT_EQ(result->manifests[0].platform->str(), "linux/arm/v7");
  EXPECT_FALSE(parseIndex(manifestText("")));
  EXPECT_FALSE(parseIndex(R"({"schemaVersion":2,"manifests":[{"digest":")" + digestText('1') +
                          R"(","size":3,"platform":{"os":1}}]})"));
}

}  // namespace
}  // namespace stagewright::oci
