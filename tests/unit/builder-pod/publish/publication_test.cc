#include "builder-pod/publish/publication.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "lib/compress/decompressor.h"
#include "lib/http/curl_transport.h"
#include "lib/plan/cache_entry.h"
#include "lib/plan/prune.h"
#include "lib/registry/client.h"
#include "tests/support/docker_registry.h"
#include "tests/support/fault_transport.h"
#include "tests/support/memory_registry.h"
#include "tests/unit/builder-pod/publish/run_fixture.h"

namespace stagewright::publish {
namespace {

using ::testing::ElementsAre;
using testing::Fault;
using testing::FaultTransport;
using ::testing::HasSubstr;
using testing::MemoryRegistry;

std::string tarOf(char letter, std::size_t size) {
  std::string tar(size, letter);
  std::uint32_t state = static_cast<std::uint32_t>(letter);
  for (std::size_t i = 0; i < size; i += 3) {
    state = state * 1664525 + 1013904223;
    tar[i] = static_cast<char>(state >> 24);
  }
  return tar;
}

const std::string kBaseLayer = "compressed base layer";

plan::Step runStep(int line) {
  plan::Step step;
  step.text = "RUN make";
  step.line = line;
  step.cacheKey = sha256Hex(std::to_string(line));
  plan::RunStep run;
  run.argv = {"/bin/sh", "-c", "make"};
  run.workdir = "/";
  step.action = run;
  return step;
}

oci::HistoryEntry entry(const std::string& by, bool empty = false) {
  oci::HistoryEntry history;
  history.createdBy = by;
  history.emptyLayer = empty;
  return history;
}

/// Stage 0: an image with one step. Stage 1, the target: FROM stage 0, one step, and CMD.
plan::BuildPlan twoStagePlan(const std::string& baseRepository) {
  plan::BuildPlan plan;
  plan.target = 1;
  plan.stages.resize(2);
  plan::Stage& first = plan.stages[0];
  first.index = 0;
  first.name = "deps";
  first.line = 1;
  first.base.kind = plan::Base::Kind::kImage;
  first.base.name = "debian:12";
  first.base.reference = baseRepository + "@" + oci::Digest::ofBytes("manifest").str();
  oci::Descriptor layer;
  layer.mediaType = oci::kMediaDockerLayer;
  layer.digest = oci::Digest::ofBytes(kBaseLayer);
  layer.size = static_cast<std::int64_t>(kBaseLayer.size());
  first.base.layers = {layer};
  first.base.diffIds = {oci::Digest::ofBytes("raw base layer")};
  first.steps = {runStep(2)};
  first.config.diffIds = first.base.diffIds;
  first.config.history = {entry("base"), entry("RUN make")};
  plan::Stage& second = plan.stages[1];
  second.index = 1;
  second.name = "1";
  second.line = 3;
  second.base.kind = plan::Base::Kind::kStage;
  second.base.stage = 0;
  second.dependsOn = {0};
  second.steps = {runStep(4)};
  second.config = first.config;
  second.config.history.push_back(entry("RUN make"));
  second.config.history.push_back(entry("CMD", true));
  second.config.cmd = std::vector<std::string>{"/app"};
  return plan;
}

class PublicationTest : public ::testing::Test {
 protected:
  PublicationTest() {
    registry_.addBlob("base/debian", kBaseLayer);
    plan_ = twoStagePlan("reg.example/base/debian");
    first_ = tarOf('a', 2'000);
    second_ = tarOf('b', 5'000'000);  // large enough to be streamed
  }

  PublishJob job() {
    PublishJob job;
    job.request.repository = "reg.example/team/app";
    job.request.tags = {"1.0", "latest"};
    job.runDirectory = run_.path();
    job.runId = kRunId;
    job.runKey = run_.key();
    job.planDigest = run_.planDigest();
    return job;
  }
  void finishStages() {
    run_.writePlan(plan_);
    const plan::LayerReport first = run_.writeLayer(0, 1, 0, first_);
    const plan::LayerReport second = run_.writeLayer(1, 1, 0, second_);
    run_.writeReport(RunFixture::success(0, 1, {}, {first}));
    run_.writeReport(RunFixture::success(1, 1, {{0, 1}}, {second}));
  }
  PublishResult publish(const PublishJob& job, std::stop_token stop = {}) {
    return runPublication(
        job, transport_, clock_, [&](const Json& frame) { frames_.lock()->push_back(frame); },
        std::move(stop));
  }
  PublishResult publish() { return publish(job()); }

  std::multiset<std::string> placements() {
    std::multiset<std::string> how;
    for (const Json& frame : *frames_.lock()) {
      if (frame.at("type") == "layer") {
        how.insert(frame.at("how").get<std::string>());
      }
    }
    return how;
  }
  Json pushedManifest(const std::string& tag) {
    return Json::parse(registry_.manifests("team/app").at(tag));
  }
  Json pushedConfig(const Json& manifest) {
    return Json::parse(
        registry_.blobs("team/app").at(manifest.at("config").at("digest").get<std::string>()));
  }
  static std::string reasonOf(const PublishResult& result) {
    const auto* refusal = std::get_if<Refusal>(&result);
    return refusal == nullptr ? "" : refusal->failure.reason + ": " + refusal->failure.message;
  }

  RunFixture run_;
  MemoryRegistry registry_;
  FaultTransport transport_{registry_};
  EventClock clock_;
  Guarded<std::vector<Json>> frames_;
  plan::BuildPlan plan_;
  std::string first_;
  std::string second_;
};

TEST_F(PublicationTest, PushesLayersConfigManifestAndTags) {
  finishStages();
  const PublishResult result = publish();
  ASSERT_EQ(reasonOf(result), "");
  const auto& image = std::get<plan::ImageReport>(result);
  EXPECT_EQ(image.layers, 3);
  EXPECT_EQ(image.reference, "reg.example/team/app@" + image.digest.str());
  EXPECT_EQ(placements(), (std::multiset<std::string>{"mounted", "uploaded", "uploaded"}));
  EXPECT_EQ(frames_.lock()->front(), (Json{{"type", "push-check"}, {"ok", true}}));

  const Json manifest = pushedManifest("1.0");
  EXPECT_EQ(manifest, pushedManifest("latest"));
  EXPECT_EQ(oci::Digest::ofBytes(registry_.manifests("team/app").at("1.0")), image.digest);
  std::int64_t size = manifest["config"]["size"].get<std::int64_t>();
  for (const Json& layer : manifest["layers"]) {
    EXPECT_EQ(layer["mediaType"], std::string(oci::kMediaLayerGzip));
    EXPECT_TRUE(registry_.blobs("team/app").contains(layer["digest"].get<std::string>()));
    size += layer["size"].get<std::int64_t>();
  }
  EXPECT_EQ(image.sizeBytes, size);
  const Json config = pushedConfig(manifest);
  EXPECT_EQ(config["rootfs"]["diff_ids"],
            Json::array({oci::Digest::ofBytes("raw base layer").str(),
                         oci::Digest::ofBytes(first_).str(), oci::Digest::ofBytes(second_).str()}));
  EXPECT_EQ(config["created"], "2023-11-14T22:13:20Z");
  EXPECT_EQ(config["history"].size(), 4U);
  EXPECT_EQ(config["history"][1]["created"], "2023-11-14T22:13:20Z");
  EXPECT_EQ(registry_.openUploads(), 0U);
}

TEST_F(PublicationTest, WritesWhatTheRequestSaysOfTheManifest) {
  finishStages();
  PublishJob asked = job();
  asked.request.zstd = true;
  asked.request.annotations = {{"org.example.a", "b"}};
  ASSERT_EQ(reasonOf(publish(asked)), "");
  const Json manifest = pushedManifest("1.0");
  EXPECT_EQ(manifest["annotations"], (Json{{"org.example.a", "b"}}));
  EXPECT_EQ(manifest["layers"][0]["mediaType"], std::string(oci::kMediaLayerGzip));
  EXPECT_EQ(manifest["layers"][1]["mediaType"], std::string(oci::kMediaLayerZstd));
  EXPECT_EQ(manifest["layers"][2]["mediaType"], std::string(oci::kMediaLayerZstd));
  const std::string digest = manifest["layers"][2]["digest"].get<std::string>();
  EXPECT_EQ(registry_.blobs("team/app").at(digest).substr(0, 4), "\x28\xb5\x2f\xfd");
}

class CachedPublication : public PublicationTest {
 protected:
  CachedPublication() {
    // A third stage that the target copies from: its layer is in no image, but worth keeping.
    plan::Stage side = plan_.stages[0];
    side.index = 1;
    side.name = "side";
    side.exports = {{"/out"}};
    plan::Stage target = plan_.stages[1];
    target.index = 2;
    target.dependsOn = {0, 1};
    plan::CopyStep copy;
    copy.destination = "/";
    copy.sources.resize(1);
    copy.sources[0].from = plan::CopySource::From::kStage;
    copy.sources[0].stage = 1;
    copy.sources[0].exportIndex = 0;
    copy.sources[0].path = "/out";
    target.steps[0].action = copy;
    plan_.stages = {plan_.stages[0], side, target};
    plan_.target = 2;
    int number = 0;
    for (plan::Stage& stage : plan_.stages) {
      stage.steps[0].contentKey = sha256Hex("key " + std::to_string(number++));
    }
  }
  PublishJob cachedJob() {
    PublishJob out = job();
    out.request.cacheRepository = "reg.example/team/cache";
    return out;
  }
  void finishAll() {
    run_.writePlan(plan_);
    const auto first = run_.writeLayer(0, 1, 0, first_);
    const auto side = run_.writeLayer(1, 1, 0, tarOf('s', 3'000));
    const auto last = run_.writeLayer(2, 1, 0, second_);
    run_.writeReport(RunFixture::success(0, 1, {}, {first}));
    run_.writeReport(RunFixture::success(1, 1, {}, {side}));
    run_.writeReport(RunFixture::success(2, 1, {{0, 1}, {1, 1}}, {last}));
  }
  const std::string& key(int stage) const {
    return plan_.stages[static_cast<std::size_t>(stage)].steps[0].contentKey;
  }
  std::optional<plan::LayerStep> entryOf(int stage) {
    const auto manifests = registry_.manifests("team/cache");
    const auto it = manifests.find(plan::cacheTag(key(stage)));
    if (it == manifests.end()) {
      return std::nullopt;
    }
    const auto manifest = oci::parseManifest(it->second);
    return manifest ? plan::readCacheEntry(*manifest, key(stage)) : std::nullopt;
  }
};

TEST_F(CachedPublication, KeepsTheLayersOfAllStagesUnderTheirKeys) {
  finishAll();
  ASSERT_EQ(reasonOf(publish(cachedJob())), "");
  const std::string tars[] = {first_, tarOf('s', 3'000), second_};
  for (int stage = 0; stage < 3; ++stage) {
    const auto entry = entryOf(stage);
    ASSERT_TRUE(entry) << stage;
    EXPECT_EQ(entry->diffId, oci::Digest::ofBytes(tars[stage]));
    EXPECT_TRUE(registry_.blobs("team/cache").contains(entry->blob.digest.str()));
  }
  EXPECT_FALSE(registry_.blobs("team/app").contains(entryOf(1)->blob.digest.str()));
  EXPECT_EQ(frames_.lock()->back(), (Json{{"type", "cache"}, {"written", 3}}));
}

TEST_F(CachedPublication, ACacheThatRefusesFailsNothing) {
  finishAll();
  transport_.plan({.kind = Fault::Kind::kStatus,
                   .method = "HEAD",
                   .urlPart = "/team/cache/",
                   .times = 1'000'000,
                   .status = 403});
  const PublishResult result = publish(cachedJob());
  ASSERT_EQ(reasonOf(result), "");
  EXPECT_TRUE(registry_.manifests("team/app").contains("1.0"));
  EXPECT_TRUE(frames_.lock()->back().contains("problem")) << frames_.lock()->back();
}

TEST_F(CachedPublication, TakesKnownLayersFromTheCacheAndTheRestFromStages) {
  finishAll();
  ASSERT_EQ(reasonOf(publish(cachedJob())), "");
  const Json before = pushedManifest("1.0");
  ASSERT_TRUE(entryOf(0) && entryOf(1));
  const auto base = *entryOf(0);
  const auto middle = *entryOf(1);
  plan::CachedLayers known = {{{0, 0}, base}, {{1, 0}, middle}};
  plan_ = plan::pruneCached(plan_, known);
  RunFixture second;
  second.writePlan(plan_);
  const auto last = second.writeLayer(2, 1, 1, second_);
  const plan::LayerReport laid{0, base.diffId, static_cast<std::int64_t>(first_.size())};
  second.writeReport(RunFixture::success(1, 1, {}, {{0, middle.diffId, 3'000}}));
  second.writeReport(RunFixture::success(2, 1, {{1, 1}}, {laid, last}));
  PublishJob again = cachedJob();
  again.runDirectory = second.path();
  again.planDigest = second.planDigest();
  again.request.repository = "reg.example/team/other";
  ASSERT_EQ(reasonOf(publish(again)), "");
  const Json manifest = Json::parse(registry_.manifests("team/other").at("1.0"));
  EXPECT_EQ(manifest["layers"], before["layers"]);
  EXPECT_EQ(manifest["config"], before["config"]);
}

TEST_F(CachedPublication, AnImageThatIsAllCachedNeedsNoStage) {
  finishAll();
  ASSERT_EQ(reasonOf(publish(cachedJob())), "");
  const Json before = pushedManifest("1.0");
  plan::CachedLayers known = {{{0, 0}, *entryOf(0)}, {{2, 0}, *entryOf(2)}};
  plan_ = plan::pruneCached(plan_, known);
  RunFixture second;
  second.writePlan(plan_);
  PublishJob again = cachedJob();
  again.runDirectory = second.path();
  again.planDigest = second.planDigest();
  again.request.repository = "reg.example/team/other";
  ASSERT_EQ(reasonOf(publish(again)), "");
  EXPECT_EQ(Json::parse(registry_.manifests("team/other").at("1.0")), before);
}

TEST_F(PublicationTest, UploadsWhileStagesStillRunAndTagsLast) {
  run_.writePlan(plan_);
  plan::LayerReport first;
  plan::LayerReport second;
  clock_.then([&] { first = run_.writeLayer(0, 1, 0, first_); });
  clock_.then([] {});
  clock_.then([&] { run_.writeReport(RunFixture::success(0, 1, {}, {first})); });
  clock_.then([&] {
    second = run_.writeLayer(1, 1, 0, second_);
    EXPECT_TRUE(registry_.manifests("team/app").empty());
  });
  clock_.then([&] { run_.writeReport(RunFixture::success(1, 1, {{0, 1}}, {second})); });
  EXPECT_EQ(reasonOf(publish()), "");
  EXPECT_EQ(registry_.manifests("team/app").size(), 3U);
}

TEST_F(PublicationTest, KnowsBeforeAnythingElseThatItMayNotPush) {
  transport_.plan(
      {.kind = Fault::Kind::kStatus,
       .method = "POST",
       .urlPart = "/uploads/",
       .status = 403,
       .body =
           R"({"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]})"});
  const PublishResult result = publish();  // there is no plan yet: not even that is looked at
  EXPECT_EQ(reasonOf(result),
            "PushUnauthorized: check push to \"reg.example/team/app\": POST "
            "https://reg.example/v2/team/app/blobs/uploads/: 403 DENIED: requested access to the "
            "resource is denied");
  EXPECT_EQ(std::get<Refusal>(result).exit, plan::Exit::kDenied);
  EXPECT_TRUE(frames_.lock()->empty());
}

TEST_F(PublicationTest, SurvivesARegistryThatIsAwayForHalfAMinute) {
  finishStages();
  transport_.plan({.kind = Fault::Kind::kRefuse,
                   .method = "POST",
                   .urlPart = "/uploads/",
                   .skip = 1,
                   .times = 6});
  transport_.plan(
      {.kind = Fault::Kind::kStatus, .method = "PUT", .urlPart = "/manifests/", .times = 5});
  EXPECT_EQ(reasonOf(publish()), "");
}

TEST_F(PublicationTest, SaysUnavailableWhenTheRegistryStaysAway) {
  finishStages();
  transport_.plan({.kind = Fault::Kind::kRefuse,
                   .method = "PUT",
                   .urlPart = "/manifests/",
                   .times = 1'000'000});
  const PublishResult result = publish();
  EXPECT_THAT(reasonOf(result), HasSubstr("RegistryUnavailable: push manifest"));
  EXPECT_EQ(std::get<Refusal>(result).exit, plan::Exit::kUnavailable);
}

TEST_F(PublicationTest, CopiesBaseLayersFromAnotherRegistry) {
  plan_ = twoStagePlan("other.example/base/debian");
  finishStages();
  EXPECT_EQ(reasonOf(publish()), "");
  EXPECT_EQ(placements().count("mounted"), 0U);
  EXPECT_EQ(registry_.blobs("team/app").at(oci::Digest::ofBytes(kBaseLayer).str()), kBaseLayer);
}

TEST_F(PublicationTest, NamesABaseImageThatMayNotBeRead) {
  plan_ = twoStagePlan("other.example/base/debian");
  finishStages();
  transport_.plan(
      {.kind = Fault::Kind::kStatus, .urlPart = "other.example", .times = 10, .status = 403});
  const PublishResult result = publish();
  EXPECT_THAT(reasonOf(result), HasSubstr("BaseImageUnauthorized: fetch blob sha256:"));
  EXPECT_EQ(std::get<Refusal>(result).exit, plan::Exit::kDenied);
}

TEST_F(PublicationTest, FindsAnEqualSmallLayerByItsDigest) {
  second_ = tarOf('b', 1'000);
  finishStages();
  ASSERT_EQ(reasonOf(publish()), "");
  frames_.lock()->clear();
  ASSERT_EQ(reasonOf(publish()), "");
  EXPECT_EQ(placements(), (std::multiset<std::string>{"exists", "exists", "exists"}));
}

TEST_F(PublicationTest, SpeaksDockersFormat) {
  finishStages();
  PublishJob docker = job();
  docker.request.dockerFormat = true;
  const PublishResult result = publish(docker);
  ASSERT_EQ(reasonOf(result), "");
  const Json manifest = pushedManifest("1.0");
  EXPECT_EQ(manifest["mediaType"], std::string(oci::kMediaDockerManifest));
  EXPECT_EQ(manifest["config"]["mediaType"], std::string(oci::kMediaDockerConfig));
  EXPECT_EQ(manifest["layers"][2]["mediaType"], std::string(oci::kMediaDockerLayer));
}

TEST_F(PublicationTest, TakesTheAttemptThatSucceeded) {
  finishStages();
  const std::string other = tarOf('c', 3'000);
  plan::StageReport failed = RunFixture::success(0, 1, {}, {});
  failed.succeeded = false;
  run_.writeReport(failed);
  const plan::LayerReport retried = run_.writeLayer(0, 2, 0, other);
  run_.writeReport(RunFixture::success(0, 2, {}, {retried}));
  const plan::LayerReport second = run_.writeLayer(1, 2, 0, second_);
  run_.writeReport(RunFixture::success(1, 2, {{0, 2}}, {second}));
  ASSERT_EQ(reasonOf(publish()), "");
  EXPECT_EQ(pushedConfig(pushedManifest("1.0"))["rootfs"]["diff_ids"][1],
            oci::Digest::ofBytes(other).str());
}

TEST_F(PublicationTest, StampsWithTheEpochOfThePlan) {
  plan_.sourceDateEpoch = 1'000'000'000;
  finishStages();
  ASSERT_EQ(reasonOf(publish()), "");
  EXPECT_EQ(pushedConfig(pushedManifest("1.0"))["created"], "2001-09-09T01:46:40Z");
}

// --- a stage's files are hostile ---

TEST_F(PublicationTest, IgnoresAForgedReport) {
  finishStages();
  plan::StageReport forged = RunFixture::success(1, 1, {{0, 1}}, {});
  run_.writeReport(forged, std::string(32, 'x'));
  clock_.then([&] { EXPECT_TRUE(registry_.manifests("team/app").empty()); });
  clock_.then([&] {
    run_.writeReport(RunFixture::success(1, 1, {{0, 1}}, {run_.writeLayer(1, 1, 0, second_)}));
  });
  EXPECT_EQ(reasonOf(publish()), "");
  EXPECT_EQ(pushedManifest("1.0")["layers"].size(), 3U);
}

TEST_F(PublicationTest, RefusesATarThatIsNotWhatTheReportSays) {
  for (const std::size_t size : {2'000UL, 6'000'000UL}) {
    first_ = tarOf('a', size);
    finishStages();
    std::string changed = first_;
    changed[1] = static_cast<char>(changed[1] ^ 1);
    run_.write(run_.stagePath(0, 1) + "/" + plan::layerPath(0), changed);
    const PublishResult result = publish();
    EXPECT_THAT(reasonOf(result), HasSubstr("InternalError: ")) << size;
    EXPECT_THAT(reasonOf(result), HasSubstr("its report says")) << size;
    EXPECT_TRUE(registry_.manifests("team/app").empty());
    EXPECT_EQ(registry_.openUploads(), 0U);
  }
}

TEST_F(PublicationTest, WaitsForATarThatALaggingVolumeShowsLate) {
  finishStages();
  const std::string tar = run_.path() + "/" + run_.stagePath(1, 1) + "/" + plan::layerPath(0);
  std::filesystem::rename(tar, tar + ".late");
  for (int i = 0; i < 3; ++i) {
    clock_.then([] {});
  }
  clock_.then([&] { std::filesystem::rename(tar + ".late", tar); });
  EXPECT_EQ(reasonOf(publish()), "");
}

TEST_F(PublicationTest, FollowsNoLinksAndOpensNoFifos) {
  finishStages();
  const std::string tar = run_.path() + "/" + run_.stagePath(0, 1) + "/" + plan::layerPath(0);
  const std::string secret = run_.path() + "/secret";
  run_.write("secret", first_);
  std::filesystem::remove(tar);
  std::filesystem::create_symlink(secret, tar);
  EXPECT_THAT(reasonOf(publish()), HasSubstr("InternalError: open layer"));
  std::filesystem::remove(tar);
  ASSERT_EQ(::mkfifo(tar.c_str(), 0600), 0);
  EXPECT_THAT(reasonOf(publish()), HasSubstr("is not a regular file"));
}

TEST_F(PublicationTest, RefusesAPlanOfAnotherDigest) {
  finishStages();
  PublishJob other = job();
  other.planDigest = oci::Digest::ofBytes("another plan");
  EXPECT_THAT(reasonOf(publish(other)),
              HasSubstr("InternalError: load plan: plan.json has digest"));
}

// --- stopping ---

TEST_F(PublicationTest, StopsAtOnceAndLeavesNothingOpen) {
  run_.writePlan(plan_);
  run_.writeLayer(0, 1, 0, first_);
  std::stop_source source;
  clock_.then([&] { source.request_stop(); });
  const PublishResult result = publish(job(), source.get_token());
  EXPECT_THAT(reasonOf(result), HasSubstr("Disrupted"));
  EXPECT_EQ(registry_.openUploads(), 0U);
  EXPECT_TRUE(registry_.manifests("team/app").empty());
}

// --- against a real registry ---

TEST_F(PublicationTest, PushesToDockerRegistry) {
  if (!testing::DockerRegistry::available()) {
    GTEST_SKIP() << "docker-registry or apache2-utils is not installed";
  }
  auto server = testing::DockerRegistry::start(
      {.username = "builder", .password = "pw", .certificate = "", .key = ""});
  ASSERT_TRUE(server) << server.error().message;
  PublishJob real = job();
  real.request.repository = server->host() + "/team/app";
  real.request.registries = {{server->host(), plan::RegistryAccess::Tls::kPlainHttp, "", {}}};
  real.pushCredentials.add(server->host(), {"builder", "pw", "", ""});
  const std::unique_ptr<http::Transport> transport = http::makeCurlTransport();
  SystemClock clock;
  registry::ClientConfig config{hostConfigs(real.request.registries), real.pushCredentials, {}};
  registry::Client client(*transport, clock, config);
  http::StringSource layer(kBaseLayer);
  ASSERT_TRUE(client.pushBlob({server->host(), "base/debian"},
                              {oci::Digest::ofBytes(kBaseLayer), 21}, layer, {}));
  plan_ = twoStagePlan(server->host() + "/base/debian");
  finishStages();
  real.planDigest = run_.planDigest();
  const PublishResult result = runPublication(real, *transport, clock, [](const Json&) {}, {});
  ASSERT_EQ(reasonOf(result), "");
  auto pulled = client.resolveImage({{server->host(), "team/app"}, "latest", std::nullopt},
                                    oci::Platform(), {});
  ASSERT_TRUE(pulled) << pulled.error().message;
  EXPECT_EQ(pulled->digest, std::get<plan::ImageReport>(result).digest);
  auto bytes = client.fetchBlobBytes({server->host(), "team/app"}, pulled->manifest.layers[2],
                                     10'000'000, {});
  ASSERT_TRUE(bytes) << bytes.error().message;
  std::string raw(second_.size() + 10, '\0');
  compress::Decompressor decompressor(
      [&, at = std::size_t{0}](char* buffer, std::size_t size) mutable -> Result<std::size_t> {
        const std::size_t n = std::min(size, bytes->size() - at);
        bytes->copy(buffer, n, at);
        at += n;
        return n;
      });
  std::size_t filled = 0;
  for (Result<std::size_t> n = 1; n && *n > 0; filled += n.value_or(0)) {
    n = decompressor.read(raw.data() + filled, raw.size() - filled);
  }
  EXPECT_TRUE(raw.substr(0, filled) == second_);
}

}  // namespace
}  // namespace stagewright::publish
