#include "operator/build_measures.h"

#include <gtest/gtest.h>

namespace stagewright::op {
namespace {

TimePoint secondAt(int second) { return TimePoint(std::chrono::seconds(1'000'000 + second)); }

api::ImageBuildStatus runningStatus() {
  api::ImageBuildStatus status;
  status.phase = "Building";
  status.output = "registry.example/team-a/shop:1";
  status.run.emplace();
  status.run->id = "aaaaaaaaaa";
  status.run->startTime = secondAt(0);
  status.run->admittedTime = secondAt(3);
  status.run->prepare.state = api::AttemptState::kSucceeded;
  status.run->prepare.startTime = secondAt(4);
  status.run->prepare.completionTime = secondAt(6);
  return status;
}

api::StageStatus finishedStage(int index, int from, int to) {
  api::StageStatus stage;
  stage.index = index;
  stage.state = api::AttemptState::kSucceeded;
  stage.attempt = 1;
  stage.startTime = secondAt(from);
  stage.completionTime = secondAt(to);
  return stage;
}

class Measure : public testing::Test {
 protected:
  bool says(const std::string& line) {
    const std::string text = metrics_.serialize({});
    return text.find(line + "\n") != std::string::npos;
  }
  Metrics metrics_;
};

TEST_F(Measure, AnEndIsCountedOnceByClassAndReason) {
  const api::ImageBuildStatus before = runningStatus();
  api::ImageBuildStatus after = before;
  after.run->completionTime = secondAt(30);
  after.run->result = "Failed";
  after.failure = api::FailureStatus{};
  after.failure->class_ = "User";
  after.failure->reason = "StageFailed";
  measureChange(before, after, metrics_);
  measureChange(after, after, metrics_);
  EXPECT_TRUE(says(R"(stagewright_builds_finished_total{class="User",reason="StageFailed"} 1)"));
  EXPECT_TRUE(says(R"(stagewright_build_duration_seconds_count{result="Failed"} 1)"));
  EXPECT_TRUE(says(R"(stagewright_builds_finished_total{class="None",reason="Succeeded"} 0)"));
}

TEST_F(Measure, PhasesAreMeasuredAtTheEnd) {
  const api::ImageBuildStatus before = runningStatus();
  api::ImageBuildStatus after = before;
  after.stages = {finishedStage(0, 6, 16), finishedStage(1, 10, 26)};
  after.run->publish.startTime = secondAt(6);
  after.run->publish.completionTime = secondAt(30);
  after.run->completionTime = secondAt(30);
  after.run->result = "Succeeded";
  measureChange(before, after, metrics_);
  EXPECT_TRUE(says(R"(stagewright_phase_duration_seconds_sum{phase="Queued"} 3)"));
  EXPECT_TRUE(says(R"(stagewright_phase_duration_seconds_sum{phase="Preparing"} 2)"));
  EXPECT_TRUE(says(R"(stagewright_phase_duration_seconds_sum{phase="Building"} 20)"));
  EXPECT_TRUE(says(R"(stagewright_phase_duration_seconds_sum{phase="Publishing"} 24)"));
  EXPECT_TRUE(says(R"(stagewright_stage_duration_seconds_sum{result="Succeeded"} 26)"));
  EXPECT_TRUE(says(R"(stagewright_builds_finished_total{class="None",reason="Succeeded"} 1)"));
}

TEST_F(Measure, AStartIsTheAdmissionOfARun) {
  api::ImageBuildStatus before = runningStatus();
  const api::ImageBuildStatus after = before;
  before.run->admittedTime.reset();
  measureChange(before, after, metrics_);
  measureChange(after, after, metrics_);
  EXPECT_TRUE(says("stagewright_builds_started_total 1"));
}

TEST_F(Measure, RegistryErrorsGoToTheHostThatTheMessageNames) {
  const api::ImageBuildStatus before = runningStatus();
  api::ImageBuildStatus after = before;
  after.run->publish.attempt = 1;
  after.run->publish.reason = "RegistryUnavailable";
  after.run->publish.message = "push blob: PUT https://mirror.example:5000/v2/x: 503";
  measureChange(before, after, metrics_);
  measureChange(after, after, metrics_);
  EXPECT_TRUE(says(R"(stagewright_registry_errors_total{host="mirror.example:5000"} 1)"));
  api::ImageBuildStatus again = after;
  again.run->publish.attempt = 2;
  again.run->publish.message = "the connection was closed";
  measureChange(after, again, metrics_);
  EXPECT_TRUE(says(R"(stagewright_registry_errors_total{host="registry.example"} 1)"));
}

TEST_F(Measure, HostsDoNotGrowWithoutBound) {
  for (int i = 0; i < 200; ++i) {
    metrics_.onRegistryError("h" + std::to_string(i));
  }
  EXPECT_TRUE(says(R"(stagewright_registry_errors_total{host="h63"} 1)"));
  EXPECT_TRUE(says(R"(stagewright_registry_errors_total{host="other"} 136)"));
}

TEST(RegistryIn, ReadsUrlsAndImages) {
  EXPECT_EQ(registryIn("GET http://r:5000/v2/: refused", "f"), "r:5000");
  EXPECT_EQ(registryIn("Back-off pulling image \"reg.example/a/b@sha256:1\"", "f"), "f")
      << "a digest of the wrong length is no reference";
  EXPECT_EQ(registryIn("stage \"b\" cannot pull \"library/busybox:1\"", "f"), "docker.io");
  EXPECT_EQ(registryIn("nothing \"quoted", "f"), "f");
  EXPECT_EQ(registryIn("", "f"), "f");
}

}  // namespace
}  // namespace stagewright::op
