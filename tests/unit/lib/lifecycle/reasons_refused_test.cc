// Reasons of api.md that the API server and the spec give.
#include <gmock/gmock.h>

#include "tests/unit/lib/lifecycle/fake_cluster.h"

namespace stagewright::lifecycle {
namespace {

using api::Truth;
using std::chrono::seconds;
using testing::FakeCluster;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// ---- the API server refuses ----

CreateError refusal(int status, const std::string& reason, const std::string& message) {
  CreateError out;
  out.httpStatus = status;
  out.reason = reason;
  out.message = message;
  return out;
}

TEST(AdmissionDenied, CarriesTheServersMessage) {
  const CreateError cases[] = {
      refusal(403, "Forbidden",
              "pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\": ..."),
      refusal(400, "BadRequest", "admission webhook \"w\" denied the request: no"),
      refusal(422, "Invalid", "Pod \"x\" is invalid: spec: no")};
  for (const CreateError& error : cases) {
    FakeCluster cluster;
    const Decision decision = planBuild(cluster.build(), cluster.world(), cluster.now);
    cluster.refuse[decision.status.run->prepare.pod] = error;
    cluster.settle();
    EXPECT_EQ(cluster.ready().reason, "AdmissionDenied") << error.message;
    EXPECT_THAT(cluster.ready().message, HasSubstr(error.message));
    EXPECT_EQ(cluster.status().failure->class_, "Policy");
    EXPECT_THAT(cluster.pods, IsEmpty());
    EXPECT_THAT(cluster.claims, IsEmpty());
  }
}

TEST(QuotaExceeded, WaitsWithBackoffAndIsNotCharged) {
  FakeCluster cluster;
  const std::string pod =
      planBuild(cluster.build(), cluster.world(), cluster.now).status.run->prepare.pod;
  cluster.refuse[pod] =
      refusal(403, "Forbidden", "pods is forbidden: exceeded quota: q, used: pods=1");
  Decision decision = cluster.reconcile();
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "QuotaExceeded");
  EXPECT_EQ(cluster.ready().status, Truth::kUnknown);
  EXPECT_THAT(cluster.ready().message, HasSubstr("exceeded quota: q"));
  EXPECT_EQ(cluster.status().phase, "Queued");
  EXPECT_EQ(cluster.createErrors[pod].count, 1) << "not tried again before its time";
  decision = cluster.reconcile();
  EXPECT_EQ(decision.requeueAfter, Millis(10'000));
  cluster.pass(std::chrono::hours(3));
  cluster.settle();
  EXPECT_EQ(cluster.createErrors[pod].count, 2);
  cluster.refuse.clear();
  cluster.pass(seconds(61));
  cluster.settle();
  EXPECT_TRUE(cluster.has("prepare"));
  EXPECT_EQ(cluster.ready().reason, "Progressing");
  EXPECT_EQ(cluster.status().run->infrastructureRetries, 0);
}

TEST(QuotaExceeded, PublishGivesWayToTheOnlyStage) {
  FakeCluster cluster;
  cluster.toStages({{}, {0}});
  cluster.run("publish");
  cluster.run("0");
  cluster.settle();
  cluster.refuse[cluster.name("1")] = refusal(403, "Forbidden", "exceeded quota: pods=2");
  cluster.pods.erase(cluster.name("1"));
  cluster.bodies.erase(cluster.name("1"));  // as if it had been refused from the start
  cluster.settle();
  EXPECT_TRUE(cluster.has("publish")) << "stage 0 gets on";
  cluster.exit("0", 0);
  cluster.settle();
  EXPECT_TRUE(cluster.has("publish")) << "it may be a matter of a moment";
  cluster.pass(seconds(10));
  cluster.settle();
  EXPECT_FALSE(cluster.has("publish"));
  cluster.refuse.clear();
  cluster.pass(seconds(61));
  cluster.settle();
  EXPECT_TRUE(cluster.has("1"));
  cluster.run("1");
  cluster.settle();
  EXPECT_TRUE(cluster.has("publish", 2));
}

TEST(QuotaExceeded, OfTheClaim) {
  FakeCluster cluster;
  const std::string claim =
      planBuild(cluster.build(), cluster.world(), cluster.now).status.run->claim;
  cluster.refuse[claim] = refusal(403, "Forbidden", "exceeded quota: requests.storage=10Gi");
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "QuotaExceeded");
  cluster.refuse.clear();
  cluster.pass(seconds(11));
  cluster.settle();
  EXPECT_THAT(cluster.claims, SizeIs(1));
  EXPECT_EQ(cluster.ready().reason, "Progressing");
}

TEST(NameConflict, NamesTheObject) {
  FakeCluster cluster;
  const std::string pod =
      planBuild(cluster.build(), cluster.world(), cluster.now).status.run->prepare.pod;
  cluster.refuse[pod] = refusal(409, "AlreadyExists", "pods already exists");
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "NameConflict");
  EXPECT_THAT(cluster.ready().message, HasSubstr(pod));
}

TEST(CreateErrors, ThatPassAreTriedAgain) {
  const CreateError cases[] = {
      refusal(0, "", "connection refused"), refusal(500, "InternalError", "failed calling webhook"),
      refusal(429, "TooManyRequests", "slow down"),
      refusal(409, "Conflict", "Operation cannot be fulfilled on resourcequotas"),
      refusal(403, "Forbidden",
              "pods is forbidden: User \"system:serviceaccount:s:o\" cannot create resource \"pods\" "
              "in API group \"\" in the namespace \"a\""),
      refusal(403, "Forbidden",
              "error looking up service account a/default: serviceaccount \"default\" not found")};
  for (const CreateError& error : cases) {
    FakeCluster cluster;
    const std::string pod =
        planBuild(cluster.build(), cluster.world(), cluster.now).status.run->prepare.pod;
    cluster.refuse[pod] = error;
    cluster.settle();
    EXPECT_EQ(cluster.ready().status, Truth::kUnknown) << error.message;
    cluster.refuse.clear();
    cluster.pass(seconds(2));
    cluster.settle();
    EXPECT_TRUE(cluster.has("prepare")) << error.message;
  }
}

TEST(CreateErrors, InALeavingNamespaceStopQuietly) {
  FakeCluster cluster;
  const std::string pod =
      planBuild(cluster.build(), cluster.world(), cluster.now).status.run->prepare.pod;
  cluster.refuse[pod] =
      refusal(403, "Forbidden",
              "unable to create new content in namespace a because it is being terminated");
  cluster.settle();
  cluster.pass(std::chrono::hours(1));
  EXPECT_THAT(cluster.reconcile().actions, IsEmpty());
  EXPECT_EQ(cluster.ready().status, Truth::kUnknown);
}

// ---- spec that only a look at everything shows to be wrong ----

TEST(InvalidSpec, IsToldWithoutAPodWherePossible) {
  Json spec = testing::smallSpec();
  spec["output"] = {{"image", "registry.example/Shop:1"}};
  FakeCluster output(spec);
  output.settle();
  EXPECT_EQ(output.ready().reason, "InvalidSpec");
  EXPECT_THAT(output.ready().message, HasSubstr("spec.output.image"));
  EXPECT_THAT(output.creates, IsEmpty());

  spec = testing::smallSpec();
  for (int i = 0; i < 40; ++i) {
    spec["buildArgs"].push_back(
        {{"name", "A" + std::to_string(i)}, {"value", std::string(4096, 'x')}});
  }
  FakeCluster large(spec);
  large.settle();
  EXPECT_EQ(large.ready().reason, "InvalidSpec");
}

TEST(InvalidSpec, StagesThatContradictEachOtherOnOneNode) {
  Json spec = testing::smallSpec();
  spec["execution"]["stages"] = {{{"stage", "a"}, {"nodeSelector", {{"disk", "ssd"}}}},
                                 {{"stage", "b"}, {"nodeSelector", {{"disk", "hdd"}}}}};
  FakeCluster cluster(spec);
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "InvalidSpec");
  EXPECT_THAT(cluster.pods, IsEmpty());
  spec["workspace"]["accessMode"] = "ReadWriteMany";
  FakeCluster spread(spec);
  spread.settle();
  EXPECT_EQ(spread.ready().status, Truth::kUnknown) << "they may run on different nodes";
}

TEST(PolicyViolation, OfPodMetadataIsToldWithoutAPod) {
  Json spec = testing::smallSpec();
  spec["execution"]["podMetadata"]["labels"]["app.kubernetes.io/name"] = "web";
  FakeCluster cluster(spec);
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "PolicyViolation");
  EXPECT_EQ(cluster.status().failure->class_, "Policy");
  EXPECT_THAT(cluster.pods, IsEmpty());
}

TEST(InvalidSpec, StageSettingsForAStageThatIsNotBuilt) {
  Json spec = testing::smallSpec();
  spec["execution"]["stages"] = Json::array({{{"stage", "tset"}}});
  FakeCluster cluster(spec);
  cluster.toStages({{}, {}});
  EXPECT_EQ(cluster.ready().reason, "InvalidSpec");
  EXPECT_EQ(cluster.ready().message,
            "spec.execution.stages: no stage \"tset\" is built; these are: s0, s1");
  EXPECT_FALSE(cluster.has("0"));
}

TEST(BuildTimeout, SaysWhatWasNotFinished) {
  Json spec = testing::smallSpec();
  spec["timeout"] = "20m";
  FakeCluster cluster(spec);
  cluster.toStages({{}, {}});
  cluster.run("1");
  cluster.settle();
  const Decision decision = cluster.reconcile();
  ASSERT_TRUE(decision.requeueAfter);
  EXPECT_LE(*decision.requeueAfter, std::chrono::minutes(20));
  cluster.pass(seconds(1201));
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "BuildTimeout");
  EXPECT_EQ(cluster.ready().message,
            "the build took longer than 20m (spec.timeout); not finished: s0, s1");
}

TEST(Status, WrittenByAStrangerIsNotTrusted) {
  FakeCluster cluster;
  cluster.toStages({{}, {0}});
  Json status = cluster.statusJson();
  status["stages"][1]["dependsOn"] = {7};
  cluster.setStatus(status);
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "InternalError");
}

}  // namespace
}  // namespace stagewright::lifecycle
