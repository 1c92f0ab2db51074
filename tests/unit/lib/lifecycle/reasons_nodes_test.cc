// Reasons of api.md that volumes and nodes give, and what is done when pods are lost with them.
#include <gmock/gmock.h>

#include "tests/unit/lib/lifecycle/fake_cluster.h"

namespace stagewright::lifecycle {
namespace {

using api::Truth;
using std::chrono::seconds;
using testing::FakeCluster;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// ---- workspace ----

TEST(WorkspaceIncompatible, WhenTheRuntimeCannotMapIds) {
  FakeCluster waiting;
  waiting.toStages({{}});
  waiting.wait(waiting.pod("0"), "CreateContainerError",
               "mount_setattr /var/lib/x: invalid argument");
  waiting.settle();
  EXPECT_EQ(waiting.ready().reason, "WorkspaceIncompatible");
  EXPECT_THAT(waiting.ready().message, HasSubstr("spec.execution.isolation: Baseline"));

  FakeCluster started;
  started.toStages({{}});
  started.exit(started.pod("0"), 128,
               "failed to create containerd task: set up idmapped mount: EINVAL", "StartError");
  started.settle();
  EXPECT_EQ(started.ready().reason, "WorkspaceIncompatible");
}

TEST(WorkspaceIncompatible, WhenTheClaimDoesNotAllowBuilds) {
  Json spec = testing::smallSpec();
  spec["workspace"]["claimName"] = "shared";
  FakeCluster cluster(spec);
  ObservedClaim claim;
  claim.name = "shared";
  cluster.claims["shared"] = claim;
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "WorkspaceIncompatible");
  EXPECT_THAT(cluster.ready().message, HasSubstr("build.stagewright.dev/workspace"));
}

TEST(WorkspaceIncompatible, WhenTheClaimIsForOnePodOnly) {
  Json spec = testing::smallSpec();
  spec["workspace"]["claimName"] = "shared";
  FakeCluster cluster(spec);
  ObservedClaim claim;
  claim.name = "shared";
  claim.allowsBuilds = true;
  claim.accessModes = {"ReadWriteOncePod"};
  cluster.claims["shared"] = claim;
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "WorkspaceIncompatible");
}

TEST(WorkspaceProvisioning, IsBounded) {
  FakeCluster cluster;
  cluster.settle();
  cluster.pod("prepare").unschedulable = "pod has unbound immediate PersistentVolumeClaims";
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "WorkspaceProvisioning");
  EXPECT_EQ(cluster.ready().status, Truth::kUnknown);
  EXPECT_EQ(cluster.condition("WorkspaceReady").reason, "WorkspaceProvisioning");
  cluster.pass(seconds(601));
  cluster.settle();
  EXPECT_EQ(cluster.ready().status, Truth::kFalse);
  EXPECT_EQ(cluster.ready().reason, "WorkspaceProvisioning");
}

// ---- nodes ----

TEST(Unschedulable, PrepareWaitsWithoutLimitAndWithoutCharge) {
  FakeCluster cluster;
  cluster.settle();
  cluster.pod("prepare").unschedulable = "0/1 nodes are available: 1 Insufficient cpu.";
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "Unschedulable");
  EXPECT_EQ(cluster.status().phase, "Queued");
  cluster.pass(std::chrono::hours(5));
  cluster.settle();
  EXPECT_EQ(cluster.ready().status, Truth::kUnknown) << "queueing is not in the timeout";
  cluster.run("prepare");
  cluster.settle();
  EXPECT_EQ(cluster.status().phase, "Preparing");
  cluster.pass(seconds(3601));
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "BuildTimeout");
}

TEST(Unschedulable, FullNodeOfTheWorkspaceRestartsTheRunAfterAMinute) {
  FakeCluster cluster;
  cluster.toStages({{}});
  const std::string first = cluster.runId();
  cluster.pod("0").unschedulable = "0/1 nodes are available: 1 node(s) were unschedulable.";
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "Unschedulable");
  cluster.pass(seconds(61));
  cluster.settle();
  EXPECT_NE(cluster.runId(), first);
  EXPECT_EQ(cluster.status().run->trigger, "Restarted");
  EXPECT_EQ(cluster.status().run->restarts, 1);
  EXPECT_TRUE(cluster.has("prepare"));
  EXPECT_THAT(cluster.claims, SizeIs(1)) << "a new claim";
}

TEST(Unschedulable, WaitsWhileAnotherStageRuns) {
  FakeCluster cluster;
  cluster.toStages({{}, {}});
  cluster.run("0");
  const std::string first = cluster.runId();
  cluster.pod("1").unschedulable = "0/1 nodes are available: 1 Insufficient memory.";
  cluster.settle();
  cluster.pass(seconds(600));
  cluster.settle();
  EXPECT_EQ(cluster.runId(), first);
}

TEST(NodeLost, RestartsARunThatIsTiedToIt) {
  FakeCluster cluster;
  cluster.addNode("w2", true);
  cluster.toStages({{}});
  cluster.run("0");
  cluster.settle();
  const std::string first = cluster.runId();
  cluster.cluster.nodes[0].ready = false;
  cluster.cluster.nodes[0].notReadySince = cluster.now;
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "NodeLost");
  EXPECT_EQ(cluster.runId(), first);
  cluster.pass(seconds(61));
  cluster.settle();
  EXPECT_NE(cluster.runId(), first);
}

TEST(NodeLost, RestartsAreCounted) {
  FakeCluster cluster;
  for (int i = 0; i < 4; ++i) {
    cluster.toStages({{}});
    cluster.cluster.nodes[0].name = "w" + std::to_string(i + 2);
    cluster.settle();
    cluster.cluster.nodes[0].name = "w1";
  }
  EXPECT_EQ(cluster.ready().reason, "InfrastructureRetriesExhausted");
  EXPECT_THAT(cluster.ready().message, HasSubstr("restarted 3 times, the last cause is NodeLost"));
}

TEST(NodeLost, TerminatingPodOnItDoesNotBlockTheNextAttempt) {
  Json spec = testing::smallSpec();
  spec["workspace"]["accessMode"] = "ReadWriteMany";
  FakeCluster cluster(spec);
  cluster.addNode("w2", true);
  cluster.toStages({{}});
  cluster.run("0", 1, "w2");
  cluster.settle();
  cluster.pod("0").deletionTimestamp = cluster.now;
  cluster.settle();
  EXPECT_FALSE(cluster.has("0", 2)) << "it may only be slow";
  cluster.cluster.nodes[1].ready = false;
  cluster.cluster.nodes[1].notReadySince = cluster.now;
  cluster.pass(seconds(61));
  cluster.settle();
  cluster.pass(seconds(2));
  cluster.settle();
  EXPECT_TRUE(cluster.has("0", 2));
  EXPECT_EQ(cluster.status().stages[0].attempts.at(0).reason, "NodeLost");
}

TEST(RunKey, LostWithItsPodsRestartsTheRun) {
  FakeCluster cluster;
  cluster.toStages({{}});
  const std::string first = cluster.runId();
  cluster.pods.erase(cluster.name("prepare"));
  cluster.settle();
  EXPECT_EQ(cluster.runId(), first) << "publish still has it";
  cluster.pods.erase(cluster.name("publish"));
  cluster.settle();
  EXPECT_NE(cluster.runId(), first);
}

TEST(Prepare, IsBegunAgainWhenItsPodVanishes) {
  FakeCluster cluster;
  cluster.settle();
  cluster.run("prepare");
  cluster.settle();
  cluster.pods.erase(cluster.name("prepare"));
  cluster.settle();
  cluster.pass(seconds(2));
  cluster.settle();
  EXPECT_TRUE(cluster.has("prepare", 2));
}

TEST(Conditions, SayHowFarAFailedRunCame) {
  FakeCluster cluster;
  cluster.settle();
  cluster.run("prepare");
  cluster.settle();
  cluster.failWith("prepare", 20, "DockerfileInvalid", "Dockerfile:1:1: what");
  cluster.settle();
  EXPECT_EQ(cluster.condition("SourceFetched").status, Truth::kTrue);
  EXPECT_EQ(cluster.condition("Planned").status, Truth::kFalse);
  EXPECT_EQ(cluster.condition("Planned").reason, "DockerfileInvalid");
  EXPECT_EQ(cluster.condition("StagesSucceeded").reason, "Failed");
  EXPECT_EQ(cluster.condition("Pushed").reason, "Failed");
}

TEST(Prepare, WithSealedWordsIsJudgedWithoutItsLog) {
  FakeCluster cluster;
  cluster.settle();
  cluster.run("prepare");
  cluster.settle();
  cluster.failWith("prepare", 20, "DockerfileNotFound", "no Dockerfile");
  cluster.logs.clear();
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "DockerfileNotFound");
}

}  // namespace
}  // namespace stagewright::lifecycle
