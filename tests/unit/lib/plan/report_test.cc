#include "lib/plan/report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "lib/base/seal.h"
#include "lib/plan/contract.h"
#include "lib/plan/request.h"
#include "lib/plan/text.h"

namespace stagewright::plan {
namespace {

TEST(Contract, PathsAreFixed) {
  EXPECT_EQ(runPath("r1"), "runs/r1");
  EXPECT_EQ(preparePath("r1", 2), "runs/r1/prepare/a2");
  EXPECT_EQ(stagePath("r1", 3, 1), "runs/r1/stages/3/a1");
  EXPECT_EQ(layerPath(0), "layers/0.tar");
  EXPECT_EQ(layerSealPath(4), "layers/4.json");
  EXPECT_EQ(artifactPath(5), "artifacts/5.tar");
}

StageReport fullReport() {
  StageReport out;
  out.stage = 2;
  out.attempt = 3;
  out.succeeded = true;
  out.upstream = {{0, 1}, {10, 2}};
  out.layers = {{0, oci::Digest::ofBytes("a"), 1024}};
  out.artifacts = {{0, oci::Digest::ofBytes("b"), 2048, {"/out/a", "/out/b"}},
                   {1, oci::Digest::ofBytes("c"), 0, {"/"}}};
  out.times = {{0, 17}};
  out.failure = Failure{"StageFailed", "step 1 failed", "RUN x", 4, 2, "last\nlines"};
  return out;
}

TEST(StageReport, RoundTrips) {
  const std::string text = dumpJson(toJson(fullReport()));
  const auto read = parseStageReport(text);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(dumpJson(toJson(*read)), text);
  EXPECT_EQ(read->upstream, fullReport().upstream);
  EXPECT_EQ(read->failure->logTail, "last\nlines");
}

TEST(ParseStageReport, RefusesHostileInput) {
  const std::string good = dumpJson(toJson(fullReport()));
  const auto changed = [&](const std::string& path, Json value) {
    Json json = Json::parse(good);
    json[Json::json_pointer(path)] = std::move(value);
    return dumpJson(json);
  };
  Json layers = Json::array();
  for (int i = 0; i < 10001; ++i) {
    layers.push_back(1);
  }
  const std::vector<std::pair<std::string, std::string>> cases = {
      {std::string((1 << 20) + 1, ' '), "the stage report is larger than 1 MiB"},
      {"[]", "expected object, got array"},
      {changed("/stage", -1), "stage: -1 is not within 0 and 2147483647"},
      {changed("/attempt", 0), "attempt: 0 is not within 1 and 2147483647"},
      {changed("/upstream", {{"-1", 1}}), "upstream: expected stage indexes as keys"},
      {changed("/upstream", {{"1x", 1}}), "upstream: expected stage indexes as keys"},
      {changed("/layers", layers), "more than 10000 layers or 1000 artifacts"},
      {changed("/layers/0/size", -1), "layers[0]: size: must not be negative"},
      {changed("/layers/0/diffId", "sha256:x"), "layers[0]: diffId: invalid digest"},
      {changed("/artifacts/0/matches/0", "/a/../b"), "artifacts[0]: matches: expected clean paths"},
      {changed("/artifacts/0/matches/0", std::string("/a\0b", 4)),
       "artifacts[0]: matches: expected clean paths"},
      {changed("/failure", 1), "failure: expected object, got number"},
  };
  for (const auto& [text, want] : cases) {
    const auto result = parseStageReport(text);
    ASSERT_FALSE(result) << text.substr(0, 200);
    EXPECT_EQ(result.error().message.rfind(want, 0), 0U) << result.error().message;
  }
}

TEST(LayerReport, RoundTrips) {
  const LayerReport report{3, oci::Digest::ofBytes("x"), 99};
  const auto read = parseLayerReport(dumpJson(toJson(report)));
  ASSERT_TRUE(read);
  EXPECT_EQ(toJson(*read), toJson(report));
  EXPECT_FALSE(parseLayerReport("{}"));
}

TEST(ParseFailure, CutsAndCleansInsteadOfRefusing) {
  Json json = {{"reason", std::string(1000, 'r')},
               {"message", std::string(2047, 'm') + "\xc3\xa4"},
               {"instruction", std::string(1000, 'i')},
               {"logTail", "start" + std::string(2040, 'x') + "\x1b[0mend\tok\n"}};
  const auto read = parseFailure(JsonReader(json));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->reason.size(), 64U);
  EXPECT_EQ(read->message, std::string(2047, 'm'));
  EXPECT_EQ(read->instruction.size(), 256U);
  EXPECT_LE(read->logTail.size(), 2048U);
  EXPECT_NE(read->logTail.find("?[0mend\tok\n"), std::string::npos);
}

TEST(ImageReport, RoundTrips) {
  const ImageReport report{"r:5000/a@" + oci::Digest::ofBytes("i").str(),
                           oci::Digest::ofBytes("i"),
                           "m",
                           5,
                           2,
                           {"v1"},
                           3};
  const Json json = toJson(report);
  const auto read = parseImageReport(JsonReader(json));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(toJson(*read), json);
}

TEST(MakeTermination, AlwaysFitsAndKeepsTheEndOfTheLog) {
  Failure failure;
  failure.reason = "StageFailed";
  failure.message = std::string(5000, '"') + "\xff\xfe";
  failure.instruction = std::string(5000, '\\');
  failure.logTail = std::string(9000, '\x01') + std::string(3000, '"') + "the end";
  const std::string text = makeTermination("key", "run", "3", 2, failure);
  EXPECT_LE(text.size(), kTerminationLimit);
  const auto body = unsealText("key", {"run", "3", 2}, "termination", text);
  ASSERT_TRUE(body) << body.error().message;
  const Json json = Json::parse(*body);
  const auto read = parseFailure(JsonReader(json));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->reason, "StageFailed");
  EXPECT_TRUE(read->logTail.empty() || read->logTail.substr(read->logTail.size() - 7) == "the end");
  EXPECT_FALSE(read->message.empty());
}

TEST(MakeTermination, LeavesASmallFailureAlone) {
  const Failure failure{"StageFailed", "step failed", "RUN x", 3, 1, "log"};
  const std::string text = makeTermination("key", "run", "0", 1, failure);
  const Json json = Json::parse(*unsealText("key", {"run", "0", 1}, "termination", text));
  EXPECT_EQ(json, toJson(failure));
}

TEST(BuildRequest, RoundTripsAndKeepsTheOrderOfArguments) {
  BuildRequest request;
  request.git = GitSource{"https://h/r.git", "main", "", "", true};
  request.contextDir = "sub";
  request.dockerfileInline = "FROM scratch\n";
  request.target = "t";
  request.platform = {"linux", "arm64", ""};
  request.buildArgs = {{"b", "1"}, {"a", ""}, {"b", "2"}};
  request.buildArgFiles = {{"c", "key \"k\" of ConfigMap \"m\""}};
  request.labels = {{"l", "v"}};
  request.proxies = {{"HTTP_PROXY", "http://p:3128"}, {"http_proxy", "http://p:3128"}};
  request.trustedCa = "corp-ca";
  request.authoritiesInRun = true;
  request.registries = {{"r:5000", RegistryAccess::Tls::kPlainHttp, "/ca", {"m1", "m2"}}};
  request.pullSecrets = 2;
  request.maxAttempts = 3;
  const std::string text = dumpJson(toJson(request));
  const auto read = parseBuildRequest(text);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(dumpJson(toJson(*read)), text);
  EXPECT_EQ(read->buildArgs, request.buildArgs);
  EXPECT_EQ(read->buildArgFiles, request.buildArgFiles);
  EXPECT_EQ(read->proxies, request.proxies);
  EXPECT_EQ(read->registries[0].tls, RegistryAccess::Tls::kPlainHttp);
}

TEST(BuildRequest, DefaultsWhatIsAbsentAndIgnoresWhatItDoesNotKnow) {
  const auto read = parseBuildRequest(R"({"git":null,"newer":{}})");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_FALSE(read->git);
  EXPECT_EQ(read->dockerfile, "Dockerfile");
  EXPECT_FALSE(read->dockerfileInline);
  EXPECT_EQ(read->platform.str(), "linux/amd64");
  EXPECT_EQ(read->maxAttempts, 1);
}

TEST(BuildRequest, RefusesWrongValues) {
  for (const char* text :
       {"", "[]", R"({"git":{}})", R"({"git":{"url":"u","tag":"t","commit":"c"}})",
        R"({"platform":"x"})", R"({"registries":[{"host":"h","tls":"maybe"}]})",
        R"({"maxAttempts":0})", R"({"buildArgs":{"a":"b"}})", R"({"buildArgs":[{"value":"b"}]})"}) {
    const auto read = parseBuildRequest(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, Code::kInvalid);
  }
}

TEST(PublishRequest, RoundTrips) {
  PublishRequest request;
  request.repository = "r:5000/a/b";
  request.tags = {"v1", "latest"};
  request.registries = {{"r:5000", RegistryAccess::Tls::kSkipVerify, "", {}}};
  request.pullSecrets = 1;
  request.pushSecret = true;
  request.dockerFormat = true;
  const std::string text = dumpJson(toJson(request));
  const auto read = parsePublishRequest(text);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(dumpJson(toJson(*read)), text);
  EXPECT_FALSE(parsePublishRequest("{}"));
}

TEST(Text, CutsAtCharacters) {
  EXPECT_EQ(cutEnd("a\xc3\xa4", 2), "a");
  EXPECT_EQ(cutEnd("a\xc3\xa4", 3), "a\xc3\xa4");
  EXPECT_EQ(cutFront("\xc3\xa4z", 2), "z");
  EXPECT_EQ(cutFront("\x80\x80\x80", 1), "");
  EXPECT_EQ(printable("a\x80\r\x7f\n\xed\xa0\x80"),
            "a\xef\xbf\xbd??\n\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_TRUE(isUtf8("\xf0\x9f\x98\x80\xe2\x82\xac"));
  EXPECT_FALSE(isUtf8("\xc0\x80"));
  EXPECT_FALSE(isUtf8("\xf4\x90\x80\x80"));
  EXPECT_FALSE(isUtf8("\xe2\x82"));
}

}  // namespace
}  // namespace stagewright::plan
