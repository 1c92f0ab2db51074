// From what publish pushes to what `stagewright logs` prints.
#include "cli/saved_logs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "builder-pod/publish/saved_logs.h"
#include "lib/http/curl_transport.h"
#include "lib/plan/contract.h"
#include "tests/support/docker_registry.h"
#include "tests/support/memory_registry.h"
#include "tests/unit/builder-pod/publish/run_fixture.h"

namespace stagewright::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

class SavedLogsTest : public ::testing::Test {
 protected:
  SavedLogsTest() {
    plan_.stages.resize(2);
    plan_.stages[0].name = "deps";
    plan_.stages[1].index = 1;
    plan_.stages[1].name = "1";
    plan_.target = 1;
    run_.writePlan(plan_);
  }

  void use(http::Transport& transport, const std::string& host) {
    transport_ = &transport;
    repository_ = {host, "team/app"};
    if (host.find("127.") == 0) {
      access_ = {{host, plan::RegistryAccess::Tls::kPlainHttp, "", {}}};
    }
    client_ = std::make_unique<registry::Client>(
        transport, clock_, registry::ClientConfig{publish::hostConfigs(access_), {}, {}});
  }

  publish::PublishJob job() {
    publish::PublishJob out;
    out.request.repository = repository_.str();
    out.request.registries = access_;
    out.request.logs = plan::LogsRequest{kTag, 2};
    out.runDirectory = run_.path();
    out.runId = publish::kRunId;
    out.runKey = run_.key();
    out.planDigest = run_.planDigest();
    return out;
  }
  Status push() { return publish::pushLogs(job(), *transport_, clock_, {}); }
  Result<std::vector<SavedLog>> fetch(const std::string& run = publish::kRunId) {
    return fetchSavedRun(*client_, repository_, kTag, run, {});
  }
  std::string textOf(const SavedLog& log) {
    const Result<std::string> text = fetchSavedLog(*client_, repository_, log, {});
    return text ? *text : "error: " + text.error().message;
  }

  void roundTrip() {
    run_.writeLog(-1, 1, "cloned\n");
    run_.writeLog(0, 1, "first try\n");
    run_.writeLog(0, 2, "second try\n");
    const std::string large(3'000'000, 'y');
    run_.writeLog(1, 1, large);
    const Status pushed = push();
    ASSERT_TRUE(pushed) << pushed.error().message;
    const auto logs = fetch();
    ASSERT_TRUE(logs) << logs.error().message;
    ASSERT_THAT(*logs, SizeIs(4));
    EXPECT_EQ((*logs)[0].stage, "prepare");
    EXPECT_EQ(textOf((*logs)[0]), "cloned\n");
    EXPECT_EQ((*logs)[2].name, "deps");
    EXPECT_EQ((*logs)[2].attempt, 2);
    EXPECT_EQ(textOf((*logs)[2]), "second try\n");
    EXPECT_EQ(textOf((*logs)[3]), large);
    // The same run again replaces its entry.
    run_.writeLog(0, 1, "changed\n");
    ASSERT_TRUE(push());
    EXPECT_EQ(textOf((*fetch())[1]), "changed\n");
    EXPECT_THAT(fetch("other").error().message, HasSubstr("run \"other\" are not kept any more"));
  }

  static constexpr const char* kTag = "stagewright-logs.team-a.shop";
  publish::RunFixture run_;
  plan::BuildPlan plan_;
  SystemClock clock_;
  http::Transport* transport_ = nullptr;
  oci::Repository repository_;
  std::vector<plan::RegistryAccess> access_;
  std::unique_ptr<registry::Client> client_;
};

TEST_F(SavedLogsTest, ComeBackFromTheRegistry) {
  testing::MemoryRegistry registry;
  use(registry, "reg.example");
  roundTrip();
}

TEST_F(SavedLogsTest, ComeBackFromDockerRegistry) {
  if (!testing::DockerRegistry::available()) {
    GTEST_SKIP() << "docker-registry is not installed";
  }
  auto server = testing::DockerRegistry::start();
  ASSERT_TRUE(server) << server.error().message;
  const std::unique_ptr<http::Transport> transport = http::makeCurlTransport();
  use(*transport, server->host());
  roundTrip();
}

TEST_F(SavedLogsTest, KeepTheNewestRuns) {
  testing::MemoryRegistry registry;
  use(registry, "reg.example");
  const auto entry = [](const std::string& run) {
    return Json{{"mediaType", oci::kMediaManifest},
                {"digest", oci::Digest::ofBytes(run).str()},
                {"size", 3},
                {"annotations", {{plan::kLogRunAnnotation, run}}}};
  };
  const Json index = {{"schemaVersion", 2},
                      {"mediaType", oci::kMediaIndex},
                      {"artifactType", plan::kMediaLogs},
                      {"manifests", {entry("older"), entry("oldest")}}};
  registry.addManifest("team/app", kTag, std::string(oci::kMediaIndex), index.dump());
  ASSERT_TRUE(push());
  const Json now = Json::parse(registry.manifests("team/app").at(kTag));
  ASSERT_THAT(now["manifests"], SizeIs(2)) << "as many as the request says";
  EXPECT_EQ(now["manifests"][0]["annotations"][std::string(plan::kLogRunAnnotation)],
            publish::kRunId);
  EXPECT_EQ(now["manifests"][1], entry("older"));
}

TEST_F(SavedLogsTest, LeaveATagAloneThatHoldsSomethingElse) {
  testing::MemoryRegistry registry;
  use(registry, "reg.example");
  const std::string image = R"({"schemaVersion": 2, "manifests": []})";
  registry.addManifest("team/app", kTag, std::string(oci::kMediaIndex), image);
  const Status pushed = push();
  ASSERT_FALSE(pushed);
  EXPECT_THAT(pushed.error().message, HasSubstr("holds something else than logs"));
  EXPECT_EQ(registry.manifests("team/app").at(kTag), image);
}

TEST_F(SavedLogsTest, AreReadAsWhatAStepMayHaveMadeOfThem) {
  testing::MemoryRegistry registry;
  use(registry, "reg.example");
  const std::string stage = run_.path() + "/" + run_.stagePath(0, 1) + "/";
  run_.writeLog(1, 1, std::string(plan::kMaxLogBytes + 5, 'x'));
  std::filesystem::create_symlink("/etc/passwd", stage + std::string(plan::kLogFile));
  std::filesystem::create_directory(run_.path() + "/" + run_.stagePath(0, 2) + "/" +
                                    std::string(plan::kLogFile));
  ASSERT_TRUE(push());
  const auto logs = fetch();
  ASSERT_THAT(*logs, SizeIs(1)) << "neither the link nor the directory";
  EXPECT_EQ(textOf((*logs)[0]).size(), plan::kMaxLogBytes);
}

TEST(LogsTag, IsAValidTagForTheLongestNames) {
  EXPECT_TRUE(oci::isValidTag(plan::logsTag(std::string(63, 'n'), std::string(40, 'b'))));
}

}  // namespace
}  // namespace stagewright::cli
