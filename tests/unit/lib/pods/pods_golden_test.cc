// Each directory of tests/golden/pods holds a build (with the status it has by then, and options of
// the cluster) and the objects that are made from it. UPDATE_GOLDEN=1 writes them anew.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "lib/pods/pods.h"
#include "tests/support/source_dir.h"

namespace stagewright::pods {
namespace {

namespace fs = std::filesystem;

std::string readText(const fs::path& path) {
  std::ifstream in(path);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

fs::path goldenRoot() { return sourceDir() / "tests/golden/pods"; }

std::vector<std::string> caseNames() {
  std::vector<std::string> out;
  for (const auto& entry : fs::directory_iterator(goldenRoot())) {
    out.push_back(entry.path().filename());
  }
  return out;
}

PodSettings settings() {
  PodSettings out;
  out.builderImage = "unused: the run keeps the one it began with";
  out.emptyImage = "registry.example/stagewright/empty@sha256:" + std::string(64, '3');
  out.prepareResources.requests = {{"cpu", "100m"}, {"memory", "128Mi"}};
  out.publishResources.requests = {{"cpu", "100m"}, {"memory", "128Mi"}};
  return out;
}

std::map<std::string, Json> objectsOf(const Json& input) {
  const Result<api::ImageBuild> build = api::parseImageBuild(input);
  EXPECT_TRUE(build) << build.error().message;
  EXPECT_FALSE(build->specError) << build->specError->message;
  const PodSettings podSettings = settings();
  const Json& options = input.at("options");
  const RunContext run{*build, podSettings, options.at("imageVolumes").get<bool>(),
                       options.at("node").get<std::string>(),
                       options.at("remainingSeconds").get<std::int64_t>()};
  const std::string key(32, '\x5a');
  std::map<std::string, Json> out;
  out["claim"] = makeClaim(run);
  out["prepare"] = makePreparePod(run, build->status.run->prepare.attempt, key);
  out["publish"] = makePublishPod(run, build->status.run->publish.attempt, key);
  for (const api::StageStatus& stage : build->status.stages) {
    out["stage-" + std::to_string(stage.index)] = makeStagePod(run, stage, key);
  }
  return out;
}

class PodsGolden : public ::testing::TestWithParam<std::string> {};

TEST_P(PodsGolden, ObjectsAreAsWritten) {
  const fs::path dir = goldenRoot() / GetParam();
  const Json input = Json::parse(readText(dir / "build.json"));
  bool updated = false;
  for (const auto& [name, object] : objectsOf(input)) {
    const std::string actual = object.dump(2) + "\n";
    const fs::path file = dir / (name + ".json");
    if (std::getenv("UPDATE_GOLDEN") != nullptr) {
      std::ofstream(file) << actual;
      updated = true;
      continue;
    }
    EXPECT_EQ(readText(file), actual) << file;
  }
  if (updated) {
    GTEST_SKIP() << "golden files were written";
  }
}

INSTANTIATE_TEST_SUITE_P(All, PodsGolden, ::testing::ValuesIn(caseNames()), [](const auto& test) {
  std::string name = test.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

/// The controls of Pod Security "baseline" that our fields could break.
void expectBaseline(const Json& pod) {
  static const std::vector<std::string> kAllowed = {
      "AUDIT_WRITE",      "CHOWN",   "DAC_OVERRIDE", "FOWNER",  "FSETID", "KILL",      "MKNOD",
      "NET_BIND_SERVICE", "SETFCAP", "SETGID",       "SETPCAP", "SETUID", "SYS_CHROOT"};
  const Json& spec = pod.at("spec");
  for (const char* field : {"hostNetwork", "hostPID", "hostIPC"}) {
    EXPECT_FALSE(spec.contains(field)) << field;
  }
  EXPECT_EQ(spec.at("securityContext").at("seccompProfile").at("type"), "RuntimeDefault");
  for (const Json& volume : spec.at("volumes")) {
    EXPECT_FALSE(volume.contains("hostPath"));
  }
  Json containers = spec.at("containers");
  for (const Json& init : spec.value("initContainers", Json::array())) {
    containers.push_back(init);
  }
  for (const Json& container : containers) {
    const Json& security = container.at("securityContext");
    EXPECT_EQ(security.at("privileged"), false);
    EXPECT_EQ(security.at("allowPrivilegeEscalation"), false);
    EXPECT_EQ(security.at("capabilities").at("drop"), Json::array({"ALL"}));
    for (const Json& capability : security.at("capabilities").value("add", Json::array())) {
      EXPECT_NE(std::find(kAllowed.begin(), kAllowed.end(), capability), kAllowed.end())
          << capability;
    }
  }
}

/// Every mount has a volume and every volume a mount of some container; nothing that a stage can
/// write lies above another mount of it.
void expectSoundMounts(const Json& pod) {
  std::set<std::string> volumes;
  std::set<std::string> mounted;
  for (const Json& volume : pod.at("spec").at("volumes")) {
    EXPECT_TRUE(volumes.insert(volume.at("name")).second) << volume;
  }
  for (const Json& container : pod.at("spec").at("containers")) {
    for (const Json& mount : container.at("volumeMounts")) {
      mounted.insert(mount.at("name"));
      EXPECT_FALSE(mount.value("subPath", "").starts_with("/")) << mount;
    }
  }
  EXPECT_EQ(volumes, mounted);
}

TEST(Pods, KeepTheRulesThatHoldForAll) {
  for (const std::string& name : caseNames()) {
    const Json input = Json::parse(readText(goldenRoot() / name / "build.json"));
    for (const auto& [file, object] : objectsOf(input)) {
      if (object.at("kind") != "Pod") {
        continue;
      }
      SCOPED_TRACE(name + "/" + file);
      expectBaseline(object);
      expectSoundMounts(object);
      const Json& spec = object.at("spec");
      EXPECT_EQ(spec.at("automountServiceAccountToken"), false);
      EXPECT_EQ(spec.at("enableServiceLinks"), false);
      EXPECT_EQ(spec.at("restartPolicy"), "Never");
      EXPECT_FALSE(spec.at("securityContext").contains("fsGroup"));
      EXPECT_FALSE(object.at("metadata").contains("finalizers"));
      EXPECT_LE(object.at("metadata").at("name").get<std::string>().size(), 63U);
    }
  }
}

TEST(Pods, OnlyTheRightPodsSeeCredentialsAndTheRunKey) {
  const Json input = Json::parse(readText(goldenRoot() / "largest" / "build.json"));
  const std::string runKey = [] {
    std::string out;
    for (int i = 0; i < 32; ++i) {
      out += "5a";
    }
    return out;
  }();
  for (const auto& [file, object] : objectsOf(input)) {
    SCOPED_TRACE(file);
    const std::string text = object.dump();
    const bool builder = file == "prepare" || file == "publish";
    EXPECT_EQ(text.find(runKey) != std::string::npos, builder);
    EXPECT_EQ(text.find("\"secretName\"") != std::string::npos, builder);
    EXPECT_EQ(text.find("\"git-ro\"") != std::string::npos, file == "prepare");
    EXPECT_EQ(text.find("\"push\"") != std::string::npos, file == "publish");
  }
}

TEST(Pods, OnlyTheCarrierOfAStageMountsItsSecrets) {
  const Json input = Json::parse(readText(goldenRoot() / "secrets" / "build.json"));
  const Json stage = objectsOf(input).at("stage-0");
  const Json& containers = stage.at("spec").at("containers");
  ASSERT_EQ(containers.size(), 2U);
  EXPECT_EQ(containers.at(0).at("name"), "stage");
  EXPECT_EQ(containers.at(1).at("name"), kCarrierName);
  std::set<std::string> grants;
  for (const Json& volume : stage.at("spec").at("volumes")) {
    if (volume.contains("secret")) {
      grants.insert(volume.at("name"));
      EXPECT_EQ(volume.at("secret").at("secretName"), "npm-token");
      EXPECT_EQ(volume.at("secret").at("optional"), true);
    }
    if (volume.contains("emptyDir") && volume.at("name") == "secrets") {
      EXPECT_EQ(volume.at("emptyDir").at("medium"), "Memory");
    }
  }
  EXPECT_EQ(grants, std::set<std::string>{"grant-0"});
  for (const Json& mount : containers.at(0).at("volumeMounts")) {
    EXPECT_EQ(grants.count(mount.at("name")), 0U);
  }
  for (const char* other : {"prepare", "publish"}) {
    EXPECT_EQ(objectsOf(input).at(other).dump().find("npm-token"), std::string::npos) << other;
  }
}

}  // namespace
}  // namespace stagewright::pods
