// Builds under policies: what they get, what is refused, and what happens when a policy changes.
#include <gmock/gmock.h>

#include "tests/unit/lib/lifecycle/fake_cluster.h"

namespace stagewright::lifecycle {
namespace {

using api::Truth;
using testing::FakeCluster;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

policy::Policies policies(const Json& spec, const std::string& name = "team") {
  Result<policy::BuildPolicy> policy =
      policy::parsePolicy({{"metadata", {{"name", name}}}, {"spec", spec}});
  EXPECT_TRUE(policy && !policy->error);
  return policy::selectPolicies({*policy}, {});
}

Json withPolicy(const Json& patch) {
  Json spec = testing::smallSpec();
  spec.merge_patch(patch);
  return spec;
}

const Json kNoOutputs = {{"allowed", {{"outputs", {"elsewhere.example"}}}}};

TEST(Policy, DefaultsReachThePodsAndChangeNoHash) {
  FakeCluster plain;
  plain.settle();
  FakeCluster cluster;
  cluster.policies = policies(Json::parse(R"({"defaults": {
      "output": {"secretRef": {"name": "team-push"}}, "imagePullSecrets": [{"name": "mirror"}],
      "workspace": {"storageClassName": "fast", "size": "7Gi"}, "timeout": "10m", "queue": "team",
      "execution": {"nodeSelector": {"pool": "builds"}, "priorityClassName": "builds",
                    "resources": {"requests": {"memory": "3Gi"}}}}})"));
  cluster.toStages({{}});
  EXPECT_EQ(cluster.status().inputHash, plain.status().inputHash);
  EXPECT_EQ(cluster.runId(), plain.runId());
  EXPECT_EQ(cluster.status().remediesHash, plain.status().remediesHash);
  EXPECT_EQ(cluster.status().run->queue, "team");
  const Json prepare = cluster.bodies.at(cluster.name("prepare"))["spec"];
  EXPECT_EQ(prepare["nodeSelector"]["pool"], "builds");
  EXPECT_EQ(prepare["priorityClassName"], "builds");
  EXPECT_EQ(prepare["imagePullSecrets"], Json::parse(R"([{"name": "mirror"}])"));
  EXPECT_EQ(prepare["activeDeadlineSeconds"], 600 + 60);
  const Json stage = cluster.bodies.at(cluster.name("0"))["spec"];
  EXPECT_EQ(stage["containers"][0]["resources"]["requests"]["memory"], "3Gi");
  EXPECT_THAT(cluster.bodies.at(cluster.name("publish")).dump(), HasSubstr("\"team-push\""));
}

TEST(Policy, ADefaultCacheReachesPrepareAndPublish) {
  FakeCluster cluster;
  cluster.policies = policies(
      {{"defaults",
        {{"cache",
          {{"mode", "Registry"}, {"repository", "registry.example/cache/$(namespace)/$(name)"}}}}}});
  cluster.toStages({{}});
  const api::Metadata metadata = cluster.build().metadata;
  const std::string repository = "registry.example/cache/" + metadata.namespace_ + "/" + metadata.name;
  EXPECT_THAT(cluster.bodies.at(cluster.name("prepare")).dump(), HasSubstr(repository));
  EXPECT_THAT(cluster.bodies.at(cluster.name("publish")).dump(), HasSubstr(repository));
}

TEST(Policy, FinishFirstMayBeADefault) {
  FakeCluster cluster;
  cluster.policies = policies({{"defaults", {{"onInputChange", "FinishFirst"}}}});
  cluster.toStages({{}});
  const std::string old = cluster.runId();
  cluster.edit({{"target", "other"}});
  cluster.settle();
  EXPECT_EQ(cluster.runId(), old);
  EXPECT_THAT(cluster.ready().message, HasSubstr("the next run waits for its end"));
  cluster.edit({{"target", "third"}, {"onInputChange", "CancelAndRebuild"}});
  cluster.settle();
  EXPECT_NE(cluster.runId(), old) << "the build's own word counts";
}

TEST(Policy, ADefaultTtlDeletesWhatGitOpsDoesNotTrack) {
  for (const bool tracked : {false, true}) {
    FakeCluster cluster;
    cluster.policies = policies({{"defaults", {{"retention", {{"ttlAfterFinished", "1h"}}}}}});
    if (tracked) {
      cluster.label("kustomize.toolkit.fluxcd.io/name", "apps");
    }
    cluster.toSuccess({{}});
    cluster.settle();
    cluster.pass(std::chrono::hours(1));
    cluster.reconcile();
    EXPECT_EQ(cluster.deleted, !tracked);
    EXPECT_EQ(cluster.countEvents("TTLIgnored"), 0) << "its user asked for nothing";
  }
}

TEST(Policy, AChangedDefaultStartsNothing) {
  FakeCluster cluster;
  cluster.toSuccess({{}});
  const std::string run = cluster.runId();
  cluster.policies = policies({{"defaults", {{"timeout", "5m"}, {"queue", "q"}}}});
  cluster.settle();
  cluster.policies = policies(kNoOutputs);  // and a rule that would refuse it undoes nothing
  cluster.settle();
  EXPECT_EQ(cluster.runId(), run);
  EXPECT_EQ(cluster.ready().status, Truth::kTrue);
}

TEST(Policy, ARefusedBuildFailsWithoutAPodAndStartsWhenThePolicyAllowsIt) {
  FakeCluster cluster;
  cluster.policies = policies(kNoOutputs);
  cluster.settle();
  EXPECT_THAT(cluster.creates, IsEmpty());
  EXPECT_EQ(cluster.ready().status, Truth::kFalse);
  EXPECT_EQ(cluster.ready().reason, "PolicyViolation");
  EXPECT_EQ(cluster.ready().message,
            "policy \"team\", allowed.outputs: the image would go to \"registry.example/shop\"; "
            "allowed: elsewhere.example");
  const api::FailureStatus failure = *cluster.status().failure;
  EXPECT_EQ(failure.class_, "Policy");
  EXPECT_EQ(failure.policy, "team");
  EXPECT_EQ(failure.rule, "allowed.outputs");
  const int writes = cluster.statusWrites;
  cluster.policies = policies({{"allowed", {{"outputs", {"another.example"}}}}});
  cluster.settle();
  EXPECT_EQ(cluster.statusWrites, writes) << "it is still refused: nothing to say";
  const Decision decision = cluster.reconcile();
  EXPECT_FALSE(decision.ticket);
  EXPECT_FALSE(decision.requeueAfter);
  cluster.policies = nullptr;
  cluster.settle();
  EXPECT_EQ(cluster.status().run->trigger, "PolicyChanged");
  EXPECT_EQ(cluster.status().run->sequence, 2);
  EXPECT_FALSE(cluster.status().failure);
  EXPECT_TRUE(cluster.has("prepare"));
}

TEST(Policy, ASpecThatNowFitsStartsTooAndOneThatDoesNotFailsAgain) {
  FakeCluster cluster(withPolicy({{"timeout", "3h"}}));
  cluster.policies = policies({{"limits", {{"timeout", "2h"}}}});
  cluster.settle();
  EXPECT_EQ(cluster.status().failure->rule, "limits.timeout");
  cluster.edit({{"timeout", "150m"}});
  cluster.settle();
  EXPECT_EQ(cluster.status().run->sequence, 2);
  EXPECT_EQ(cluster.status().failure->rule, "limits.timeout");
  cluster.edit({{"timeout", "90m"}});
  cluster.settle();
  EXPECT_TRUE(cluster.has("prepare"));
}

TEST(Policy, BaseImagesAreJudgedBeforeAStagePodIsMade) {
  FakeCluster cluster;
  cluster.policies = policies({{"allowed", {{"baseImages", {"docker.io/library/base:2"}}}}});
  cluster.toStages({{}, {0}});
  EXPECT_FALSE(cluster.has("0"));
  EXPECT_FALSE(cluster.has("publish"));
  EXPECT_EQ(cluster.ready().reason, "PolicyViolation");
  EXPECT_THAT(cluster.ready().message, HasSubstr("stage \"s0\" is based on \"base:1\" (registry.example/base)"));
  // Another policy, but the image is still none of its own: the plan of the refused run tells.
  const std::string run = cluster.runId();
  cluster.policies = policies({{"allowed", {{"baseImages", {"docker.io/library/base:1"}}}}});
  cluster.settle();
  EXPECT_EQ(cluster.runId(), run);
  cluster.policies = policies({{"allowed", {{"baseImages", {"registry.example/base:1"}}}}});
  cluster.settle();
  EXPECT_NE(cluster.runId(), run);
  EXPECT_EQ(cluster.status().run->trigger, "PolicyChanged");
  cluster.toStages({{}, {0}});
  EXPECT_TRUE(cluster.has("0"));
}

TEST(Policy, CountsStages) {
  FakeCluster cluster;
  cluster.policies = policies({{"limits", {{"stages", 2}}}});
  cluster.toStages({{}, {}, {0, 1}});
  EXPECT_EQ(cluster.status().failure->rule, "limits.stages");
  EXPECT_FALSE(cluster.has("0"));
}

TEST(Policy, ARunThatIsAdmittedIsJudgedAgainOnlyWithItsPlan) {
  FakeCluster cluster;
  cluster.toStages({{}});
  cluster.policies = policies(kNoOutputs);
  cluster.run("0");
  cluster.settle();
  EXPECT_EQ(cluster.ready().status, Truth::kUnknown) << "it has its plan: nothing stops it";
}

TEST(Policy, IsJudgedAgainWhenItsTurnComes) {
  FakeCluster cluster;
  cluster.admission = {.granted = false, .position = 1, .held = false, .why = "waits"};
  cluster.settle();
  cluster.policies = policies(kNoOutputs);
  cluster.admission = {};
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "PolicyViolation");
  EXPECT_THAT(cluster.creates, IsEmpty());
}

TEST(Policy, ARuntimeThatIgnoresIsolationIsNoMatterOfAPolicyChange) {
  FakeCluster cluster;
  cluster.toStages({{}});
  cluster.run("0");
  cluster.settle();
  cluster.exit("0", 78);
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "PolicyViolation");
  EXPECT_EQ(cluster.status().failure->class_, "Policy");
  EXPECT_EQ(cluster.status().failure->rule, "");
  const std::string run = cluster.runId();
  cluster.policies = policies(Json::object());
  cluster.settle();
  EXPECT_EQ(cluster.runId(), run) << "or it would start for ever";
}

TEST(Policy, OnlyOneIsolationAllowedIsWhatAutoTakes) {
  FakeCluster cluster;
  cluster.cluster.nodes.clear();
  cluster.addNode("w1", false);
  cluster.policies = policies({{"allowed", {{"isolation", {"UserNamespace"}}}}});
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "Unschedulable") << "never below the floor";
  EXPECT_THAT(cluster.creates, IsEmpty());
}

TEST(MaxParallelStages, BoundsThePodsOfARun) {
  FakeCluster cluster(withPolicy({{"execution", {{"maxParallelStages", 2}}}}));
  cluster.toStages({{}, {}, {}, {0, 1, 2}});
  EXPECT_TRUE(cluster.has("0") && cluster.has("1"));
  EXPECT_FALSE(cluster.has("2"));
  cluster.run("0");
  cluster.settle();
  EXPECT_FALSE(cluster.has("2"));
  cluster.exit("0", 0);
  cluster.settle();
  EXPECT_TRUE(cluster.has("2"));
  EXPECT_FALSE(cluster.has("3"));
}

}  // namespace
}  // namespace stagewright::lifecycle
