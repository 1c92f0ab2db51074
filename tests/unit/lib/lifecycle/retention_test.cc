// What is kept of a build that has ended, and for how long.
#include <gmock/gmock.h>

#include "tests/unit/lib/lifecycle/fake_cluster.h"

namespace stagewright::lifecycle {
namespace {

using api::Truth;
using testing::FakeCluster;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(PlanBuild, KeepsPodsAsRetentionSays) {
  for (const auto& [retention, afterSuccess, afterFailure] :
       {std::tuple("OnFailure", 0, 3), std::tuple("Always", 3, 3), std::tuple("Never", 0, 0)}) {
    Json spec = testing::smallSpec();
    spec["retention"]["pods"] = retention;
    FakeCluster good(spec);
    good.toSuccess({{}});
    EXPECT_THAT(good.pods, SizeIs(afterSuccess)) << retention;
    EXPECT_THAT(good.claims, IsEmpty()) << retention;
    FakeCluster bad(spec);
    bad.toStages({{}});
    bad.run("publish");
    bad.exit("publish", 0);
    bad.logs[bad.name("publish")] = {};
    bad.failWith("0", 10, "StageFailed", "no");
    bad.settle();
    EXPECT_EQ(bad.ready().status, Truth::kFalse);
    EXPECT_THAT(bad.pods, SizeIs(afterFailure)) << retention;
    EXPECT_THAT(bad.claims, IsEmpty()) << retention;
    bad.pass(std::chrono::hours(23));
    bad.settle();
    EXPECT_THAT(bad.pods, SizeIs(afterFailure)) << retention;
    bad.pass(std::chrono::hours(1));
    bad.settle();
    EXPECT_THAT(bad.pods, IsEmpty()) << retention;
  }
}

/// Pods of a failed run may still work, and its quota may be waited for.
TEST(Retention, OnlyWhatASuccessLeavesHasTime) {
  Json spec = testing::smallSpec();
  spec["retention"]["pods"] = "Never";
  for (const bool good : {true, false}) {
    FakeCluster cluster(spec);
    cluster.toStages({{}});
    cluster.run("publish");
    if (good) {
      cluster.say(cluster.pod("publish"), cluster.imageFrame());
    } else {
      cluster.failWith("0", 10, "StageFailed", "no");
    }
    const Decision decision = cluster.reconcile();
    EXPECT_THAT(decision.actions, SizeIs(4)) << "three pods and the claim";
    for (const Action& action : decision.actions) {
      EXPECT_EQ(action.hasTime, good) << action.name;
    }
  }
}

FakeCluster failedBuild(const Json& retention) {
  Json spec = testing::smallSpec();
  spec["retention"] = retention;
  FakeCluster cluster(spec);
  cluster.toStages({{}});
  cluster.failWith("0", 10, "StageFailed", "no");
  cluster.settle();
  return cluster;
}

TEST(Retention, KeepsAWorkspaceForItsTimeAndNoLongerThanThePods) {
  FakeCluster cluster = failedBuild({{"workspace", "2h"}, {"podTTL", "4h"}});
  EXPECT_THAT(cluster.claims, SizeIs(1));
  EXPECT_EQ(cluster.reconcile().requeueAfter, Millis(std::chrono::hours(2)));
  cluster.pass(std::chrono::hours(2));
  cluster.settle();
  EXPECT_THAT(cluster.claims, IsEmpty());
  EXPECT_THAT(cluster.pods, SizeIs(2));
  EXPECT_EQ(cluster.reconcile().requeueAfter, Millis(std::chrono::hours(2)));
  cluster.pass(std::chrono::hours(2));
  cluster.settle();
  EXPECT_THAT(cluster.pods, IsEmpty());
  EXPECT_FALSE(cluster.reconcile().requeueAfter) << "there is nothing left to wait for";

  FakeCluster shorter = failedBuild({{"workspace", "9h"}, {"podTTL", "1h"}});
  shorter.pass(std::chrono::hours(1));
  shorter.settle();
  EXPECT_THAT(shorter.claims, IsEmpty());
  EXPECT_THAT(failedBuild({{"workspace", "9h"}, {"pods", "Never"}}).claims, IsEmpty());
  EXPECT_THAT(failedBuild({{"workspace", "Never"}}).claims, IsEmpty());
}

TEST(TtlAfterFinished, DeletesTheBuildWhenItsTimeIsOver) {
  FakeCluster cluster = failedBuild({{"ttlAfterFinished", "3h"}});
  EXPECT_EQ(cluster.reconcile().requeueAfter, Millis(std::chrono::hours(3)));
  cluster.pass(std::chrono::minutes(170));
  cluster.annotate(api::kRebuildAnnotation, "1");
  cluster.toStages({{}});
  cluster.pass(std::chrono::minutes(20));
  cluster.reconcile();
  EXPECT_FALSE(cluster.deleted) << "it works again";
  cluster.finishSmall();
  cluster.pass(std::chrono::hours(3));
  const Decision decision = cluster.reconcile();
  EXPECT_TRUE(cluster.deleted);
  ASSERT_THAT(decision.actions, SizeIs(1));
  EXPECT_EQ(decision.actions[0].kind, Action::Kind::kDeleteBuild);
  EXPECT_EQ(decision.actions[0].uid, "uid-1");
  EXPECT_EQ(decision.actions[0].name, "shop");
}

TEST(TtlAfterFinished, LeavesAHeldBuildAlone) {
  FakeCluster cluster = failedBuild({{"ttlAfterFinished", "1s"}});
  cluster.edit({{"target", "other"}, {"suspend", true}});
  cluster.settle();
  cluster.pass(std::chrono::hours(1));
  cluster.settle();
  EXPECT_FALSE(cluster.deleted) << "it waits for its run";
}

TEST(TtlAfterFinished, IsIgnoredWithAnEventWhereGitOpsTracksTheObject) {
  FakeCluster cluster;
  cluster.label("kustomize.toolkit.fluxcd.io/name", "apps");
  cluster.edit({{"retention", {{"ttlAfterFinished", "1h"}}}});
  cluster.toStages({{}});
  cluster.finishSmall();
  EXPECT_EQ(cluster.countEvents("TTLIgnored"), 1);
  EXPECT_THAT(cluster.events.back().note, HasSubstr("Flux Kustomization \"apps\""));
  for (int i = 0; i < 3; ++i) {
    cluster.pass(std::chrono::hours(2));
    cluster.settle();
  }
  EXPECT_FALSE(cluster.deleted);
  EXPECT_EQ(cluster.countEvents("TTLIgnored"), 1) << "once, not at every look";
  cluster.edit({{"retention", {{"ttlAfterFinished", "2h"}}}});
  cluster.settle();
  EXPECT_EQ(cluster.countEvents("TTLIgnored"), 2);
}

TEST(PlanBuild, PodsOfTheLastRunGoWhenTheNextBegins) {
  FakeCluster cluster;
  cluster.toStages({{}});
  cluster.failWith("0", 10, "StageFailed", "no");
  cluster.settle();
  EXPECT_THAT(cluster.pods, SizeIs(2));
  cluster.annotate(api::kRebuildAnnotation, "again");
  cluster.settle();
  EXPECT_THAT(cluster.pods, SizeIs(1));
  EXPECT_THAT(cluster.claims, SizeIs(1));
}

}  // namespace
}  // namespace stagewright::lifecycle
