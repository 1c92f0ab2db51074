#include "operator/log_followers.h"

#include <gtest/gtest.h>

#include "lib/base/seal.h"
#include "tests/support/fake_api_clock.h"
#include "tests/support/fake_api_transport.h"

namespace stagewright::op {
namespace {

using Answer = kube::FakeApiTransport::Answer;

lifecycle::ObservedPod publishPod(const std::string& name, bool ended = false) {
  lifecycle::ObservedPod pod;
  pod.name = name;
  pod.uid = "uid-" + name;
  pod.role = "publish";
  pod.attempt = 1;
  pod.runId = "run";
  pod.runKey = std::string(32, 'k');
  pod.phase = ended ? lifecycle::PodPhase::kSucceeded : lifecycle::PodPhase::kRunning;
  pod.container.state = ended ? lifecycle::ObservedContainer::State::kTerminated
                              : lifecycle::ObservedContainer::State::kRunning;
  return pod;
}

std::string frame(const std::string& json, const std::string& runKey = std::string(32, 'k')) {
  return makeFrame(attemptKey(runKey, "publish", 1), {"run", "publish", 1}, json);
}

const std::string kChecked = R"({"type":"push-check","seq":1,"ok":true})";

class Followers : public testing::Test {
 protected:
  /// Waits until `met` holds for the facts of `pod`; the followers tell of every fact.
  bool waitFor(LogFollowers& followers, const lifecycle::ObservedPod& pod,
               const std::function<bool(const lifecycle::LogFacts&)>& met,
               const std::string& key = "ns/b") {
    std::unique_lock lock(mutex_);
    return told_.wait_for(lock, std::chrono::seconds(20), [&] {
      const auto facts = followers.facts(key, {pod});
      const auto it = facts.find(pod.name);
      return it != facts.end() && met(it->second);
    });
  }
  LogFollowers::OnFact notify() {
    return [this](const std::string&) {
      const std::scoped_lock lock(mutex_);
      told_.notify_all();
    };
  }

  std::mutex mutex_;
  std::condition_variable told_;
  kube::FakeApiTransport transport_;
  kube::FakeApiClock clock_;
  kube::ApiClient client_{transport_, clock_, {Millis(1000), Millis(0)}};
};

TEST_F(Followers, ReadAgainAfterABrokenStreamAndOnceMoreAfterTheEnd) {
  transport_.then({.cut = true});  // broken before anything came
  transport_.then({.lines = {"noise", frame(kChecked)}, .cut = true});  // broken after a fact
  transport_.then({.lines = {frame(kChecked)}});
  LogFollowers followers(client_, clock_, 4, notify());
  const lifecycle::ObservedPod pod = publishPod("p", /*ended=*/true);
  followers.follow("ns/b", "ns", {pod});
  EXPECT_TRUE(waitFor(followers, pod,
                      [](const auto& facts) { return facts.pushChecked && facts.complete; }));
  EXPECT_EQ(transport_.log().size(), 3u);
  EXPECT_EQ(transport_.log()[0],
            "GET /api/v1/namespaces/ns/pods/p/log?container=publish&follow=true");
}

TEST_F(Followers, BelieveOnlyTheRightSeal) {
  transport_.then(
      {.lines = {frame(kChecked, std::string(32, 'x')), "##stagewright 00 " + kChecked}});
  LogFollowers followers(client_, clock_, 4, notify());
  const lifecycle::ObservedPod pod = publishPod("p", true);
  followers.follow("ns/b", "ns", {pod});
  EXPECT_TRUE(waitFor(followers, pod, [](const auto& facts) { return facts.complete; }));
  EXPECT_FALSE(followers.facts("ns/b", {pod}).at("p").pushChecked);
}

TEST_F(Followers, ForgetPodsThatAreGone) {
  transport_.then({.lines = {frame(kChecked)}});
  LogFollowers followers(client_, clock_, 4, notify());
  const lifecycle::ObservedPod pod = publishPod("p", true);
  followers.follow("ns/b", "ns", {pod});
  ASSERT_TRUE(waitFor(followers, pod, [](const auto& facts) { return facts.complete; }));
  followers.follow("ns/b", "ns", {});
  EXPECT_EQ(followers.facts("ns/b", {pod}).size(), 1u) << "facts stay while the pod does";
  followers.forget("ns/b");
  EXPECT_TRUE(followers.facts("ns/b", {pod}).empty());
}

TEST_F(Followers, ShareFewThreadsAmongManyPods) {
  transport_.answerWith([](const kube::ApiRequest&) { return Answer{.lines = {frame(kChecked)}}; });
  LogFollowers followers(client_, clock_, 2, notify());
  std::vector<lifecycle::ObservedPod> pods;
  for (int i = 0; i < 40; ++i) {
    pods.push_back(publishPod("p" + std::to_string(i), true));
  }
  followers.follow("ns/b", "ns", pods);
  std::unique_lock lock(mutex_);
  EXPECT_TRUE(told_.wait_for(lock, std::chrono::seconds(20), [&] {
    const auto facts = followers.facts("ns/b", pods);
    return std::all_of(facts.begin(), facts.end(),
                       [](const auto& entry) { return entry.second.complete; });
  }));
}

/// With one thread for them all.
TEST_F(Followers, ReadFirstWhatADecisionWaitsFor) {
  transport_.answerWith([](const kube::ApiRequest& request) {
    const bool waits = request.path.find("/pods/waits") != std::string::npos;
    return Answer{.lines = {frame(kChecked)}, .open = waits};
  });
  LogFollowers followers(client_, clock_, 1, notify());
  const auto checked = [](const auto& facts) { return facts.pushChecked; };
  const lifecycle::ObservedPod first = publishPod("waits0");
  followers.follow("ns/w0", "ns", {first});
  ASSERT_TRUE(waitFor(followers, first, checked, "ns/w0"));

  const lifecycle::ObservedPod second = publishPod("waits1");
  followers.follow("ns/w1", "ns", {second});  // the first only waits for its stages by now
  ASSERT_TRUE(waitFor(followers, second, checked, "ns/w1"));

  const lifecycle::ObservedPod ended = publishPod("ended", true);
  followers.follow("ns/e", "ns", {ended});
  EXPECT_TRUE(waitFor(
      followers, ended, [](const auto& facts) { return facts.complete; }, "ns/e"));
}

TEST_F(Followers, SayWhenALogWasAskedForThatCannotBeRead) {
  transport_.answerWith(
      [](const kube::ApiRequest&) { return Answer{.status = 404, .body = "{}"}; });
  LogFollowers followers(client_, clock_, 1, notify());
  const TimePoint before = clock_.now();
  const lifecycle::ObservedPod pod = publishPod("p", /*ended=*/true);
  followers.follow("ns/b", "ns", {pod});
  while (transport_.log().empty()) {
    std::this_thread::yield();
  }
  const lifecycle::LogFacts facts = followers.facts("ns/b", {pod}).at("p");
  ASSERT_TRUE(facts.askedAtEnd.has_value());
  EXPECT_GE(*facts.askedAtEnd, before);
  EXPECT_FALSE(facts.complete);
}

TEST_F(Followers, EndAtOnceWhileAPodKeepsFailing) {
  transport_.answerWith(
      [](const kube::ApiRequest&) { return Answer{.status = 404, .body = "{}"}; });
  {
    LogFollowers followers(client_, clock_, 2, notify());
    followers.follow("ns/b", "ns", {publishPod("p")});
    while (transport_.log().size() < 3) {
      std::this_thread::yield();
    }
  }
  SUCCEED();
}

}  // namespace
}  // namespace stagewright::op
