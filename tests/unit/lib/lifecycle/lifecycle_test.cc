// A build from its first to its last day, by hand.
#include "lib/lifecycle/lifecycle.h"

#include <gmock/gmock.h>

#include "tests/unit/lib/lifecycle/fake_cluster.h"

namespace stagewright::lifecycle {
namespace {

using api::Truth;
using ::testing::ElementsAre;
using testing::FakeCluster;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<std::string> actionNames(const Decision& decision) {
  std::vector<std::string> out;
  for (const Action& action : decision.actions) {
    out.push_back(action.name);
  }
  return out;
}

TEST(PlanBuild, WritesIntentAndCreatesClaimAndPrepareFirst) {
  FakeCluster cluster;
  const Decision decision = planBuild(cluster.build(), cluster.world(), cluster.now);
  ASSERT_TRUE(decision.status.run);
  const std::string id = decision.status.run->id;
  EXPECT_THAT(id, SizeIs(10));
  EXPECT_EQ(decision.status.run->sequence, 1);
  EXPECT_EQ(decision.status.run->prepare.attempt, 1);
  EXPECT_THAT(actionNames(decision), ElementsAre("shop-" + id, "shop-" + id + "-prepare-1"));
  EXPECT_EQ(decision.status.observedGeneration, 1);
  EXPECT_EQ(decision.status.run->isolation, "UserNamespace");
  EXPECT_EQ(decision.status.output, "registry.example/shop:1");
}

TEST(PlanBuild, IsPure) {
  FakeCluster cluster;
  const World world = cluster.world();
  const Decision a = planBuild(cluster.build(), world, cluster.now);
  const Decision b = planBuild(cluster.build(), world, cluster.now);
  EXPECT_EQ(api::toJson(a.status), api::toJson(b.status));
  ASSERT_EQ(a.actions.size(), b.actions.size());
  EXPECT_EQ(a.actions.back().body, b.actions.back().body);
}

TEST(PlanBuild, LeavesADeletedBuildAlone) {
  FakeCluster cluster;
  cluster.settle();
  api::ImageBuild build = cluster.build();
  build.metadata.deletionTimestamp = cluster.now;
  const Decision decision = planBuild(build, cluster.world(), cluster.now);
  EXPECT_THAT(decision.actions, IsEmpty());
  EXPECT_EQ(api::toJson(decision.status), cluster.statusJson());
}

TEST(PlanBuild, ActsOnThePlanWhilePrepareStillRuns) {
  FakeCluster cluster;
  cluster.settle();
  cluster.run("prepare");
  EXPECT_THAT(cluster.reconcile().followLogs, ElementsAre(cluster.name("prepare")));
  cluster.say(cluster.pod("prepare"), cluster.planFrame({{}, {}, {0, 1}}));
  const Decision decision = cluster.reconcile();
  EXPECT_THAT(actionNames(decision),
              ElementsAre(cluster.name("0"), cluster.name("1"), cluster.name("publish")));
  EXPECT_EQ(cluster.status().run->node, "w1");
  EXPECT_EQ(cluster.status().progress, "0/3");
  EXPECT_EQ(cluster.status().phase, "Building");
  EXPECT_TRUE(cluster.condition("Planned").status == Truth::kTrue);
  EXPECT_FALSE(cluster.has("2")) << "its upstreams do not run yet";
}

TEST(PlanBuild, AStageThatACacheHasGetsNoPod) {
  FakeCluster cluster;
  cluster.settle();
  cluster.run("prepare");
  Json frame = cluster.planFrame({{}, {}, {1}});
  for (const int stage : {0, 2}) {
    frame["plan"]["stages"][static_cast<std::size_t>(stage)]["cachedSteps"] = 1;
  }
  frame["plan"]["stages"][0]["skipped"] = true;
  cluster.say(cluster.pod("prepare"), frame);
  const Decision decision = cluster.reconcile();
  EXPECT_THAT(actionNames(decision), ElementsAre(cluster.name("1"), cluster.name("publish")));
  EXPECT_EQ(cluster.status().progress, "1/3");
  EXPECT_EQ(cluster.status().stages[0].state, api::AttemptState::kSucceeded);
  EXPECT_EQ(cluster.status().stages[0].cachedSteps, 1);
  EXPECT_EQ(cluster.status().stages[2].cachedSteps, 1);
}

TEST(PlanBuild, AnImageThatIsAllCachedNeedsOnlyPublish) {
  FakeCluster cluster;
  cluster.settle();
  cluster.run("prepare");
  Json frame = cluster.planFrame({{}, {}});
  for (Json& stage : frame["plan"]["stages"]) {
    stage["skipped"] = true;
  }
  cluster.say(cluster.pod("prepare"), frame);
  EXPECT_THAT(actionNames(cluster.reconcile()), ElementsAre(cluster.name("publish")));
  EXPECT_TRUE(cluster.condition("StagesSucceeded").status == Truth::kTrue);
}

TEST(PlanBuild, RebuildWithoutTheCacheReadsNoneOnce) {
  FakeCluster cluster;
  cluster.toSuccess({{}});
  EXPECT_FALSE(cluster.status().run->noCache);
  cluster.annotate(api::kRebuildNoCacheAnnotation, "1");
  cluster.settle();
  EXPECT_EQ(cluster.status().run->sequence, 2);
  EXPECT_EQ(cluster.status().run->trigger, "RebuildRequested");
  EXPECT_TRUE(cluster.status().run->noCache);
  cluster.removeAnnotation(api::kRebuildNoCacheAnnotation);
  cluster.settle();
  EXPECT_EQ(cluster.status().run->sequence, 2);
  cluster.annotate(api::kRebuildAnnotation, "1");
  cluster.settle();
  EXPECT_EQ(cluster.status().run->sequence, 3);
  EXPECT_FALSE(cluster.status().run->noCache);
}

TEST(ObservePod, LooksAtTheContainerOfItsRole) {
  Json pod = {{"metadata",
               {{"name", "p"},
                {"labels",
                 {{std::string(api::kRunLabel), "r"},
                  {std::string(api::kRoleLabel), "stage"},
                  {std::string(api::kStageLabel), "0"},
                  {std::string(api::kAttemptLabel), "1"}}}}},
              {"status", {{"phase", "Running"}}}};
  // The kubelet sorts them by name.
  const Json ended = {{"name", "secrets"}, {"state", {{"terminated", {{"exitCode", 0}}}}}};
  const Json running = {{"name", "stage"}, {"state", {{"running", Json::object()}}}};
  pod["status"]["containerStatuses"] = {ended, running};
  Result<ObservedPod> observed = observePod(pod);
  ASSERT_TRUE(observed) << observed.error().message;
  EXPECT_TRUE(observed->isRunning());
  EXPECT_EQ(observed->container.name, "stage");
  // One that cannot start is what the pod is stuck in.
  const Json stuck = {{"name", "secrets"},
                      {"state", {{"waiting", {{"reason", "ImagePullBackOff"}}}}}};
  pod["status"]["containerStatuses"] = {stuck, running};
  observed = observePod(pod);
  ASSERT_TRUE(observed);
  EXPECT_EQ(observed->container.name, "secrets");
  EXPECT_EQ(observed->container.reason, "ImagePullBackOff");
}

TEST(PlanBuild, StartsDependentsEagerlyAndPinsThem) {
  FakeCluster cluster;
  cluster.toStages({{}, {}, {0, 1}});
  cluster.run("0");
  cluster.settle();
  EXPECT_FALSE(cluster.has("2"));
  cluster.run("1");
  cluster.settle();
  ASSERT_TRUE(cluster.has("2"));
  EXPECT_EQ(cluster.status().stages[2].upstream, (std::map<int, int>{{0, 1}, {1, 1}}));
}

TEST(PlanBuild, WaitsForSuccessOnReadWriteMany) {
  Json spec = testing::smallSpec();
  spec["workspace"]["accessMode"] = "ReadWriteMany";
  FakeCluster cluster(spec);
  cluster.toStages({{}, {0}});
  EXPECT_EQ(cluster.status().run->start, "WhenReady");
  EXPECT_EQ(cluster.status().run->node, "");
  EXPECT_EQ(cluster.status().run->isolation, "Baseline");
  cluster.run("0");
  cluster.settle();
  EXPECT_FALSE(cluster.has("1"));
  cluster.exit("0", 0);
  cluster.settle();
  EXPECT_TRUE(cluster.has("1"));
}

int stagePods(const FakeCluster& cluster) {
  return static_cast<int>(
      std::count_if(cluster.pods.begin(), cluster.pods.end(), [](const auto& entry) {
        return entry.second.role == "stage" && !entry.second.isTerminal();
      }));
}

TEST(MaxParallelStages, BoundsThePodsAndEndsAllTheSame) {
  for (const int limit : {1, 2}) {
    Json spec = testing::smallSpec();
    spec["execution"]["maxParallelStages"] = limit;
    FakeCluster cluster(spec);
    cluster.toStages({{}, {0}, {}, {1, 2}});
    cluster.run("publish");
    for (int done = 0; done < 4; ++done) {
      EXPECT_LE(stagePods(cluster), limit);
      for (auto& [name, pod] : cluster.pods) {
        if (pod.role == "stage" && !pod.isTerminal()) {
          cluster.run(pod);
        }
      }
      cluster.settle();
      EXPECT_LE(stagePods(cluster), limit);
      const auto next = std::find_if(cluster.pods.begin(), cluster.pods.end(), [](auto& entry) {
        return entry.second.role == "stage" && !entry.second.isTerminal();
      });
      ASSERT_NE(next, cluster.pods.end());
      cluster.exit(next->second, 0);
      cluster.settle();
    }
    cluster.say(cluster.pod("publish"), cluster.imageFrame());
    cluster.settle();
    EXPECT_EQ(cluster.ready().status, Truth::kTrue);
  }
}

/// An hour may pass before it is this log's turn; only then does the patience with it begin.
TEST(AwaitedLog, IsGivenUpWhenItCouldBeReadAndWasNot) {
  for (const std::string part : {"prepare", "publish"}) {
    FakeCluster cluster;
    cluster.settle();
    if (part == "publish") {
      cluster.toStages({{}});
      cluster.run("0");
      cluster.exit("0", 0);
    }
    cluster.run(part);
    cluster.settle();
    cluster.exit(part, 0);
    LogFacts& facts = cluster.logs[cluster.name(part)];
    facts.complete = false;
    cluster.settle();
    cluster.pass(std::chrono::minutes(20));
    EXPECT_THAT(cluster.reconcile().followLogs, ElementsAre(cluster.name(part)));
    EXPECT_EQ(cluster.countEvents("StageRetried"), 0);

    facts.askedAtEnd = cluster.now;
    cluster.pass(std::chrono::seconds(29));
    EXPECT_EQ(cluster.reconcile().requeueAfter, Millis(1000));
    EXPECT_EQ(cluster.countEvents("StageRetried"), 0);
    cluster.pass(std::chrono::seconds(1));
    cluster.reconcile();
    EXPECT_EQ(cluster.countEvents("StageRetried"), 1) << part;
    EXPECT_EQ(cluster.ready().reason, "InternalError");
    EXPECT_EQ(cluster.status().run->infrastructureRetries, 1);
  }
}

TEST(PlanBuild, SucceedsOnTheImageFrameWithoutWaitingForTheExit) {
  FakeCluster cluster;
  cluster.toStages({{}});
  cluster.run("publish");
  cluster.run("0");
  cluster.settle();
  // The kubelet has not told of the stage's end yet; publish has verified its sealed success.
  cluster.say(cluster.pod("publish"), cluster.imageFrame());
  cluster.settle();
  const api::ImageBuildStatus status = cluster.status();
  EXPECT_EQ(cluster.ready().status, Truth::kTrue);
  EXPECT_EQ(cluster.condition("Finished").reason, "Succeeded");
  EXPECT_EQ(status.phase, "Succeeded");
  EXPECT_EQ(status.progress, "1/1");
  EXPECT_EQ(status.image->digest, testing::kDigest);
  EXPECT_EQ(status.lastSuccessful->runID, status.run->id);
  EXPECT_EQ(status.lastSuccessful->sourceRevision, "0123456789abcdef0123456789abcdef01234567");
  EXPECT_THAT(cluster.pods, IsEmpty()) << "OnFailure keeps nothing of a success";
  EXPECT_THAT(cluster.claims, IsEmpty());
}

TEST(PlanBuild, StaysWithinItsWritesAndWritesNothingAfterReady) {
  FakeCluster cluster;
  cluster.toSuccess({{}, {0}, {0}, {1, 2}});
  EXPECT_EQ(cluster.ready().status, Truth::kTrue);
  EXPECT_LE(cluster.statusWrites, 4 + 3 * 4) << "creates are not counted here";
  const int writes = cluster.statusWrites;
  for (int i = 0; i < 5; ++i) {
    cluster.pass(std::chrono::hours(1));
    const Decision decision = cluster.reconcile();
    EXPECT_THAT(decision.actions, IsEmpty());
    EXPECT_FALSE(decision.requeueAfter);
  }
  EXPECT_EQ(cluster.statusWrites, writes);
}

TEST(PlanBuild, TellsItsStoryInEvents) {
  FakeCluster cluster;
  cluster.toSuccess({{}, {0}});
  std::vector<std::string> reasons;
  for (const EventNote& event : cluster.events) {
    reasons.push_back(event.reason);
    EXPECT_FALSE(event.warning) << event.note;
  }
  EXPECT_THAT(reasons, ElementsAre("RunStarted", "StageStarted", "StageSucceeded", "StageStarted",
                                   "StageSucceeded", "Pushed", "Succeeded"));
}

TEST(PlanBuild, DoesNothingWhenAppliedAgainAndStartsAnewWhenEdited) {
  FakeCluster cluster;
  cluster.toSuccess({{}});
  const std::string first = cluster.runId();
  cluster.edit({{"retention", {{"pods", "Always"}}}});
  cluster.settle();
  EXPECT_EQ(cluster.runId(), first) << "no input";
  EXPECT_EQ(cluster.status().observedGeneration, 2);
  EXPECT_EQ(cluster.ready().status, Truth::kTrue);
  cluster.edit({{"target", "other"}});
  cluster.settle();
  EXPECT_NE(cluster.runId(), first);
  EXPECT_EQ(cluster.status().run->trigger, "SpecChanged");
  EXPECT_EQ(cluster.status().run->sequence, 2);
  EXPECT_EQ(cluster.ready().status, Truth::kUnknown);
  EXPECT_TRUE(cluster.status().lastSuccessful) << "never cleared";
  EXPECT_FALSE(cluster.status().image);
}

TEST(PlanBuild, EditBackAndForthNeverMeetsOldNames) {
  FakeCluster cluster;
  cluster.settle();
  const std::string a = cluster.runId();
  cluster.edit({{"target", "b"}});
  cluster.settle();
  cluster.edit({{"target", nullptr}});
  cluster.settle();
  EXPECT_NE(cluster.runId(), a);
  EXPECT_EQ(cluster.status().run->sequence, 3);
}

TEST(PlanBuild, EditInFlightCancelsAndRebuilds) {
  FakeCluster cluster;
  cluster.toStages({{}, {}});
  cluster.run("0");
  cluster.settle();
  const std::string old = cluster.runId();
  cluster.edit({{"target", "other"}});
  cluster.settle();
  EXPECT_NE(cluster.runId(), old);
  EXPECT_THAT(cluster.pods, SizeIs(1)) << "only the new prepare pod";
  EXPECT_TRUE(cluster.has("prepare"));
  EXPECT_THAT(cluster.claims, SizeIs(1));
}

Json finishFirst() {
  Json spec = testing::smallSpec();
  spec["onInputChange"] = "FinishFirst";
  return spec;
}

TEST(OnInputChange, FinishFirstEndsTheRunAsItWasBegunAndThenBeginsTheNext) {
  FakeCluster cluster(finishFirst());
  cluster.settle();
  const std::string old = cluster.runId();
  cluster.edit({{"output", {{"image", "registry.example/other:2"}}}});
  cluster.settle();
  EXPECT_EQ(cluster.runId(), old);
  EXPECT_EQ(cluster.ready().status, Truth::kUnknown);
  EXPECT_THAT(cluster.ready().message, HasSubstr("the next run waits for its end"));
  EXPECT_EQ(cluster.status().observedGeneration, 2);
  cluster.run("prepare");
  cluster.say(cluster.pod("prepare"), cluster.planFrame({{}}));
  cluster.settle();
  const std::string body = cluster.bodies.at(cluster.name("publish")).dump();
  EXPECT_THAT(body, HasSubstr("registry.example/shop"));
  EXPECT_THAT(body, ::testing::Not(HasSubstr("registry.example/other")));
  cluster.finishSmall();
  EXPECT_NE(cluster.runId(), old) << "in the same step";
  EXPECT_EQ(cluster.ready().status, Truth::kUnknown);
  EXPECT_EQ(cluster.status().run->trigger, "SpecChanged");
  EXPECT_EQ(cluster.status().lastSuccessful->runID, old);
  ASSERT_THAT(cluster.status().history, SizeIs(1));
  EXPECT_EQ(cluster.status().history[0].result, "Succeeded");
  EXPECT_EQ(cluster.status().output, "registry.example/other:2");
}

TEST(OnInputChange, FinishFirstHoldsARebuildToo) {
  FakeCluster cluster(finishFirst());
  cluster.toStages({{}});
  const std::string old = cluster.runId();
  cluster.annotate(api::kRebuildAnnotation, "1");
  cluster.settle();
  EXPECT_EQ(cluster.runId(), old);
  cluster.finishSmall();
  EXPECT_EQ(cluster.status().run->trigger, "RebuildRequested");
  EXPECT_EQ(cluster.status().run->sequence, 2);
}

TEST(OnInputChange, FinishFirstAndSuspendEndsTheRunAndHoldsTheNext) {
  FakeCluster cluster(finishFirst());
  cluster.toStages({{}});
  const std::string old = cluster.runId();
  cluster.edit({{"target", "other"}, {"suspend", true}});
  cluster.finishSmall();
  EXPECT_EQ(cluster.runId(), old);
  EXPECT_EQ(cluster.status().phase, "Suspended");
  EXPECT_EQ(cluster.status().lastSuccessful->runID, old);
  EXPECT_TRUE(cluster.status().run->spec.empty()) << "is not needed any more";
}

TEST(OnInputChange, SetTogetherWithTheEditItCancels) {
  FakeCluster cluster;
  cluster.toStages({{}});
  const std::string old = cluster.runId();
  cluster.edit({{"target", "other"}, {"onInputChange", "FinishFirst"}});
  cluster.settle();
  EXPECT_NE(cluster.runId(), old) << "the spec that it was begun with is gone";
  ASSERT_THAT(cluster.status().history, SizeIs(1));
  EXPECT_EQ(cluster.status().history[0].result, "Cancelled");
  cluster.edit({{"target", "third"}, {"onInputChange", "CancelAndRebuild"}});
  cluster.settle();
  EXPECT_EQ(cluster.status().run->sequence, 3) << "taking it back counts at once";
}

TEST(OnInputChange, ASpecThatAStrangerWroteIntoStatusIsNotUsed) {
  FakeCluster cluster(finishFirst());
  cluster.toStages({{}});
  const std::string old = cluster.runId();
  Json status = cluster.statusJson();
  status["run"]["spec"] =
      R"({"dockerfileInline": "FROM x", "output": {"image": "evil.example/x"}})";
  cluster.setStatus(status);
  cluster.edit({{"target", "other"}});
  cluster.settle();
  EXPECT_NE(cluster.runId(), old);
}

TEST(History, IsBoundedAndTheNewestComesFirst) {
  Json spec = testing::smallSpec();
  spec["retention"]["history"] = 2;
  FakeCluster cluster(spec);
  std::vector<std::string> runs;
  for (int i = 0; i < 4; ++i) {
    cluster.annotate(api::kRebuildAnnotation, std::to_string(i));
    cluster.toStages({{}});
    runs.insert(runs.begin(), cluster.runId());
    if (i == 2) {
      cluster.failWith("0", 10, "StageFailed", "no");
      cluster.settle();
    } else {
      cluster.finishSmall();
    }
  }
  const std::vector<api::PastRun> history = cluster.status().history;
  ASSERT_THAT(history, SizeIs(2));
  EXPECT_EQ(history[0].runID, runs[0]);
  EXPECT_EQ(history[0].result, "Succeeded");
  EXPECT_EQ(history[0].digest, testing::kDigest);
  EXPECT_EQ(history[0].trigger, "RebuildRequested");
  EXPECT_EQ(history[1].runID, runs[1]);
  EXPECT_EQ(history[1].reason, "StageFailed");
  EXPECT_TRUE(history[1].startTime && history[1].completionTime);
  cluster.edit({{"retention", {{"history", 0}}}});
  cluster.settle();
  EXPECT_THAT(cluster.status().history, IsEmpty());
  EXPECT_EQ(cluster.runId(), runs[0]) << "no input";
}

TEST(Upgrade, OfTheOperatorOrOfADefaultStartsNoRun) {
  for (const bool good : {true, false}) {
    FakeCluster cluster;
    if (good) {
      cluster.toSuccess({{}});
    } else {
      cluster.toStages({{}});
      cluster.failWith("0", 10, "StageFailed", "no");
      cluster.settle();
    }
    const Json before = cluster.statusJson();
    cluster.settings.pods.builderImage = "registry.example/builder:newer";
    cluster.settings.pods.emptyImage = "registry.example/empty:newer";
    cluster.settings.pods.pullPolicy = "Always";
    cluster.settings.pods.workspaceSize = "99Gi";
    cluster.settings.pods.storageClassName = "other";
    cluster.settings.pods.stageResources.limits["memory"] = "1Gi";
    cluster.settings.timeout = std::chrono::minutes(1);
    cluster.settings.infrastructureRetries = 0;
    cluster.addNode("w2", false);
    const Decision decision = cluster.reconcile();
    EXPECT_EQ(cluster.statusJson(), before);
    EXPECT_THAT(decision.actions, IsEmpty());
    EXPECT_THAT(decision.events, IsEmpty());
  }
}

TEST(PlanBuild, NewPublishWaitsForThatOfTheOldRun) {
  FakeCluster cluster;
  cluster.keepTerminating = true;
  cluster.toStages({{}});
  cluster.run("publish");
  cluster.settle();
  const std::string rival = cluster.name("publish");
  cluster.edit({{"target", "other"}});
  cluster.toStages({{}});
  EXPECT_TRUE(cluster.has("0"));
  EXPECT_FALSE(cluster.has("publish")) << "the old one could move the tags after it";
  cluster.pods.erase(rival);
  cluster.settle();
  EXPECT_TRUE(cluster.has("publish"));
}

TEST(PlanBuild, RebuildsOncePerToken) {
  FakeCluster cluster;
  cluster.toSuccess({{}});
  cluster.annotate(api::kRebuildAnnotation, "7");
  cluster.settle();
  EXPECT_EQ(cluster.status().run->sequence, 2);
  EXPECT_EQ(cluster.status().run->trigger, "RebuildRequested");
  EXPECT_EQ(cluster.status().lastHandledRebuild, "7");
  cluster.removeAnnotation(api::kRebuildAnnotation);
  cluster.settle();
  EXPECT_EQ(cluster.status().run->sequence, 2) << "removing the annotation does nothing";
}

TEST(PlanBuild, RemedyRestartsOnlyAFailedRun) {
  FakeCluster cluster;
  cluster.toSuccess({{}});
  cluster.edit({{"timeout", "30m"}});
  cluster.settle();
  EXPECT_EQ(cluster.status().run->sequence, 1);

  FakeCluster failed;
  failed.toStages({{}});
  failed.failWith("0", 10, "StageFailed", "RUN false exited with 1");
  failed.settle();
  EXPECT_EQ(failed.ready().reason, "StageFailed");
  failed.edit({{"execution", {{"resources", {{"limits", {{"memory", "4Gi"}}}}}}}});
  failed.settle();
  EXPECT_EQ(failed.status().run->sequence, 2);
  EXPECT_EQ(failed.status().run->trigger, "RemedyChanged");
}

TEST(PlanBuild, RemedyEditedInFlightCountsWhenTheRunFails) {
  FakeCluster cluster;
  cluster.toStages({{}});
  cluster.edit({{"execution", {{"resources", {{"limits", {{"memory", "4Gi"}}}}}}}});
  cluster.settle();
  EXPECT_EQ(cluster.status().run->sequence, 1);
  cluster.failWith("0", 12, "StageOOMKilled", "killed");
  cluster.settle();
  EXPECT_EQ(cluster.status().run->sequence, 2) << "nobody would wake us for it later";
  EXPECT_EQ(cluster.status().run->trigger, "RemedyChanged");
}

TEST(PlanBuild, CancelStopsTheNamedRunOnly) {
  FakeCluster cluster;
  cluster.toStages({{}, {}});
  cluster.run("0");
  cluster.annotate(api::kCancelAnnotation, "another-run");
  cluster.settle();
  EXPECT_EQ(cluster.ready().status, Truth::kUnknown);
  cluster.annotate(api::kCancelAnnotation, cluster.runId());
  cluster.settle();
  EXPECT_EQ(cluster.ready().status, Truth::kFalse);
  EXPECT_EQ(cluster.ready().reason, "Cancelled");
  EXPECT_EQ(cluster.condition("Finished").reason, "Cancelled");
  EXPECT_EQ(cluster.status().phase, "Cancelled");
  EXPECT_THAT(cluster.pods, IsEmpty());
  EXPECT_THAT(cluster.claims, IsEmpty());
  EXPECT_EQ(cluster.countEvents("Cancelled"), 1);
  cluster.edit({{"timeout", "2h"}});
  cluster.settle();
  EXPECT_EQ(cluster.status().run->sequence, 1) << "a remedy does not wake a cancelled run";
}

TEST(PlanBuild, SuspendHoldsNewRunsAndLetsTheCurrentOneEnd) {
  Json spec = testing::smallSpec();
  spec["suspend"] = true;
  FakeCluster held(spec);
  held.settle();
  EXPECT_THAT(held.pods, IsEmpty());
  EXPECT_EQ(held.ready().reason, "Suspended");
  EXPECT_EQ(held.status().phase, "Suspended");
  held.edit({{"suspend", false}});
  held.settle();
  EXPECT_TRUE(held.has("prepare"));

  held.edit({{"suspend", true}});
  held.toStages({{}});
  EXPECT_TRUE(held.has("0")) << "what runs may end";
}

TEST(PlanBuild, SuspendedIdleBuildKeepsItsReady) {
  FakeCluster cluster;
  cluster.toSuccess({{}});
  cluster.edit({{"suspend", true}});
  cluster.settle();
  EXPECT_EQ(cluster.ready().status, Truth::kTrue);
  cluster.edit({{"target", "other"}});
  cluster.settle();
  EXPECT_EQ(cluster.ready().status, Truth::kUnknown) << "no image of these inputs exists";
  EXPECT_EQ(cluster.ready().reason, "Suspended");
  cluster.edit({{"target", nullptr}});
  cluster.settle();
  EXPECT_EQ(cluster.ready().status, Truth::kTrue) << "and of those it does";
}

TEST(PlanBuild, SuspendAndEditInFlightCancelsWithoutRebuilding) {
  FakeCluster cluster;
  cluster.toStages({{}});
  cluster.edit({{"suspend", true}, {"target", "other"}});
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "Suspended");
  EXPECT_EQ(cluster.status().run->result, "Cancelled");
  EXPECT_THAT(cluster.pods, IsEmpty());
}

TEST(PlanBuild, StopsOtherStagesWhenOneFails) {
  FakeCluster cluster;
  cluster.toStages({{}, {}});
  cluster.run("0");
  cluster.run("1");
  cluster.run("publish");
  cluster.settle();
  cluster.failWith("0", 10, "StageFailed", "no");
  cluster.settle();
  EXPECT_THAT(cluster.pods, SizeIs(2)) << "prepare and the failed stage are kept";
  EXPECT_EQ(cluster.status().stages[1].state, api::AttemptState::kCancelled);
}

TEST(PlanBuild, UnreadableSpecFailsWithItsPathAndRecovers) {
  FakeCluster cluster;
  cluster.toSuccess({{}});
  cluster.edit({{"outputt", "x"}});
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "InvalidSpec");
  EXPECT_THAT(cluster.ready().message, HasSubstr("spec: unknown field \"outputt\""));
  cluster.edit({{"outputt", nullptr}});
  cluster.settle();
  EXPECT_EQ(cluster.status().run->sequence, 2);
  EXPECT_EQ(cluster.ready().status, Truth::kUnknown);
}

TEST(PlanBuild, UsesAnExistingClaimThatAllowsIt) {
  Json spec = testing::smallSpec();
  spec["workspace"]["claimName"] = "shared";
  FakeCluster cluster(spec);
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "WorkspaceProvisioning");
  ObservedClaim claim;
  claim.name = "shared";
  claim.accessModes = {"ReadWriteMany"};
  cluster.claims["shared"] = claim;
  cluster.claims["shared"].allowsBuilds = true;
  cluster.settle();
  EXPECT_TRUE(cluster.has("prepare"));
  EXPECT_EQ(cluster.status().run->claim, "shared");
  EXPECT_EQ(cluster.status().run->accessMode, "ReadWriteMany");
  cluster.annotate(api::kCancelAnnotation, cluster.runId());
  cluster.settle();
  EXPECT_THAT(cluster.claims, SizeIs(1)) << "it is not ours to delete";
}

TEST(PlanBuild, RunsOnAReadWriteOnceClaimGoOneAfterTheOther) {
  Json spec = testing::smallSpec();
  spec["workspace"]["claimName"] = "shared";
  FakeCluster cluster(spec);
  ObservedClaim claim;
  claim.name = "shared";
  claim.accessModes = {"ReadWriteOnce"};
  claim.allowsBuilds = true;
  cluster.claims["shared"] = claim;
  cluster.claimHolder = "ImageBuild \"other\"";
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "Queued");
  EXPECT_EQ(cluster.status().phase, "Queued");
  EXPECT_THAT(cluster.pods, IsEmpty());
  EXPECT_EQ(cluster.countEvents("Queued"), 1);
  cluster.claimHolder.clear();
  cluster.settle();
  EXPECT_TRUE(cluster.has("prepare"));
}

TEST(ClaimHolder, OrdersRunsByStartAndUid) {
  const auto make = [](const std::string& name, int start, bool finished) {
    Json spec = testing::smallSpec();
    spec["workspace"]["claimName"] = "shared";
    FakeCluster cluster(spec);
    api::ImageBuild out = cluster.build();
    out.metadata.name = name;
    out.metadata.uid = "uid-" + name;
    out.status.run.emplace();
    out.status.run->claim = "shared";
    out.status.run->startTime = TimePoint(std::chrono::seconds(start));
    out.status.run->result = finished ? "Failed" : "";
    return out;
  };
  const api::ImageBuild mine = make("m", 10, false);
  const api::ImageBuild early = make("e", 5, false);
  const api::ImageBuild same = make("a", 10, false);
  const api::ImageBuild late = make("l", 11, false);
  const api::ImageBuild done = make("d", 1, true);
  EXPECT_EQ(claimHolder(mine, {late, done, mine}), "");
  EXPECT_EQ(claimHolder(mine, {late, early, same}), "ImageBuild \"e\"");
  EXPECT_EQ(claimHolder(mine, {same}), "ImageBuild \"a\"");
}

TEST(PlanBuild, ChoosesIsolationOnceAndSaysWhy) {
  FakeCluster mixed;
  mixed.addNode("w2", false);
  mixed.settle();
  EXPECT_EQ(mixed.status().run->isolation, "Baseline");
  EXPECT_THAT(mixed.events.back().note, HasSubstr("node w2 offers no user namespaces"));
  mixed.cluster.nodes.pop_back();
  mixed.settle();
  EXPECT_EQ(mixed.status().run->isolation, "Baseline");

  Json spec = testing::smallSpec();
  spec["execution"]["isolation"] = "UserNamespace";
  FakeCluster demanding(spec);
  demanding.cluster.nodes[0].userNamespaces = false;
  demanding.settle();
  EXPECT_EQ(demanding.ready().reason, "Unschedulable");
  EXPECT_THAT(demanding.pods, IsEmpty());
  demanding.cluster.nodes[0].userNamespaces = true;
  demanding.settle();
  EXPECT_TRUE(demanding.has("prepare"));

  spec["execution"]["isolation"] = "Baseline";
  FakeCluster plain(spec);
  plain.settle();
  EXPECT_EQ(plain.status().run->isolation, "Baseline");
}

TEST(PlanBuild, GivesStagesTheKeysOfExactlyWhatTheyRead) {
  FakeCluster cluster;
  cluster.toStages({{}, {}, {0}});
  cluster.run("0");
  cluster.run("1");
  cluster.settle();
  const std::string runKey = cluster.pod("prepare").runKey;
  const Json env = cluster.bodies[cluster.name("2")]["spec"]["containers"][0]["env"];
  const auto value = [&](std::string_view name) {
    for (const Json& entry : env) {
      if (entry["name"] == name) {
        return entry["value"].get<std::string>();
      }
    }
    return std::string();
  };
  EXPECT_EQ(value(plan::kEnvKey), toHex(attemptKey(runKey, "2", 1)));
  EXPECT_EQ(Json::parse(value(plan::kEnvUpstream)),
            (Json{{"0", {{"attempt", 1}, {"key", toHex(attemptKey(runKey, "0", 1))}}}}));
  EXPECT_EQ(cluster.pod("publish").runKey, runKey);
}

TEST(IsSameChild, ComparesOwnerAndLabels) {
  FakeCluster cluster;
  cluster.settle();
  const Json pod = cluster.bodies[cluster.name("prepare")];
  EXPECT_TRUE(isSameChild(pod, pod));
  Json stranger = pod;
  stranger["metadata"].erase("ownerReferences");
  EXPECT_FALSE(isSameChild(stranger, pod));
  Json other = pod;
  other["metadata"]["labels"][std::string(api::kAttemptLabel)] = "2";
  EXPECT_FALSE(isSameChild(other, pod));
  EXPECT_FALSE(isSameChild(Json(3), pod));
}

}  // namespace
}  // namespace stagewright::lifecycle
