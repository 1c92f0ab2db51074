#include "operator/caches.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "tests/support/fake_api_clock.h"
#include "tests/support/fake_api_transport.h"

namespace stagewright::op {
namespace {

using kube::FakeApiTransport;

class NoListener final : public CacheListener {
 public:
  void onBuild(const kube::Change&) override {}
  void onPod(const kube::Change&) override {}
  void onClaim(const kube::Change&) override {}
  void onNode(const kube::Change&) override {}
  void onPolicy(const kube::Change&) override {}
  void onNamespace(const kube::Change&) override {}
};

/// An API server that knows two namespaces, counts versions for each, and lets nobody read nodes.
class NamespacedCaches : public testing::Test {
 protected:
  static std::string listOf(const std::string& ns, const std::string& plural) {
    const Json item = {{"metadata",
                        {{"name", plural.substr(0, 1)},
                         {"namespace", ns},
                         {"resourceVersion", "1"},
                         {"labels", {{"build.stagewright.dev/build", "shop"}}}}}};
    return dumpJson(
        {{"metadata", {{"resourceVersion", ns == "team-a" ? "11" : "22"}}}, {"items", {item}}});
  }
  FakeApiTransport::Answer answer(const kube::ApiRequest& request) {
    const std::string path = request.path.substr(0, request.path.find('?'));
    if (request.path.find("watch=1") != std::string::npos) {
      return {.cut = true};
    }
    asked_.lock()->insert(path);
    for (const std::string ns : {"team-a", "team-b"}) {
      if (const std::size_t at = path.find("/namespaces/" + ns + "/"); at != std::string::npos) {
        return {.body = listOf(ns, path.substr(path.rfind('/') + 1))};
      }
    }
    return {.status = 403, .body = R"({"kind":"Status","code":403,"reason":"Forbidden"})"};
  }
  void start() {
    transport_.answerWith([this](const kube::ApiRequest& request) { return answer(request); });
    caches_.start();
    SystemClock clock;
    for (int i = 0; i < 2000 && !caches_.areSynced(); ++i) {
      clock.sleepFor(Millis(5), {});
    }
    caches_.stop();
  }

  FakeApiTransport transport_;
  SystemClock clock_;
  kube::ApiClient client_{transport_, clock_, {Millis(1000), Millis(0)}};
  NoListener listener_;
  Guarded<std::set<std::string>> asked_;
  Caches caches_{
      client_, clock_, {.namespaces = {"team-a", "team-b"}, .clusterReads = false}, listener_};
};

TEST_F(NamespacedCaches, AskForNothingBeyondTheirNamespaces) {
  start();
  EXPECT_TRUE(caches_.areSynced()) << caches_.missing();
  for (const std::string& path : *asked_.lock()) {
    EXPECT_NE(path.find("/namespaces/team-"), std::string::npos) << path;
  }
}

TEST_F(NamespacedCaches, KeepWhatEachNamespaceHasInOneStore) {
  start();
  EXPECT_EQ(caches_.builds().keys(), (std::vector<std::string>{"team-a/i", "team-b/i"}));
  EXPECT_EQ(caches_.pods().inGroup("team-b/shop").size(), 1U);
  EXPECT_EQ(caches_.claims().inGroup("team-a/shop").size(), 1U);
}

TEST_F(NamespacedCaches, HaveAVersionForEachNamespace) {
  start();
  EXPECT_EQ(caches_.version(CachedKind::kPod, "team-a"), "11");
  EXPECT_EQ(caches_.version(CachedKind::kPod, "team-b"), "22");
  EXPECT_EQ(caches_.version(CachedKind::kBuild, "team-c"), "");
  EXPECT_EQ(caches_.oldestVersion(CachedKind::kBuild), "11");
}

TEST(WorkedClaim, IsTheOneOfARunThatGoesOn) {
  Json build = {{"metadata", {{"name", "shop"}, {"namespace", "team-a"}}}};
  EXPECT_EQ(workedClaimKeyOf(build), "");
  build["status"]["run"] = {{"claim", "shared"}};
  EXPECT_EQ(workedClaimKeyOf(build), "team-a/shared");
  build["status"]["run"]["result"] = "Failed";
  EXPECT_EQ(workedClaimKeyOf(build), "");
}

}  // namespace
}  // namespace stagewright::op
