// Reasons of api.md that images and mounts give before a container runs.
#include <gmock/gmock.h>

#include "tests/unit/lib/lifecycle/fake_cluster.h"

namespace stagewright::lifecycle {
namespace {

using api::Truth;
using std::chrono::seconds;
using testing::FakeCluster;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(NodeCannotPull, NamesNodeImageCauseAndCure) {
  FakeCluster cluster;
  cluster.toStages({{}});
  ObservedPod& pod = cluster.pod("0");
  const std::string image = "registry.example/base@" + std::string(testing::kDigest);
  pod.container.image = image;
  const std::string cause = "failed to pull and unpack image \"" + image +
                            "\": failed to resolve reference \"" + image +
                            "\": failed to do request: Head \"https://registry.example/v2/\": "
                            "x509: certificate signed by "
                            "unknown authority";
  cluster.wait(pod, "ErrImagePull", "rpc error: code = Unknown desc = " + cause);
  cluster.settle();
  EXPECT_EQ(cluster.ready().status, Truth::kUnknown) << "the kubelet tries again";
  EXPECT_EQ(cluster.ready().reason, "NodeCannotPull");
  const std::string text = cluster.ready().message;
  EXPECT_EQ(
      text,
      "node w1 cannot pull " + image +
          " (failed to do request: Head \"https://registry.example/v2/\": x509: certificate "
          "signed by unknown authority) although prepare could; nodes have their own registry "
          "configuration: give containerd on the nodes a hosts.toml for registry.example (its "
          "CA, plain HTTP or mirror)");
  const int writes = cluster.statusWrites;
  cluster.pass(seconds(30));
  cluster.wait(pod, "ImagePullBackOff",
               "Back-off pulling image \"" + image + "\": ErrImagePull: " + cause);
  cluster.settle();
  EXPECT_EQ(cluster.statusWrites, writes) << "the kubelet's two words for it are one state";
  cluster.pass(seconds(31));
  cluster.settle();
  EXPECT_EQ(cluster.ready().status, Truth::kFalse);
  EXPECT_EQ(cluster.ready().reason, "NodeCannotPull");
  EXPECT_EQ(cluster.ready().message, text);
  EXPECT_EQ(cluster.status().failure->class_, "Platform");
}

TEST(NodeCannotPull, AsksForCredentialsWhenRefused) {
  FakeCluster cluster;
  cluster.toStages({{}});
  cluster.wait(cluster.pod("0"), "ErrImagePull", "authorization failed: 401 Unauthorized");
  cluster.settle();
  EXPECT_THAT(
      cluster.ready().message,
      HasSubstr("name a Secret with credentials for registry.example in spec.imagePullSecrets"));
}

TEST(NodeCannotPull, PassesWhenThePullDoes) {
  FakeCluster cluster;
  cluster.toStages({{}});
  cluster.wait(cluster.pod("0"), "ErrImagePull", "not found");
  cluster.settle();
  cluster.pass(seconds(40));
  cluster.run("0");
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "Progressing");
  EXPECT_EQ(cluster.status().stages[0].reason, "");
}

struct PullCase {
  const char* message;
  const char* reason;
};

TEST(Pull, ToldApartAreCausesThatPassAndThoseThatDoNot) {
  const PullCase cases[] = {
      {"failed to do request: Head \"https://r/v2/\": dial tcp 1.2.3.4:443: connect: connection "
       "refused",
       "ImagePullBackOff"},
      {"failed to do request: Head \"https://r/v2/\": dial tcp: lookup r: no such host",
       "ImagePullBackOff"},
      {"unexpected status from HEAD request to https://r/v2/x: 503 Service Unavailable",
       "ImagePullBackOff"},
      {"unexpected status from GET request to https://r/v2/x: 429 Too Many Requests",
       "ImagePullBackOff"},
      {"failed to copy: httpReadSeeker: failed open: unexpected EOF", "ImagePullBackOff"},
      {"r/x:1: not found", "NodeCannotPull"},
      {"unexpected status from HEAD request to https://r/v2/x: 401 Unauthorized", "NodeCannotPull"},
      {"tls: failed to verify certificate: x509: certificate signed by unknown authority",
       "NodeCannotPull"},
      {"http: server gave HTTP response to HTTPS client", "NodeCannotPull"}};
  for (const PullCase& c : cases) {
    FakeCluster cluster;
    cluster.toStages({{}});
    cluster.wait(cluster.pod("0"), "ErrImagePull", c.message);
    cluster.settle();
    EXPECT_EQ(cluster.ready().reason, c.reason) << c.message;
    // Older kubelets then tell nothing but that they wait.
    cluster.wait(cluster.pod("0"), "ImagePullBackOff", "Back-off pulling image \"r/x:1\"");
    cluster.settle();
    EXPECT_EQ(cluster.ready().reason, c.reason) << c.message;
  }
}

TEST(ImagePullBackOff, OfABusyRegistryIsWaitedForThenChargedAndRetried) {
  FakeCluster cluster;
  cluster.toStages({{}});
  cluster.wait(cluster.pod("0"), "ErrImagePull", "i/o timeout");
  cluster.settle();
  cluster.pass(seconds(540));
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "ImagePullBackOff") << "the kubelet tries again";
  EXPECT_EQ(cluster.status().run->infrastructureRetries, 0);
  cluster.pass(seconds(61));
  cluster.settle();
  EXPECT_EQ(cluster.status().run->infrastructureRetries, 1);
  cluster.pass(seconds(11));
  cluster.settle();
  EXPECT_TRUE(cluster.has("0", 2));
}

TEST(Mounting, IsToldAfterAMinuteAndChargedAfterTen) {
  FakeCluster cluster;
  cluster.toStages({{}});
  ObservedPod& pod = cluster.pod("0");
  cluster.wait(pod, "ContainerCreating", "");
  pod.isMounting = true;
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "Progressing");
  EXPECT_EQ(cluster.reconcile().requeueAfter, Millis(60'000));
  cluster.pass(seconds(60));
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "WorkspaceProvisioning");
  EXPECT_THAT(cluster.ready().message, HasSubstr("cannot attach or mount the volumes"));
  cluster.pass(seconds(540));
  cluster.settle();
  EXPECT_EQ(cluster.status().run->infrastructureRetries, 1);
  EXPECT_EQ(cluster.ready().status, Truth::kUnknown);
}

TEST(Retry, BudgetIsTheBuildsOwn) {
  for (const int budget : {0, 1, 5}) {
    Json spec = testing::smallSpec();
    spec["retry"]["infrastructure"] = budget;
    FakeCluster cluster(spec);
    cluster.settle();
    int attempts = 0;
    while (cluster.ready().status == Truth::kUnknown && attempts < 20) {
      ++attempts;
      cluster.run("prepare", attempts);
      cluster.settle();
      cluster.failWith("prepare", 30, "RegistryUnavailable", "503", attempts);
      cluster.settle();
      cluster.pass(seconds(61));
      cluster.settle();
    }
    EXPECT_EQ(attempts, budget + 1);
    EXPECT_EQ(cluster.ready().reason, "InfrastructureRetriesExhausted");
    EXPECT_THAT(cluster.ready().message, HasSubstr("503"));
  }
}

TEST(ImagePullBackOff, OfTheBuilderIsChargedAndRetried) {
  FakeCluster cluster;
  cluster.settle();
  cluster.wait(cluster.pod("prepare"), "ImagePullBackOff", "not found");
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "ImagePullBackOff");
  EXPECT_THAT(cluster.ready().message, HasSubstr("builder image"));
  cluster.pass(seconds(181));
  cluster.settle();
  EXPECT_EQ(cluster.status().run->infrastructureRetries, 1);
  EXPECT_THAT(cluster.pods, IsEmpty()) << "the stuck pod goes before the next attempt";
  cluster.pass(seconds(11));
  cluster.settle();
  EXPECT_TRUE(cluster.has("prepare", 2));
}

}  // namespace
}  // namespace stagewright::lifecycle
