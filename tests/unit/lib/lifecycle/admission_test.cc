// Runs that wait for their turn.
#include <gmock/gmock.h>

#include "tests/unit/lib/lifecycle/fake_cluster.h"

namespace stagewright::lifecycle {
namespace {

using api::Truth;
using testing::FakeCluster;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Json with(const Json& patch) {
  Json spec = testing::smallSpec();
  spec.merge_patch(patch);
  return spec;
}

Admission waiting(int position, const std::string& why = "waits for its turn") {
  return {.granted = false, .position = position, .held = false, .why = why};
}

TEST(Admission, ARunOpensAndWaitsWithOneWrite) {
  FakeCluster cluster(with({{"queue", "nightly"}, {"priority", 7}}));
  cluster.admission = waiting(10, "all places are taken");
  cluster.settle();
  EXPECT_EQ(cluster.statusWrites, 1);
  EXPECT_THAT(cluster.pods, IsEmpty());
  EXPECT_THAT(cluster.claims, IsEmpty());
  EXPECT_EQ(cluster.status().phase, "Queued");
  EXPECT_EQ(cluster.status().run->queue, "nightly");
  EXPECT_EQ(cluster.status().run->queuePosition, 10);
  EXPECT_FALSE(cluster.status().run->admittedTime);
  EXPECT_EQ(cluster.ready().status, Truth::kUnknown);
  EXPECT_EQ(cluster.ready().reason, "Queued");
  EXPECT_EQ(cluster.ready().message, "all places are taken");
  EXPECT_EQ(cluster.condition("Admitted").status, Truth::kUnknown);
  EXPECT_EQ(cluster.condition("Admitted").reason, "Queued");
  const Decision decision = cluster.reconcile();
  EXPECT_FALSE(decision.requeueAfter) << "the queue wakes it";
  ASSERT_TRUE(decision.ticket);
  EXPECT_EQ(decision.ticket->key, "team-a/shop");
  EXPECT_EQ(decision.ticket->ns, "team-a");
  EXPECT_EQ(decision.ticket->queue, "nightly");
  EXPECT_EQ(decision.ticket->priority, 7);
  EXPECT_EQ(decision.ticket->since, *cluster.status().run->startTime);
}

TEST(Admission, GrantedAtOnceCostsNoWriteOfItsOwn) {
  FakeCluster cluster;
  const Decision decision = cluster.reconcile();
  EXPECT_EQ(cluster.statusWrites, 1);
  EXPECT_TRUE(decision.ticket);
  EXPECT_EQ(cluster.status().run->admittedTime, cluster.now);
  EXPECT_EQ(cluster.condition("Admitted").status, Truth::kTrue);
  EXPECT_TRUE(cluster.has("prepare"));
  EXPECT_FALSE(cluster.reconcile().ticket) << "it has a place";
}

TEST(Admission, TheClockOfTheTimeoutStandsStillInTheQueue) {
  FakeCluster cluster(with({{"timeout", "1m"}}));
  cluster.admission = waiting(1);
  cluster.settle();
  cluster.pass(std::chrono::hours(5));
  cluster.settle();
  cluster.admission = {};
  cluster.settle();
  EXPECT_EQ(cluster.status().run->admittedTime, cluster.now);
  EXPECT_EQ(cluster.status().run->queuePosition, 0);
  cluster.pass(std::chrono::hours(2));  // no node
  cluster.settle();
  cluster.run("prepare");
  cluster.settle();
  EXPECT_EQ(cluster.status().run->activeTime, cluster.now);
  cluster.pass(std::chrono::seconds(59));
  cluster.settle();
  EXPECT_EQ(cluster.ready().status, Truth::kUnknown);
  cluster.pass(std::chrono::seconds(1));
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "BuildTimeout");
}

TEST(Admission, QueueTimeoutEndsTheRunWithoutAPod) {
  FakeCluster cluster(with({{"queueTimeout", "10m"}}));
  cluster.admission = waiting(3);
  cluster.settle();
  EXPECT_EQ(cluster.reconcile().requeueAfter, Millis(std::chrono::minutes(10)));
  cluster.pass(std::chrono::minutes(10));
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "BuildTimeout");
  EXPECT_THAT(cluster.ready().message, HasSubstr("longer than 10m (spec.queueTimeout)"));
  EXPECT_EQ(cluster.status().failure->class_, "User");
  EXPECT_THAT(cluster.creates, IsEmpty());
  // A longer patience is a remedy.
  cluster.edit({{"queueTimeout", "20m"}});
  cluster.settle();
  EXPECT_EQ(cluster.status().phase, "Queued");
  EXPECT_EQ(cluster.status().run->trigger, "RemedyChanged");
}

TEST(Admission, QueueAndPriorityStartNothingAndCountAtOnce) {
  FakeCluster cluster;
  cluster.admission = waiting(3);
  cluster.settle();
  const std::string run = cluster.runId();
  cluster.edit({{"queue", "fast"}, {"priority", 9}});
  cluster.settle();
  EXPECT_EQ(cluster.runId(), run);
  EXPECT_EQ(cluster.status().run->queue, "fast");
  EXPECT_EQ(cluster.reconcile().ticket->priority, 9);
}

TEST(Admission, SuspendKeepsAQueuedRunInItsPlace) {
  FakeCluster cluster;
  cluster.admission = waiting(3);
  cluster.settle();
  cluster.edit({{"suspend", true}});
  cluster.admission = {};
  cluster.settle();
  EXPECT_FALSE(cluster.reconcile().ticket) << "it asks for nothing";
  EXPECT_EQ(cluster.status().phase, "Suspended");
  EXPECT_EQ(cluster.ready().reason, "Suspended");
  EXPECT_EQ(cluster.condition("Admitted").reason, "Suspended");
  EXPECT_THAT(cluster.creates, IsEmpty());
  cluster.edit({{"suspend", false}});
  cluster.settle();
  EXPECT_TRUE(cluster.has("prepare"));
}

TEST(Admission, CancelEndsAQueuedRun) {
  FakeCluster cluster;
  cluster.admission = waiting(3);
  cluster.settle();
  cluster.annotate(api::kCancelAnnotation, cluster.runId());
  cluster.settle();
  EXPECT_EQ(cluster.condition("Finished").reason, "Cancelled");
  EXPECT_THAT(cluster.creates, IsEmpty());
}

TEST(Admission, ARestartedRunKeepsItsPlace) {
  FakeCluster cluster;
  cluster.toStages({{}});
  const auto admitted = cluster.status().run->admittedTime;
  ASSERT_TRUE(admitted);
  cluster.admission = waiting(1);
  cluster.pass(std::chrono::seconds(5));
  cluster.claims.clear();
  cluster.settle();
  EXPECT_EQ(cluster.status().run->trigger, "Restarted");
  EXPECT_EQ(cluster.status().run->admittedTime, admitted);
  EXPECT_TRUE(cluster.has("prepare"));
}

TEST(Admission, ARunBehindAnotherOnItsClaimTakesNoPlace) {
  FakeCluster cluster(with({{"workspace", {{"claimName", "shared"}}}}));
  ObservedClaim claim;
  claim.name = "shared";
  claim.allowsBuilds = true;
  claim.accessModes = {"ReadWriteOnce"};
  claim.phase = "Bound";
  cluster.claims["shared"] = claim;
  const Decision first = cluster.reconcile();
  EXPECT_FALSE(first.ticket) << "others must be able to see that it wants the claim";
  EXPECT_EQ(first.requeueAfter, Millis(100));
  EXPECT_EQ(cluster.status().run->claim, "shared");
  cluster.claimHolder = "ImageBuild \"other\"";
  const Decision second = cluster.reconcile();
  EXPECT_FALSE(second.ticket);
  EXPECT_EQ(cluster.ready().reason, "Queued");
  EXPECT_THAT(cluster.ready().message, HasSubstr("ImageBuild \"other\", which comes first"));
  cluster.claimHolder.clear();
  EXPECT_TRUE(cluster.reconcile().ticket);
  cluster.settle();
  EXPECT_TRUE(cluster.has("prepare"));
}

TEST(Admission, StatusOfAnOperatorWithoutAQueueIsUnderstood) {
  FakeCluster cluster;
  cluster.settle();
  Json status = cluster.statusJson();
  status["run"].erase("admittedTime");  // it wrote none before prepare had its node
  cluster.setStatus(status);
  cluster.admission = waiting(9);
  EXPECT_FALSE(cluster.reconcile().ticket) << "its pods exist: it is admitted";
  cluster.run("prepare");
  cluster.settle();
  cluster.say(cluster.pod("prepare"), cluster.planFrame({{}}));
  cluster.settle();
  status = cluster.statusJson();
  status["run"]["admittedTime"] = status["run"]["activeTime"];
  status["run"].erase("activeTime");
  cluster.setStatus(status);
  cluster.pass(std::chrono::hours(1));
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "BuildTimeout");
}

TEST(Admission, APodHeldByASchedulingGateWaitsInAQueueToo) {
  FakeCluster cluster;
  cluster.settle();
  cluster.pod("prepare").gated = true;
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "Queued");
  EXPECT_THAT(cluster.ready().message, HasSubstr("scheduling gates"));
  cluster.pass(std::chrono::hours(3));
  cluster.pod("prepare").gated = false;
  cluster.run("prepare");
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "Progressing");
  EXPECT_EQ(cluster.status().run->activeTime, cluster.now);
}

TEST(Admission, PublishGivesWayToAStageThatAGateHolds) {
  FakeCluster cluster;
  cluster.toStages({{}});
  cluster.pod("0").gated = true;
  cluster.settle();
  EXPECT_TRUE(cluster.has("publish"));
  cluster.pass(std::chrono::seconds(10));
  cluster.settle();
  EXPECT_FALSE(cluster.has("publish"));
}

TEST(Admission, AHeldRunSaysSo) {
  FakeCluster cluster;
  cluster.admission = {.granted = false, .position = 1, .held = true, .why = "BuildPolicy holds"};
  cluster.settle();
  EXPECT_EQ(cluster.condition("Admitted").reason, "Held");
  EXPECT_EQ(cluster.ready().reason, "Queued");
  EXPECT_EQ(cluster.ready().message, "BuildPolicy holds");
}

TEST(KueueLabel, IsOnPodsOnlyWhenTheOperatorPassesQueuesOn) {
  for (const bool kueue : {false, true}) {
    FakeCluster cluster(with({{"queue", "team-queue"}}));
    cluster.settings.pods.kueue = kueue;
    cluster.toStages({{}});
    for (const char* part : {"prepare", "0", "publish"}) {
      const Json labels = cluster.bodies.at(cluster.name(part))["metadata"]["labels"];
      EXPECT_EQ(labels.value("kueue.x-k8s.io/queue-name", ""), kueue ? "team-queue" : "") << part;
    }
  }
}

}  // namespace
}  // namespace stagewright::lifecycle
