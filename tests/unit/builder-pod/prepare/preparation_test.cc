#include "builder-pod/prepare/preparation.h"

#include <map>
#include <nlohmann/json.hpp>

#include "builder-pod/prepare/pod_voice.h"
#include "fixtures.h"
#include "gmock/gmock.h"
#include "lib/base/guarded.h"
#include "lib/base/hash.h"
#include "lib/base/seal.h"
#include "lib/plan/cache_entry.h"
#include "lib/plan/contract.h"
#include "lib/plan/prune.h"
#include "lib/plan/summary.h"

namespace stagewright::prepare {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace stagewright::prepare::testing;  // NOLINT

/// A registry of a few images: answers by host and path, with a status for the rest.
class FakeRegistry final : public http::Transport {
 public:
  void addImage(const std::string& name, const oci::ImageConfig& config) {
    const std::string configBytes = oci::serializeImageConfig(config);
    oci::Manifest manifest;
    manifest.config = {std::string(oci::kMediaConfig),
                       oci::Digest::ofBytes(configBytes),
                       static_cast<std::int64_t>(configBytes.size()),
                       {},
                       {}};
    for (const oci::Digest& diffId : config.diffIds) {
      manifest.layers.push_back({std::string(oci::kMediaLayerGzip), diffId, 10, {}, {}});
    }
    const std::string bytes = oci::serializeManifest(manifest);
    auto bodies = bodies_.lock();
    for (const std::string& reference : {std::string("1"), oci::Digest::ofBytes(bytes).str()}) {
      (*bodies)["https://reg.test/v2/" + name + "/manifests/" + reference] = {
          std::string(oci::kMediaManifest), bytes};
    }
    (*bodies)["https://reg.test/v2/" + name + "/blobs/" + manifest.config.digest.str()] = {
        "", configBytes};
  }
  void addManifest(const std::string& name, const std::string& tag, const std::string& bytes) {
    (*bodies_.lock())["https://reg.test/v2/" + name + "/manifests/" + tag] = {
        std::string(oci::kMediaManifest), bytes};
  }
  void addFile(const std::string& url, const std::string& bytes) {
    (*bodies_.lock())[url] = {"text/plain", bytes};
  }
  void answerOthersWith(int status) { otherStatus_ = status; }

  Result<http::Response> send(const http::Request& request, std::stop_token) override {
    auto bodies = bodies_.lock();
    const auto it = bodies->find(request.url);
    if (it == bodies->end()) {
      return http::Response{otherStatus_, {}, "{\"errors\":[]}"};
    }
    http::Response response{200, {{"Content-Type", it->second.first}}, it->second.second};
    if (request.sink) {
      CHECK_OK(request.sink(response.body));
      response.body.clear();
    }
    return response;
  }

 private:
  Guarded<std::map<std::string, std::pair<std::string, std::string>>> bodies_;
  int otherStatus_ = 404;
};

oci::ImageConfig baseConfig() {
  oci::ImageConfig config;
  config.env = {"PATH=/bin"};
  config.workingDir = "/w";
  config.diffIds = {oci::Digest::ofBytes("layer")};
  config.history = {{"", "base", "", "", false}};
  return config;
}

class RunPreparation : public ::testing::Test {
 protected:
  RunPreparation() {
    job_.workspace = directory_.directory("volume");
    job_.runId = "run";
    job_.configMapDir = directory_.directory("configmap");
    job_.retry.budget = Millis(0);
    job_.request.maxAttempts = 2;
    registry_.addImage("team/base", baseConfig());
  }

  void useConfigMap(const std::map<std::string, std::string>& files) {
    job_.request.configMap = true;
    for (const auto& [name, text] : files) {
      writeFile(job_.configMapDir + "/" + name, text);
    }
  }

  Outcome<Preparation> run() {
    SystemClock clock;
    const Narrator tell = [this](const std::string& line) { told_.push_back(line); };
    return runPreparation(job_, registry_, clock, tell, {});
  }

  plan::Failure failure() {
    const auto outcome = run();
    EXPECT_FALSE(outcome);
    exit_ = outcome ? plan::Exit::kSuccess : outcome.error().exit;
    return outcome ? plan::Failure{} : outcome.error().failure;
  }

  std::string attemptDir() const { return job_.workspace + "/runs/run/prepare/a1"; }

  TemporaryDirectory directory_;
  FakeRegistry registry_;
  PreparationJob job_;
  std::vector<std::string> told_;
  plan::Exit exit_ = plan::Exit::kSuccess;
};

TEST_F(RunPreparation, LeavesPlanContextAndStageDirectories) {
  useConfigMap({{"Dockerfile",
                 "FROM reg.test/team/base:1 AS build\nCOPY main.go ./\nRUN make\n"
                 "FROM scratch\nCOPY --from=build /out /\nCOPY *.txt /\n"},
                {"main.go", "package main"},
                {"unused", "x"},
                {"a.txt", "a"}});
  const auto result = run();
  ASSERT_TRUE(result) << result.error().failure.message;
  ASSERT_EQ(result->plan.stages.size(), 2U);
  EXPECT_THAT(result->plan.stages[0].base.reference, HasSubstr("reg.test/team/base@sha256:"));
  EXPECT_EQ(result->sourceRevision, "");
  const std::string bytes = readFile(attemptDir() + "/plan.json");
  EXPECT_EQ(oci::Digest::ofBytes(bytes), result->planDigest);
  EXPECT_TRUE(plan::parsePlan(bytes));
  EXPECT_THAT(treeOf(attemptDir() + "/context"), ElementsAre("a.txt", "main.go"));
  EXPECT_THAT(treeOf(job_.workspace + "/runs/run/stages"),
              ElementsAre("0/", "0/a1/", "0/a2/", "1/", "1/a1/", "1/a2/"));
  EXPECT_THAT(told_,
              Contains(HasSubstr(
                  "base image reg.test/team/base:1 linux/amd64 is reg.test/team/base@sha256:")));
  EXPECT_THAT(told_, Contains(HasSubstr("context: 2 file(s)")));
  ASSERT_TRUE(removeSource(job_));
  EXPECT_FALSE(fs::exists(attemptDir() + "/source"));
}

TEST_F(RunPreparation, GivesEqualPlansForEqualInputs) {
  useConfigMap({{"Dockerfile", "FROM reg.test/team/base:1\nCOPY f /\n"}, {"f", "x"}});
  const auto first = run();
  job_.attempt = 2;
  const auto second = run();
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->planDigest, second->planDigest);
  struct stat a {
  }, b{};
  ::stat((attemptDir() + "/context/f").c_str(), &a);
  ::stat((job_.workspace + "/runs/run/prepare/a2/context/f").c_str(), &b);
  EXPECT_EQ(a.st_mtim.tv_sec, b.st_mtim.tv_sec);
}

TEST_F(RunPreparation, LaysDownWhatRunIsToTrust) {
  job_.request.dockerfileInline = "FROM reg.test/team/base:1\nRUN x\n";
  ASSERT_TRUE(run());
  EXPECT_TRUE(treeOf(attemptDir() + "/fetched").empty());
  job_.request.authoritiesInRun = true;
  job_.authorities = "PEM\n";
  const auto result = run();
  ASSERT_TRUE(result) << result.error().failure.message;
  EXPECT_EQ(readFile(attemptDir() + "/fetched/ca.crt"), "PEM\n");
  const auto& step = std::get<plan::RunStep>(result->plan.stages[0].steps[0].action);
  EXPECT_THAT(step.env, Contains("SSL_CERT_FILE=/.stagewright/fetched/ca.crt"));
}

TEST_F(RunPreparation, TakesADockerfileWithoutSource) {
  job_.request.dockerfileInline = "FROM scratch\nLABEL a=b\n";
  const auto result = run();
  ASSERT_TRUE(result) << result.error().failure.message;
  EXPECT_TRUE(treeOf(attemptDir() + "/context").empty());
}

TEST_F(RunPreparation, TakesTheFilesOfACommitWithItsTime) {
  const std::string work = directory_.directory("work");
  git(work, {"init", "-q", "-b", "main"});
  writeFile(work + "/svc/Dockerfile", "FROM scratch\nCOPY . /\n");
  writeFile(work + "/svc/data", "v1");
  writeFile(work + "/svc/secret.key", "k");
  writeFile(work + "/svc/.dockerignore", "*.key\nDockerfile\n.dockerignore\n");
  fs::create_symlink("/etc/passwd", work + "/svc/leak");
  git(work, {"add", "-A"});
  git(work, {"commit", "-q", "-m", "one"});
  git(directory_.directory("served"), {"clone", "-q", "--bare", work, "shop.git"});
  const GitServer server(directory_ / "served");
  job_.request.git = plan::GitSource{server.url("shop.git"), "main", "", "", false};
  job_.request.contextDir = "svc";
  const auto result = run();
  ASSERT_TRUE(result) << result.error().failure.message;
  EXPECT_EQ(result->sourceRevision, git(work, {"rev-parse", "HEAD"}));
  EXPECT_THAT(treeOf(attemptDir() + "/context"), ElementsAre("data", "leak -> /etc/passwd"));
  struct stat data {};
  ::stat((attemptDir() + "/context/data").c_str(), &data);
  EXPECT_EQ(data.st_mtim.tv_sec, 1700000000);
}

TEST_F(RunPreparation, ReadsADirectoryOfTheUserAndChangesNothing) {
  const std::string mine = directory_.directory("mine");
  writeFile(mine + "/Dockerfile", "FROM scratch\nCOPY f /\n");
  writeFile(mine + "/f", "x");
  job_.sourceDirectory = mine;
  ASSERT_TRUE(run());
  EXPECT_THAT(treeOf(mine), ElementsAre("Dockerfile", "f"));
  EXPECT_THAT(treeOf(attemptDir() + "/context"), ElementsAre("f"));
}

TEST_F(RunPreparation, PointsAtMistakesInTheDockerfile) {
  useConfigMap({{"Dockerfile", "FROM scratch\nFETCH x\n"}});
  const auto refused = failure();
  EXPECT_EQ(refused.reason, "DockerfileInvalid");
  EXPECT_EQ(refused.line, 2);
  EXPECT_THAT(refused.message, HasSubstr("Dockerfile:2:"));
  EXPECT_THAT(refused.message, HasSubstr("unknown instruction: FETCH"));
  EXPECT_THAT(refused.message, HasSubstr("^"));
  EXPECT_EQ(exit_, plan::Exit::kUserInput);
}

TEST_F(RunPreparation, PointsAtSourcesThatAreNotThere) {
  useConfigMap({{"Dockerfile", "FROM scratch\nCOPY a \\\n  missing.txt /\n"}, {"a", ""}});
  const auto missing = failure();
  EXPECT_EQ(missing.reason, "DockerfileInvalid");
  EXPECT_THAT(missing.message, HasSubstr("missing.txt\" is not in the context"));
  EXPECT_THAT(missing.message, HasSubstr("^"));
  writeFile(job_.configMapDir + "/missing.txt", "");
  writeFile(job_.configMapDir + "/.dockerignore", "*.txt\n");
  EXPECT_THAT(failure().message, HasSubstr(".dockerignore excludes it"));
}

TEST_F(RunPreparation, TellsMissingForbiddenAndUnreachableImagesApart) {
  useConfigMap({{"Dockerfile", "FROM reg.test/no/such:1\n"}});
  const std::pair<int, std::string> rows[] = {
      {404, "BaseImageNotFound"}, {403, "BaseImageUnauthorized"}, {503, "RegistryUnavailable"}};
  for (const auto& [status, reason] : rows) {
    registry_.answerOthersWith(status);
    const auto refused = failure();
    EXPECT_EQ(refused.reason, reason);
    EXPECT_EQ(refused.line, 1);
    EXPECT_THAT(refused.message, HasSubstr("reg.test/no/such:1"));
    EXPECT_THAT(refused.message, HasSubstr("registry reg.test"));
    EXPECT_THAT(refused.message, HasSubstr("Dockerfile:1:"));
  }
  EXPECT_EQ(exit_, plan::Exit::kUnavailable);
  registry_.answerOthersWith(403);
  EXPECT_THAT(failure().message, HasSubstr("spec.imagePullSecrets"));
  job_.pullCredentials.missing = {1};
  EXPECT_THAT(failure().message, HasSubstr("imagePullSecrets[1] does not exist"));
}

TEST_F(RunPreparation, RefusesWhatIsNotSupportedAtItsPlace) {
  for (const char* instruction : {"RUN --security=insecure true", "RUN --network=host true"}) {
    useConfigMap({{"Dockerfile", std::string("FROM reg.test/team/base:1\n") + instruction + "\n"},
                  {"f", ""}});
    const auto refused = failure();
    EXPECT_EQ(refused.reason, "DockerfileInvalid") << instruction;
    EXPECT_EQ(refused.line, 2) << instruction;
    EXPECT_THAT(refused.message, HasSubstr("not supported")) << instruction;
    EXPECT_THAT(refused.message, HasSubstr("^")) << instruction;
  }
}

TEST_F(RunPreparation, RefusesASecretThatIsRequiredAndNotGiven) {
  useConfigMap({{"Dockerfile",
                 "FROM reg.test/team/base:1\nRUN --mount=type=secret,id=a true\n"
                 "RUN --mount=type=secret,id=b,required=true true\n"}});
  const auto refused = failure();
  EXPECT_EQ(refused.reason, "DockerfileInvalid");
  EXPECT_EQ(refused.message,
            "Dockerfile:3:5: secret \"b\" is required, but spec.secrets has no such id\n"
            "  3 | RUN --mount=type=secret,id=b,required=true true\n    |     ^");
  job_.request.secretIds = {"b"};
  useConfigMap(
      {{"Dockerfile", "FROM reg.test/team/base:1\nRUN --mount=type=ssh,required=true true\n"}});
  EXPECT_THAT(failure().message,
              HasSubstr("ssh key \"default\" is required, but spec.ssh has no such id"));
  useConfigMap({{"Dockerfile",
                 "FROM reg.test/team/base:1\nRUN --mount=type=secret,id=a true\n"
                 "RUN --mount=type=secret,id=b,required=true true\n"}});
  const auto result = run();
  ASSERT_TRUE(result) << result.error().failure.message;
  EXPECT_THAT(plan::summarize(result->plan, result->planDigest, "").stages[0].secrets,
              ElementsAre("a", "b"));
}

TEST_F(RunPreparation, FetchesWhatStepsAdd) {
  registry_.addFile("https://files.test/a", "bytes of a");
  useConfigMap({{"Dockerfile",
                 "FROM reg.test/team/base:1\nADD https://files.test/a /x\nADD "
                 "--checksum=sha256:" +
                     sha256Hex("bytes of a") + " https://files.test/a /y\n"},
                {"f", ""}});
  const auto result = run();
  ASSERT_TRUE(result) << result.error().failure.message;
  EXPECT_EQ(readFile(attemptDir() + "/fetched/0"), "bytes of a");
  EXPECT_EQ(readFile(attemptDir() + "/fetched/1"), "bytes of a");
  EXPECT_TRUE(plan::summarize(result->plan, result->planDigest, "").stages[0].usesFetched);
  EXPECT_THAT(told_, Contains(HasSubstr("ADD https://files.test/a: 10 B")));
}

TEST_F(RunPreparation, ShowsWhichAddCannotBeFetched) {
  useConfigMap(
      {{"Dockerfile", "FROM reg.test/team/base:1\nADD https://files.test/none /x\n"}, {"f", ""}});
  const auto refused = failure();
  EXPECT_EQ(refused.reason, "SourceNotFound");
  EXPECT_EQ(refused.line, 2);
  EXPECT_EQ(refused.message,
            "Dockerfile:2:5: failed to load https://files.test/none: invalid response status 404\n"
            "  2 | ADD https://files.test/none /x\n    |     ^");
  useConfigMap({{"Dockerfile", "FROM reg.test/team/base:1\nADD git@git.test:a/b.git /x\n"}});
  EXPECT_EQ(failure().reason, "DockerfileInvalid");
}

TEST_F(RunPreparation, OnANamedClaimDeadRunsGoAndOthersStay) {
  const std::string runs = job_.workspace + "/runs";
  writeFile(runs + "/old/owner", "uid-1");
  writeFile(runs + "/old/stages/0/a1/layers/0.tar", "x");
  writeFile(runs + "/other/owner", "uid-2");
  writeFile(runs + "/forgotten/owner", "uid-3");
  const timespec longAgo[2] = {{1000, 0}, {1000, 0}};
  ::utimensat(AT_FDCWD, (runs + "/forgotten").c_str(), longAgo, 0);
  fs::create_symlink("/etc", runs + "/link");
  useConfigMap({{"Dockerfile", "FROM reg.test/team/base:1\nRUN true\n"}});
  ASSERT_TRUE(run());
  EXPECT_TRUE(fs::exists(runs + "/old")) << "the run's own claim is nobody else's";
  job_.request.claimOwner = "uid-1";
  const auto result = run();
  ASSERT_TRUE(result) << result.error().failure.message;
  EXPECT_FALSE(fs::exists(runs + "/old"));
  EXPECT_FALSE(fs::exists(runs + "/forgotten"));
  EXPECT_TRUE(fs::exists(runs + "/other/owner"));
  EXPECT_TRUE(fs::is_symlink(runs + "/link"));
  EXPECT_EQ(readFile(runs + "/run/owner"), "uid-1");
  EXPECT_TRUE(fs::is_directory(job_.workspace + "/cache/uid-1"));
  EXPECT_THAT(told_, Contains(HasSubstr("claim: run old is over")));
}

class CachedPreparation : public RunPreparation {
 protected:
  CachedPreparation() {
    job_.request.cache = plan::CacheSource{"reg.test/team/cache", true, "team-a gzip"};
    useConfigMap({{"Dockerfile",
                   "FROM reg.test/team/base:1 AS build\nCOPY main.go ./\nRUN make\n"
                   "FROM scratch\nCOPY --from=build /out /\n"},
                  {"main.go", "package main"}});
  }

  /// The entry that publish would write for a step of `plan`.
  void remember(const plan::BuildPlan& plan, int stage, int step, const std::string& blob) {
    const std::string& key = plan.stages[static_cast<std::size_t>(stage)]
                                 .steps[static_cast<std::size_t>(step)]
                                 .contentKey;
    plan::LayerStep layer;
    layer.blob = {std::string(oci::kMediaLayerGzip),
                  oci::Digest::ofBytes(blob),
                  static_cast<std::int64_t>(blob.size()),
                  {},
                  {}};
    layer.diffId = oci::Digest::ofBytes("plain " + blob);
    const std::string bytes = oci::serializeManifest(plan::makeCacheEntry(layer.blob, layer, key));
    registry_.addManifest("team/cache", plan::cacheTag(key), bytes);
    registry_.addFile("https://reg.test/v2/team/cache/blobs/" + layer.blob.digest.str(), blob);
  }
};

TEST_F(CachedPreparation, TakesWhatTheCacheHasAndSkipsTheRest) {
  const auto first = run();
  ASSERT_TRUE(first) << first.error().failure.message;
  EXPECT_FALSE(first->plan.stages[0].skipped);
  EXPECT_EQ(first->plan.stages[0].steps[1].contentKey.size(), 64U);
  EXPECT_THAT(told_, Contains(HasSubstr("cache: 0 of 3 step(s)")));
  remember(first->plan, 0, 0, "blob of copy");
  remember(first->plan, 0, 1, "blob of make");
  const auto second = run();
  ASSERT_TRUE(second) << second.error().failure.message;
  EXPECT_EQ(plan::layerSteps(second->plan.stages[0]), 2);
  EXPECT_FALSE(second->plan.stages[0].skipped);  // it still has to export
  EXPECT_EQ(readFile(attemptDir() + "/fetched/" +
                     plan::cachedLayerName(oci::Digest::ofBytes("blob of make").hex())),
            "blob of make");
  EXPECT_THAT(told_, Contains(HasSubstr("cache: 2 of 3 step(s)")));
  remember(first->plan, 1, 0, "blob of target");
  const auto third = run();
  ASSERT_TRUE(third) << third.error().failure.message;
  EXPECT_TRUE(third->plan.stages[0].skipped);
  EXPECT_TRUE(third->plan.stages[1].skipped);
  EXPECT_THAT(treeOf(attemptDir() + "/fetched"), ElementsAre());  // nobody lays it down
  // Another content is another key.
  useConfigMap({{"main.go", "package other"}});
  const auto other = run();
  ASSERT_TRUE(other) << other.error().failure.message;
  EXPECT_EQ(plan::layerSteps(other->plan.stages[0]), 0);
}

TEST_F(CachedPreparation, RefreshMakesKeysAndTakesNothing) {
  const auto first = run();
  ASSERT_TRUE(first) << first.error().failure.message;
  for (int step : {0, 1}) {
    remember(first->plan, 0, step, "blob " + std::to_string(step));
  }
  job_.request.cache->read = false;
  const auto result = run();
  ASSERT_TRUE(result) << result.error().failure.message;
  EXPECT_EQ(plan::layerSteps(result->plan.stages[0]), 0);
  EXPECT_EQ(result->plan.stages[0].steps[0].contentKey, first->plan.stages[0].steps[0].contentKey);
}

TEST_F(CachedPreparation, AnEntryOfAnotherKeyOrALostBlobIsAMiss) {
  const auto first = run();
  ASSERT_TRUE(first) << first.error().failure.message;
  const std::string& key = first->plan.stages[0].steps[0].contentKey;
  plan::LayerStep layer;
  layer.blob = {std::string(oci::kMediaLayerGzip), oci::Digest::ofBytes("b"), 1, {}, {}};
  layer.diffId = oci::Digest::ofBytes("d");
  registry_.addManifest(
      "team/cache", plan::cacheTag(key),
      oci::serializeManifest(plan::makeCacheEntry(layer.blob, layer, sha256Hex("another"))));
  EXPECT_EQ(plan::layerSteps(run()->plan.stages[0]), 0);
  registry_.addManifest("team/cache", plan::cacheTag(key),
                        oci::serializeManifest(plan::makeCacheEntry(layer.blob, layer, key)));
  const auto result = run();
  ASSERT_TRUE(result) << result.error().failure.message;
  EXPECT_EQ(plan::layerSteps(result->plan.stages[0]), 0);
  EXPECT_THAT(told_, Contains(HasSubstr("its step runs again")));
}

TEST_F(CachedPreparation, ACacheThatCannotBeReadFailsNothing) {
  registry_.answerOthersWith(503);
  const auto result = run();
  ASSERT_TRUE(result) << result.error().failure.message;
  EXPECT_THAT(told_, Contains(HasSubstr("cache: cannot read reg.test/team/cache")));
}

TEST_F(RunPreparation, TakesWhatBindMountsRead) {
  useConfigMap(
      {{"Dockerfile", "FROM reg.test/team/base:1\nRUN --mount=target=/src,source=[a] true\n"},
       {"[a]", "x"},
       {"b", ""}});
  const auto result = run();
  ASSERT_TRUE(result) << result.error().failure.message;
  EXPECT_THAT(treeOf(attemptDir() + "/context"), ElementsAre("[a]"));
}

TEST_F(RunPreparation, FetchesTheImagesThatTriggersName) {
  oci::ImageConfig withTrigger = baseConfig();
  withTrigger.onBuild = {"COPY --from=reg.test/team/base:1 /x /x"};
  registry_.addImage("team/trigger", withTrigger);
  useConfigMap({{"Dockerfile", "FROM reg.test/team/trigger:1\n"}});
  const auto result = run();
  ASSERT_TRUE(result) << result.error().failure.message;
  EXPECT_EQ(result->plan.stages.size(), 2U);
}

TEST_F(RunPreparation, SaysWhatIsMissingInTheSource) {
  useConfigMap({{"readme", ""}});
  EXPECT_EQ(failure().reason, "DockerfileNotFound");
  job_.request.contextDir = "no/such";
  EXPECT_EQ(failure().reason, "ContextDirNotFound");
  fs::remove(job_.configMapDir + "/readme");
  EXPECT_EQ(failure().reason, "SourceNotFound");
  job_.request.git = plan::GitSource{"https://git.test/x.git", "", "", "", true};
  job_.sourceSecretDir = directory_ / "no-secret";
  EXPECT_EQ(failure().reason, "CredentialsNotFound");
  EXPECT_EQ(exit_, plan::Exit::kSecretMissing);
}

TEST(PodVoice, SealsFramesAndCleansLines) {
  TemporaryDirectory directory;
  writeFile(directory / "out", "");
  writeFile(directory / "termination", "");
  const PodVoice::Identity identity{"run", std::string(32, 'k'), 3};
  {
    const Fd out(::open((directory / "out").c_str(), O_WRONLY | O_CLOEXEC));
    PodVoice voice(out.get(), identity);
    voice.tell("hello \x1b[31m");
    ASSERT_TRUE(voice.sendFrame("plan", Json{{"plan", 1}}));
    EXPECT_FALSE(voice.sendFrame("plan", Json{{"plan", std::string(128 * 1024, 'x')}}));
    voice.sendFailure(refuseInput("DockerfileInvalid", "bad").failure, directory / "termination");
  }
  const std::string text = readFile(directory / "out");
  const std::string first = text.substr(0, text.find('\n'));
  EXPECT_EQ(first, "hello ?[31m");
  const std::string second =
      text.substr(first.size() + 1, text.find('\n', first.size() + 1) - first.size() - 1);
  const std::string key = attemptKey(identity.runKey, "prepare", 3);
  const auto frame = openFrame(key, {"run", "prepare", 3}, second);
  ASSERT_TRUE(frame) << frame.error().message;
  EXPECT_EQ(parseJson(*frame).value(), (Json{{"type", "plan"}, {"seq", 1}, {"plan", 1}}));
  EXPECT_THAT(text, HasSubstr("\"seq\":2"));
  EXPECT_TRUE(
      unsealText(key, {"run", "prepare", 3}, "termination", readFile(directory / "termination")));
}

TEST(LoadPullCredentials, LeavesOutMissingSecretsAndRefusesBrokenOnes) {
  TemporaryDirectory directory;
  writeFile(directory / "1/.dockerconfigjson",
            R"({"auths": {"reg.test": {"username": "u", "password": "p"}}})");
  const auto loaded = loadPullCredentials(directory.path(), 2);
  ASSERT_TRUE(loaded);
  EXPECT_THAT(loaded->missing, ElementsAre(0));
  EXPECT_EQ(loaded->credentials.find({"reg.test", "a"})->username, "u");
  writeFile(directory / "0/.dockerconfigjson", R"({"auths": 7, "secret": "hunter2"})");
  const auto broken = loadPullCredentials(directory.path(), 2);
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().failure.reason, "CredentialsNotFound");
  EXPECT_EQ(broken.error().exit, plan::Exit::kSecretMissing);
  EXPECT_THAT(broken.error().failure.message, HasSubstr("imagePullSecrets[0]"));
  EXPECT_THAT(broken.error().failure.message, Not(HasSubstr("hunter2")));
}

}  // namespace
}  // namespace stagewright::prepare
