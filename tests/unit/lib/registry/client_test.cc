// The client against a registry in memory with planned faults and a clock that moves only by
// sleeping.
#include "lib/registry/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/fake_clock.h"
#include "tests/support/fault_transport.h"
#include "tests/support/memory_registry.h"

namespace stagewright::registry {
namespace {

using testing::FakeClock;
using testing::Fault;
using testing::FaultTransport;
using ::testing::HasSubstr;
using testing::MemoryRegistry;
using ::testing::Not;

const oci::Repository kApp{"reg.example", "team/app"};

std::string someBytes(std::size_t size) {
  std::string bytes(size, '\0');
  std::uint32_t state = 3;
  for (char& c : bytes) {
    state = state * 1664525 + 1013904223;
    c = static_cast<char>(state >> 24);
  }
  return bytes;
}

oci::Descriptor blobOf(const std::string& bytes) {
  oci::Descriptor descriptor;
  descriptor.digest = oci::Digest::ofBytes(bytes);
  descriptor.size = static_cast<std::int64_t>(bytes.size());
  return descriptor;
}

BlobDigest digestOf(const std::string& bytes) {
  return {oci::Digest::ofBytes(bytes), static_cast<std::int64_t>(bytes.size())};
}

/// A body without a length, as a compressor gives it.
class Stream final : public http::BodySource {
 public:
  explicit Stream(std::string bytes) : inner_(std::move(bytes)) {}
  Result<std::size_t> read(char* buffer, std::size_t size) override {
    TRY(std::size_t n, inner_.read(buffer, std::min<std::size_t>(size, 4000)));
    readBytes += n;
    return n;
  }
  Status rewind() override { return inner_.rewind(); }
  std::size_t readBytes = 0;

 private:
  http::StringSource inner_;
};

class ClientTest : public ::testing::Test {
 protected:
  void use(const MemoryRegistry::Options& options, const std::string& password = "secret") {
    registry_ = std::make_unique<MemoryRegistry>(options);
    transport_ = std::make_unique<FaultTransport>(*registry_);
    ClientConfig config;
    config.credentials.add("reg.example", {"user", password, "", ""});
    client_ = std::make_unique<Client>(*transport_, clock_, config);
  }
  void SetUp() override { use({}); }

  FakeClock clock_;
  std::unique_ptr<MemoryRegistry> registry_;
  std::unique_ptr<FaultTransport> transport_;
  std::unique_ptr<Client> client_;
};

// --- authentication ---

TEST_F(ClientTest, AnswersABearerChallengeAndReusesTheToken) {
  use({.tokens = true});
  const std::string bytes = "hello";
  registry_->addBlob("team/app", bytes);
  EXPECT_EQ(client_->fetchBlobBytes(kApp, blobOf(bytes), 100, {}).value(), bytes);
  EXPECT_EQ(client_->fetchBlobBytes(kApp, blobOf(bytes), 100, {}).value(), bytes);
  EXPECT_EQ(registry_->tokensIssued(), 1);
}

TEST_F(ClientTest, GetsANewTokenWhenTheRegistryRefusesTheOldOne) {
  use({.tokens = true});
  registry_->addBlob("team/app", "hello");
  ASSERT_TRUE(client_->fetchBlobBytes(kApp, blobOf("hello"), 100, {}));
  registry_->revokeTokens();
  EXPECT_TRUE(client_->fetchBlobBytes(kApp, blobOf("hello"), 100, {}));
  EXPECT_EQ(registry_->tokensIssued(), 2);
}

TEST_F(ClientTest, GetsANewTokenBeforeTheOldOneExpires) {
  use({.tokens = true});
  registry_->addBlob("team/app", "hello");
  ASSERT_TRUE(client_->fetchBlobBytes(kApp, blobOf("hello"), 100, {}));
  clock_.advance(Millis(280'000));  // of 300 s
  ASSERT_TRUE(client_->fetchBlobBytes(kApp, blobOf("hello"), 100, {}));
  EXPECT_EQ(registry_->tokensIssued(), 2);
}

TEST_F(ClientTest, PostsTheFormWhereTheTokenServerKnowsOnlyOAuth) {
  use({.tokens = true, .oauthOnly = true});
  EXPECT_TRUE(client_->checkPush(kApp, {}));
  EXPECT_EQ(transport_->count("POST", "auth.example"), 1);
}

TEST_F(ClientTest, SendsAnIdentityTokenAsRefreshToken) {
  use({.tokens = true});
  ClientConfig config;
  config.credentials.add("reg.example", {"", "", "refresh", ""});
  Client client(*transport_, clock_, config);
  EXPECT_TRUE(client.checkPush(kApp, {}));
  EXPECT_EQ(transport_->count("GET", "auth.example"), 0);
}

TEST_F(ClientTest, CallsAWrongPasswordDeniedAtOnce) {
  use({.tokens = true}, "wrong");
  const Status status = client_->checkPush(kApp, {});
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kDenied);
  EXPECT_EQ(status.error().message,
            "check push to \"reg.example/team/app\": POST "
            "https://reg.example/v2/team/app/blobs/uploads/: "
            "401 UNAUTHORIZED: no (fetch token for reg.example: GET "
            "https://auth.example/token?service=reg.example&"
            "scope=repository%3Ateam%2Fapp%3Apull%2Cpush&account=user: 401 incorrect username or "
            "password)");
  EXPECT_TRUE(clock_.sleeps().empty());
}

TEST_F(ClientTest, NeverTakesCredentialsToAnotherHost) {
  use({.tokens = true, .storageElsewhere = true});
  registry_->addBlob("team/app", "hello");
  EXPECT_EQ(client_->fetchBlobBytes(kApp, blobOf("hello"), 100, {}).value(), "hello");
  EXPECT_EQ(transport_->count("GET", "storage.example"), 1);
  EXPECT_TRUE(registry_->leaked().empty());
}

// --- faults while pulling ---

TEST_F(ClientTest, WaitsAsLongAsARateLimitAsks) {
  registry_->addBlob("team/app", "hello");
  transport_->plan({.kind = Fault::Kind::kStatus,
                    .urlPart = "/blobs/",
                    .status = 429,
                    .headers = {{"Retry-After", "7"}}});
  EXPECT_TRUE(client_->fetchBlobBytes(kApp, blobOf("hello"), 100, {}));
  EXPECT_EQ(clock_.sleeps(), std::vector<Millis>{Millis(7000)});
}

TEST_F(ClientTest, GoesOnWhereABlobBroke) {
  const std::string bytes = someBytes(50'000);
  registry_->addBlob("team/app", bytes);
  transport_->plan({.kind = Fault::Kind::kCutAnswer, .urlPart = "/blobs/", .bytes = 12'345});
  auto fetched = client_->fetchBlobBytes(kApp, blobOf(bytes), 100'000, {});
  ASSERT_TRUE(fetched) << fetched.error().message;
  EXPECT_TRUE(*fetched == bytes);
  EXPECT_EQ(transport_->sent().back().headers.find("Range"), "bytes=12345-");
}

TEST_F(ClientTest, SkipsWhatItHasIfTheServerIgnoresRange) {
  const std::string bytes = someBytes(20'000);
  registry_->addBlob("team/app", bytes);
  transport_->plan({.kind = Fault::Kind::kCutAnswer, .urlPart = "/blobs/", .bytes = 9'999});
  transport_->plan(
      {.kind = Fault::Kind::kStatus, .urlPart = "/blobs/", .status = 200, .body = bytes});
  auto fetched = client_->fetchBlobBytes(kApp, blobOf(bytes), 100'000, {});
  ASSERT_TRUE(fetched) << fetched.error().message;
  EXPECT_TRUE(*fetched == bytes);
  EXPECT_EQ(transport_->count("GET", "/blobs/"), 2);
}

TEST_F(ClientTest, RefusesABlobWithAnotherDigestOrSize) {
  for (const char* body : {"something else 17", "what we asked for, and more"}) {
    transport_->plan(
        {.kind = Fault::Kind::kStatus, .urlPart = "/blobs/", .status = 200, .body = body});
    auto fetched = client_->fetchBlobBytes(kApp, blobOf("what we asked for"), 100, {});
    ASSERT_FALSE(fetched);
    EXPECT_EQ(fetched.error().code, Code::kInvalid);
  }
}

TEST_F(ClientTest, GivesUpWhenTheBudgetIsSpent) {
  transport_->plan({.kind = Fault::Kind::kRefuse, .urlPart = "/manifests/", .times = 1'000'000});
  auto manifest = client_->fetchManifest({kApp, "1", std::nullopt}, {});
  ASSERT_FALSE(manifest);
  EXPECT_EQ(manifest.error().code, Code::kUnavailable);
  EXPECT_THAT(manifest.error().message, HasSubstr("connection reset by peer"));
  EXPECT_LE(clock_.elapsed(), Millis(120'000));
  EXPECT_GE(clock_.elapsed(), Millis(100'000));
}

TEST_F(ClientTest, StopsWaitingWhenAskedTo) {
  std::stop_source source;
  source.request_stop();
  auto manifest = client_->fetchManifest({kApp, "1", std::nullopt}, source.get_token());
  ASSERT_FALSE(manifest);
  EXPECT_EQ(manifest.error().code, Code::kCancelled);
}

TEST_F(ClientTest, VerifiesAManifestAgainstItsDigest) {
  const oci::Digest asked = oci::Digest::ofBytes("{}");
  transport_->plan({.kind = Fault::Kind::kStatus,
                    .urlPart = "/manifests/",
                    .status = 200,
                    .body = "{\"evil\":1}"});
  auto manifest = client_->fetchManifest({kApp, std::nullopt, asked}, {});
  ASSERT_FALSE(manifest);
  EXPECT_EQ(manifest.error().code, Code::kInvalid);
  EXPECT_THAT(manifest.error().message, HasSubstr("the answer's digest is"));
}

TEST_F(ClientTest, ChoosesThePlatformFromAnIndex) {
  oci::Manifest manifest;
  manifest.config = blobOf("config");
  manifest.config.mediaType = oci::kMediaConfig;
  const std::string bytes = oci::serializeManifest(manifest);
  const std::string digest =
      registry_->addManifest("team/app", "by-digest", std::string(oci::kMediaManifest), bytes);
  const Json index = {
      {"schemaVersion", 2},
      {"mediaType", std::string(oci::kMediaIndex)},
      {"manifests",
       Json::array({Json{{"mediaType", std::string(oci::kMediaManifest)},
                         {"digest", digest},
                         {"size", bytes.size()},
                         {"platform", {{"os", "linux"}, {"architecture", "amd64"}}}}})}};
  registry_->addManifest("team/app", "1", std::string(oci::kMediaIndex), index.dump());
  auto image = client_->resolveImage({kApp, "1", std::nullopt}, oci::Platform(), {});
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(image->digest.str(), digest);
  EXPECT_EQ(image->indexDigest, oci::Digest::ofBytes(index.dump()));
  auto other =
      client_->resolveImage({kApp, "1", std::nullopt}, oci::Platform{"linux", "s390x", ""}, {});
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Code::kNotFound);
}

TEST_F(ClientTest, AsksMirrorsFirstAndFallsBack) {
  ClientConfig config;
  config.hosts = {{"reg.example", HostConfig::Tls::kVerify, "", {"mirror.example/proxy"}}};
  Client client(*transport_, clock_, config);
  registry_->addBlob("team/app", "hello");
  EXPECT_EQ(client.fetchBlobBytes(kApp, blobOf("hello"), 100, {}).value(), "hello");
  EXPECT_EQ(transport_->sent()[0].url,
            "https://mirror.example/v2/proxy/team/app/blobs/" + blobOf("hello").digest.str());
  EXPECT_EQ(transport_->sent()[1].url,
            "https://reg.example/v2/team/app/blobs/" + blobOf("hello").digest.str());
  EXPECT_TRUE(clock_.sleeps().empty());
}

TEST_F(ClientTest, TakesDockerHubToItsApiHost) {
  static_cast<void>(client_->fetchManifest(oci::parseReference("golang:1.22").value(), {}));
  EXPECT_EQ(transport_->sent()[0].url,
            "https://registry-1.docker.io/v2/library/golang/manifests/1.22");
}

// --- faults while pushing ---

TEST_F(ClientTest, LeavesNoUploadBehindWhenCheckingPush) {
  EXPECT_TRUE(client_->checkPush(kApp, {}));
  EXPECT_EQ(registry_->openUploads(), 0U);
}

TEST_F(ClientTest, SurvivesARegistryThatIsAwayForHalfAMinute) {
  transport_->plan(
      {.kind = Fault::Kind::kRefuse, .method = "POST", .urlPart = "/uploads/", .times = 8});
  http::StringSource source("hello");
  EXPECT_TRUE(client_->pushBlob(kApp, digestOf("hello"), source, {}));
  EXPECT_EQ(registry_->blobs("team/app").size(), 1U);
}

TEST_F(ClientTest, ResendsTheWholeBlobAfter503) {
  transport_->plan(
      {.kind = Fault::Kind::kStatus, .method = "PUT", .urlPart = "/uploads/", .status = 503});
  const std::string bytes = someBytes(30'000);
  http::StringSource source(bytes);
  EXPECT_TRUE(client_->pushBlob(kApp, digestOf(bytes), source, {}));
  EXPECT_EQ(registry_->blobs("team/app").begin()->second, bytes);
  EXPECT_EQ(registry_->openUploads(), 0U);
}

TEST_F(ClientTest, ResumesAStreamWhereItBroke) {
  transport_->plan(
      {.kind = Fault::Kind::kCutBody, .method = "PATCH", .urlPart = "/uploads/", .bytes = 40'000});
  const std::string bytes = someBytes(100'000);
  Stream source(bytes);
  auto pushed = client_->pushBlobStream(kApp, source, [&] { return digestOf(bytes); }, {});
  ASSERT_TRUE(pushed) << pushed.error().message;
  EXPECT_EQ(registry_->blobs("team/app").begin()->second, bytes);
  EXPECT_EQ(transport_->count("PATCH", "/uploads/"), 2);
  EXPECT_EQ(transport_->count("POST", "/uploads/"), 1);
}

TEST_F(ClientTest, StartsAStreamAnewIfTheRegistryForgotIt) {
  use({.resumes = false});
  transport_->plan(
      {.kind = Fault::Kind::kCutBody, .method = "PATCH", .urlPart = "/uploads/", .bytes = 40'000});
  const std::string bytes = someBytes(100'000);
  Stream source(bytes);
  auto pushed = client_->pushBlobStream(kApp, source, [&] { return digestOf(bytes); }, {});
  ASSERT_TRUE(pushed) << pushed.error().message;
  EXPECT_EQ(registry_->blobs("team/app").begin()->second, bytes);
  EXPECT_EQ(transport_->count("POST", "/uploads/"), 2);
  EXPECT_EQ(registry_->openUploads(), 0U);
}

TEST_F(ClientTest, CancelsAStreamWhoseSourceFails) {
  Stream source("bytes");
  auto pushed = client_->pushBlobStream(
      kApp, source, []() -> Result<BlobDigest> { return conflict("not what was announced"); }, {});
  ASSERT_FALSE(pushed);
  EXPECT_EQ(pushed.error().code, Code::kConflict);
  EXPECT_EQ(registry_->openUploads(), 0U);
  EXPECT_EQ(transport_->count("POST", "/uploads/"), 1);
}

TEST_F(ClientTest, MountsOrCancelsWhatItGotInstead) {
  registry_->addBlob("base/debian", "hello");
  EXPECT_EQ(client_->mountBlob(kApp, digestOf("hello").digest, {"reg.example", "base/debian"}, {})
                .value(),
            true);
  EXPECT_EQ(client_->mountBlob(kApp, digestOf("other").digest, {"reg.example", "base/debian"}, {})
                .value(),
            false);
  EXPECT_EQ(registry_->openUploads(), 0U);
}

TEST_F(ClientTest, TakesARefusedMountForANo) {
  transport_->plan(
      {.kind = Fault::Kind::kStatus, .method = "POST", .urlPart = "mount=", .status = 403});
  EXPECT_EQ(
      client_->mountBlob(kApp, digestOf("x").digest, {"reg.example", "secret/base"}, {}).value(),
      false);
}

TEST_F(ClientTest, SaysWhichManifestWasRefused) {
  transport_->plan({.kind = Fault::Kind::kStatus,
                    .method = "PUT",
                    .urlPart = "/manifests/",
                    .status = 403,
                    .body = R"({"errors":[{"code":"DENIED","message":"quota exceeded"}]})"});
  const Status pushed = client_->pushManifest(kApp, "1.0", oci::kMediaManifest, "{}", {});
  ASSERT_FALSE(pushed);
  EXPECT_EQ(pushed.error().code, Code::kDenied);
  EXPECT_EQ(pushed.error().message,
            "push manifest \"reg.example/team/app:1.0\": PUT "
            "https://reg.example/v2/team/app/manifests/1.0: "
            "403 DENIED: quota exceeded");
}

TEST_F(ClientTest, RetriesAManifestAfter429AndThenTags) {
  transport_->plan({.kind = Fault::Kind::kStatus,
                    .method = "PUT",
                    .urlPart = "/manifests/",
                    .times = 2,
                    .status = 429});
  EXPECT_TRUE(client_->pushManifest(kApp, "1.0", oci::kMediaManifest, "{}", {}));
  EXPECT_EQ(registry_->manifests("team/app").at("1.0"), "{}");
}

}  // namespace
}  // namespace stagewright::registry
