#include "cli/log_parts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace stagewright::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

api::ImageBuild build() {
  const Json object = Json::parse(R"({
    "metadata": {"name": "shop"},
    "spec": {"dockerfileInline": "FROM x", "output": {"image": "r/x:1"}},
    "status": {
      "run": {"id": "k3v9q2m7xa", "prepare": {"state": "Succeeded", "attempt": 1, "pod": "p"},
              "publish": {"state": "Running", "attempt": 1, "pod": "pub"}},
      "stages": [{"index": 0, "name": "deps", "state": "Succeeded", "attempt": 2},
                 {"index": 1, "name": "runtime", "state": "Failed", "attempt": 1},
                 {"index": 2, "name": "later", "state": "Waiting"}],
      "failure": {"class": "User", "reason": "StageFailed", "stage": "runtime", "pod": "s"}}})");
  return api::parseImageBuild(object).value();
}

Json pod(const std::string& role, const std::string& stage, const std::string& attempt,
         const std::string& name, const std::string& state) {
  Json out = {
      {"metadata",
       {{"name", name},
        {"labels",
         {{"build.stagewright.dev/role", role}, {"build.stagewright.dev/attempt", attempt}}}}},
      {"status", {{"containerStatuses", {{{"state", {{state, Json::object()}}}}}}}}};
  if (!stage.empty()) {
    out["metadata"]["labels"]["build.stagewright.dev/stage"] = stage;
  }
  return out;
}

std::vector<std::string> titles(const Result<std::vector<LogPart>>& parts) {
  std::vector<std::string> out;
  for (const LogPart& part : parts.value()) {
    out.push_back(part.title());
  }
  return out;
}

TEST(LogParts, JoinsStatusPodsAndTheRegistry) {
  std::vector<LogPart> parts = partsOfStatus(build(), "k3v9q2m7xa");
  addPod(parts, pod("stage", "1", "1", "shop-1-1", "terminated"));
  addPod(parts, pod("publish", "", "1", "shop-publish-1", "running"));
  addPod(parts, pod("stage", "x", "1", "stranger", "running"));
  addPod(parts, Json(5));
  addSaved(parts, {"0", "deps", 1, {}});
  addSaved(parts, {"0", "deps", 2, {}});
  addSaved(parts, {"prepare", "prepare", 1, {}});
  const auto all = chooseParts(parts, {}, build());
  EXPECT_THAT(titles(all), ElementsAre("prepare", "deps", "deps #2", "runtime"));
  EXPECT_EQ(all->back().pod, "shop-1-1");
  EXPECT_TRUE(all->back().started && all->back().ended);
  EXPECT_TRUE(all->front().saved && all->front().pod.empty());
  EXPECT_THAT(titles(chooseParts(parts, {"0", false}, build())), ElementsAre("deps", "deps #2"));
  EXPECT_THAT(titles(chooseParts(parts, {"runtime", false}, build())), ElementsAre("runtime"));
  EXPECT_THAT(titles(chooseParts(parts, {"publish", false}, build())), ElementsAre("publish"));
  EXPECT_THAT(titles(chooseParts(parts, {"", true}, build())), ElementsAre("runtime"));
  EXPECT_EQ(chooseParts(parts, {"nope", false}, build()).error().message,
            "there is no log of \"nope\"; there are: prepare, deps #2, runtime, publish, deps");
}

TEST(LogParts, OfAnotherRunAreNotThoseOfStatus) {
  EXPECT_THAT(partsOfStatus(build(), "other"), IsEmpty());
  EXPECT_EQ(chooseParts({}, {}, build()).error().message, "the run has no logs yet");
}

TEST(LogParts, FailedFindsPrepareAndPublish) {
  api::ImageBuild failed = build();
  failed.status.failure->stage.clear();
  failed.status.failure->pod = "pub";
  std::vector<LogPart> parts = partsOfStatus(failed, "k3v9q2m7xa");
  addPod(parts, pod("publish", "", "1", "pub", "terminated"));
  EXPECT_THAT(titles(chooseParts(parts, {"", true}, failed)), ElementsAre("publish"));
  failed.status.failure->pod = "p";
  EXPECT_THAT(titles(chooseParts(parts, {"", true}, failed)), ElementsAre("prepare"));
  failed.status.failure.reset();
  EXPECT_EQ(chooseParts(parts, {"", true}, failed).error().message, "the build has not failed");
}

}  // namespace
}  // namespace stagewright::cli
