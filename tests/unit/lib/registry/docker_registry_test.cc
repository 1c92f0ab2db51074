// The client against Debian's docker-registry: a real server with Basic authentication.
#include "tests/support/docker_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "lib/http/curl_transport.h"
#include "lib/registry/client.h"

namespace stagewright::registry {
namespace {

using testing::DockerRegistry;

constexpr char kUser[] = "builder";
constexpr char kPassword[] = "correct horse";

class RealRegistry : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (DockerRegistry::available()) {
      auto started = DockerRegistry::start(
          {.username = kUser, .password = kPassword, .certificate = "", .key = ""});
      ASSERT_TRUE(started) << started.error().message;
      server_ = new DockerRegistry(std::move(*started));
    }
  }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  void SetUp() override {
    if (server_ == nullptr) {
      GTEST_SKIP() << "docker-registry or apache2-utils is not installed";
    }
  }

  static ClientConfig config(const std::string& password = kPassword) {
    ClientConfig config;
    config.hosts = {{server_->host(), HostConfig::Tls::kPlainHttp, "", {}}};
    config.credentials.add(server_->host(), {kUser, password, "", ""});
    config.retry.budget = Millis(2000);
    return config;
  }
  static oci::Repository repository(const std::string& path) { return {server_->host(), path}; }
  static BlobDigest digestOf(const std::string& bytes) {
    return {oci::Digest::ofBytes(bytes), static_cast<std::int64_t>(bytes.size())};
  }
  static oci::Descriptor blobOf(const std::string& bytes) {
    oci::Descriptor descriptor;
    descriptor.digest = oci::Digest::ofBytes(bytes);
    descriptor.size = static_cast<std::int64_t>(bytes.size());
    return descriptor;
  }

  static DockerRegistry* server_;
  std::unique_ptr<http::Transport> transport_ = http::makeCurlTransport();
  SystemClock clock_;
};

DockerRegistry* RealRegistry::server_ = nullptr;

std::string randomBytes(std::size_t size) {
  std::string bytes(size, '\0');
  std::uint32_t state = 1;
  for (char& c : bytes) {
    state = state * 1664525 + 1013904223;
    c = static_cast<char>(state >> 24);
  }
  return bytes;
}

TEST_F(RealRegistry, ProvesThatItMayPush) {
  Client client(*transport_, clock_, config());
  EXPECT_TRUE(client.checkPush(repository("team/app"), {}));
}

TEST_F(RealRegistry, DeniesAWrongPassword) {
  Client client(*transport_, clock_, config("wrong"));
  const Status status = client.checkPush(repository("team/app"), {});
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kDenied) << status.error().message;
  EXPECT_NE(status.error().message.find("401 UNAUTHORIZED"), std::string::npos)
      << status.error().message;
  EXPECT_EQ(status.error().message.find("wrong"), std::string::npos) << status.error().message;
}

TEST_F(RealRegistry, PushesAndPullsABlobOfKnownDigest) {
  Client client(*transport_, clock_, config());
  const std::string bytes = randomBytes(3'000'000);
  http::StringSource source(bytes);
  EXPECT_FALSE(*client.hasBlob(repository("team/app"), digestOf(bytes).digest, {}));
  Status pushed = client.pushBlob(repository("team/app"), digestOf(bytes), source, {});
  ASSERT_TRUE(pushed) << pushed.error().message;
  EXPECT_TRUE(*client.hasBlob(repository("team/app"), digestOf(bytes).digest, {}));
  auto fetched = client.fetchBlobBytes(repository("team/app"), blobOf(bytes), 10'000'000, {});
  ASSERT_TRUE(fetched) << fetched.error().message;
  EXPECT_TRUE(*fetched == bytes);
}

TEST_F(RealRegistry, StreamsABlobWhoseDigestComesLast) {
  Client client(*transport_, clock_, config());
  class Unsized final : public http::BodySource {
   public:
    explicit Unsized(std::string bytes) : inner_(std::move(bytes)) {}
    Result<std::size_t> read(char* buffer, std::size_t size) override {
      return inner_.read(buffer, size);
    }
    Status rewind() override { return inner_.rewind(); }

   private:
    http::StringSource inner_;
  };
  const std::string bytes = randomBytes(2'500'000);
  Unsized source(bytes);
  auto pushed =
      client.pushBlobStream(repository("team/stream"), source, [&] { return digestOf(bytes); }, {});
  ASSERT_TRUE(pushed) << pushed.error().message;
  EXPECT_TRUE(*client.hasBlob(repository("team/stream"), digestOf(bytes).digest, {}));
}

/// Breaks the connection once, in the middle of the body.
class BreakingStream final : public http::BodySource {
 public:
  explicit BreakingStream(std::string bytes) : inner_(std::move(bytes)) {}
  Result<std::size_t> read(char* buffer, std::size_t size) override {
    if (given_ > 1'000'000 && !broken_) {
      broken_ = true;
      return unavailable("the cable was pulled");
    }
    TRY(std::size_t n, inner_.read(buffer, size));
    given_ += n;
    return n;
  }
  Status rewind() override { return inner_.rewind(); }

 private:
  http::StringSource inner_;
  std::size_t given_ = 0;
  bool broken_ = false;
};

TEST_F(RealRegistry, SurvivesAConnectionThatBreaksInTheMiddleOfALayer) {
  Client client(*transport_, clock_, config());
  const std::string bytes = randomBytes(3'500'000);
  BreakingStream source(bytes);
  auto pushed =
      client.pushBlobStream(repository("team/broken"), source, [&] { return digestOf(bytes); }, {});
  ASSERT_TRUE(pushed) << pushed.error().message;
  auto fetched = client.fetchBlobBytes(repository("team/broken"), blobOf(bytes), 10'000'000, {});
  ASSERT_TRUE(fetched) << fetched.error().message;
  EXPECT_TRUE(*fetched == bytes);
}

TEST_F(RealRegistry, MountsFromAnotherRepositoryOrSaysThatItWillNot) {
  Client client(*transport_, clock_, config());
  const std::string bytes = randomBytes(1000);
  http::StringSource source(bytes);
  ASSERT_TRUE(client.pushBlob(repository("base/debian"), digestOf(bytes), source, {}));
  auto mounted = client.mountBlob(repository("team/mounted"), digestOf(bytes).digest,
                                  repository("base/debian"), {});
  ASSERT_TRUE(mounted) << mounted.error().message;
  EXPECT_TRUE(*mounted);
  EXPECT_TRUE(*client.hasBlob(repository("team/mounted"), digestOf(bytes).digest, {}));
  auto absent = client.mountBlob(repository("team/mounted"), oci::Digest::ofBytes("absent"),
                                 repository("base/debian"), {});
  ASSERT_TRUE(absent) << absent.error().message;
  EXPECT_FALSE(*absent);
}

TEST_F(RealRegistry, PushesAManifestByDigestAndTagAndFindsItAgain) {
  Client client(*transport_, clock_, config());
  const oci::Repository app = repository("team/manifest");
  oci::ImageConfig image;
  image.env = {"A=1"};
  const std::string configBytes = oci::serializeImageConfig(image);
  http::StringSource source(configBytes);
  ASSERT_TRUE(client.pushBlob(app, digestOf(configBytes), source, {}));
  oci::Manifest manifest;
  manifest.config = blobOf(configBytes);
  manifest.config.mediaType = oci::kMediaConfig;
  const std::string bytes = oci::serializeManifest(manifest);
  const oci::Digest digest = oci::Digest::ofBytes(bytes);
  for (const std::string& reference : {digest.str(), std::string("1.0"), std::string("latest")}) {
    Status pushed = client.pushManifest(app, reference, oci::kMediaManifest, bytes, {});
    ASSERT_TRUE(pushed) << pushed.error().message;
  }
  const oci::Reference tagged{app, "1.0", std::nullopt};
  EXPECT_EQ(*client.fetchDigest(tagged, {}), digest);
  auto resolved = client.resolveImage(tagged, oci::Platform(), {});
  ASSERT_TRUE(resolved) << resolved.error().message;
  EXPECT_EQ(resolved->digest, digest);
  auto fetchedConfig = client.fetchConfig(app, resolved->manifest, {});
  ASSERT_TRUE(fetchedConfig) << fetchedConfig.error().message;
  EXPECT_EQ(fetchedConfig->env, image.env);
  EXPECT_THAT(*client.fetchTags(app, {}), ::testing::UnorderedElementsAre("1.0", "latest"));
}

TEST_F(RealRegistry, NamesAMissingManifest) {
  Client client(*transport_, clock_, config());
  auto missing = client.fetchManifest({repository("team/none"), "1", std::nullopt}, {});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  EXPECT_EQ(missing.error().message,
            "fetch manifest \"" + server_->host() + "/team/none:1\": GET http://" +
                server_->host() +
                "/v2/team/none/manifests/1: 404 MANIFEST_UNKNOWN: manifest unknown");
}

TEST_F(RealRegistry, RefusesAManifestWhoseBlobsAreMissing) {
  Client client(*transport_, clock_, config());
  oci::Manifest manifest;
  manifest.config = blobOf("never pushed");
  manifest.config.mediaType = oci::kMediaConfig;
  const Status pushed = client.pushManifest(repository("team/app"), "broken", oci::kMediaManifest,
                                            oci::serializeManifest(manifest), {});
  ASSERT_FALSE(pushed);
  EXPECT_EQ(pushed.error().code, Code::kInvalid) << pushed.error().message;
}

}  // namespace
}  // namespace stagewright::registry
