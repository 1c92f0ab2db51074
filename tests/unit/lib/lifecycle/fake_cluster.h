// A cluster of values for tests of planBuild: it keeps one ImageBuild, pods and claims, applies
// decisions in the order that lifecycle.h prescribes, and lets a test say what pods do. Time is a
// number.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "lib/api/reasons.h"
#include "lib/base/hash.h"
#include "lib/base/seal.h"
#include "lib/lifecycle/lifecycle.h"
#include "lib/plan/contract.h"
#include "tests/unit/lib/lifecycle/status_oracles.h"

namespace stagewright::lifecycle::testing {

inline constexpr std::string_view kDigest =
    "sha256:1111111111111111111111111111111111111111111111111111111111111111";

inline Json smallSpec() {
  return {{"source", {{"git", {{"url", "https://git.example/shop.git"}}}}},
          {"output", {{"image", "registry.example/shop:1"}}}};
}

class FakeCluster {
 public:
  explicit FakeCluster(Json spec = smallSpec()) {
    object_ = {{"apiVersion", api::kApiVersion},
               {"kind", "ImageBuild"},
               {"metadata",
                {{"name", "shop"}, {"namespace", "team-a"}, {"uid", "uid-1"}, {"generation", 1}}},
               {"spec", std::move(spec)},
               {"status", {{"observedGeneration", -1}}}};
    settings.pods.builderImage = "registry.example/builder@" + std::string(kDigest);
    settings.pods.emptyImage = "registry.example/empty@" + std::string(kDigest);
    addNode("w1", true);
    cluster.imageVolumes = true;
  }

  // ---- what a test says ----
  void addNode(const std::string& name, bool userNamespaces) {
    NodeFacts node;
    node.name = name;
    node.userNamespaces = userNamespaces;
    cluster.nodes.push_back(node);
  }
  void edit(const Json& patch) {
    object_["spec"].merge_patch(patch);
    object_["metadata"]["generation"] = object_["metadata"]["generation"].get<int>() + 1;
  }
  void annotate(std::string_view key, const std::string& value) {
    object_["metadata"]["annotations"][std::string(key)] = value;
  }
  void label(const std::string& key, const std::string& value) {
    object_["metadata"]["labels"][key] = value;
  }
  void removeAnnotation(std::string_view key) {
    object_["metadata"]["annotations"].erase(std::string(key));
  }
  void setStatus(const Json& status) { object_["status"] = status; }
  void pass(std::chrono::seconds time) { now += time; }

  api::ImageBuild build() const {
    Result<api::ImageBuild> out = api::parseImageBuild(object_);
    EXPECT_TRUE(out) << out.error().message;
    return std::move(*out);
  }
  api::ImageBuildStatus status() const { return build().status; }
  Json statusJson() const { return object_["status"]; }
  const api::Condition& condition(std::string_view type) {
    last_ = status();
    const api::Condition* found = last_.conditions.find(type);
    EXPECT_NE(found, nullptr) << type;
    static const api::Condition kNone;
    return found == nullptr ? kNone : *found;
  }
  const api::Condition& ready() { return condition("Ready"); }
  std::string runId() const { return status().run ? status().run->id : ""; }

  World world() const {
    World out;
    for (const auto& [name, pod] : pods) {
      out.pods.push_back(pod);
    }
    for (const auto& [name, claim] : claims) {
      out.claims.push_back(claim);
    }
    for (const auto& [name, body] : bodies) {
      out.seenPods.insert(name);
    }
    out.logs = logs;
    out.createErrors = createErrors;
    out.cluster = cluster;
    out.settings = settings;
    out.claimHolder = claimHolder;
    out.admission = admission;
    out.policies = policies;
    out.freshRunKey = sha256Raw("key " + std::to_string(++keys_));
    return out;
  }

  // ---- the operator ----
  /// One reconcile, with the writes of the decision up to `writes` (a crash after them).
  Decision reconcile(int writes = std::numeric_limits<int>::max()) {
    return apply(planBuild(build(), world(), now), writes);
  }

  /// As often as decisions change something, at most 20 times. Nobody wakes the operator because of
  /// its own status write: a pass that needs another one must have been asked for.
  void settle() {
    bool woken = true;
    for (int i = 0; i < 20; ++i) {
      const Json before = object_["status"];
      const Decision decision = reconcile();
      if (before == object_["status"] && decision.actions.empty()) {
        return;
      }
      EXPECT_TRUE(woken) << "this pass had something to do, but nobody asked for it: "
                         << object_["status"].dump(1);
      woken = !decision.actions.empty() || decision.requeueAfter == Millis(100);
    }
    ADD_FAILURE() << "does not settle: " << object_["status"].dump(1);
  }

  Decision apply(const Decision& decision, int writes) {
    for (const std::string& name : decision.confirmAbsent) {
      if (pods.count(name) > 0) {
        return decision;  // the view was stale
      }
    }
    const Json next = api::toJson(decision.status);
    expectKstatus(decision.status, object_["metadata"]["generation"].get<std::int64_t>());
    expectRoundTrip(next);
    expectWithinSchema(next);
    if (next != object_["status"]) {
      if (writes-- <= 0) {
        return decision;
      }
      object_["status"] = next;
      ++statusWrites;
    }
    for (const Action& action : decision.actions) {
      if (writes-- <= 0) {
        return decision;
      }
      applyAction(action);
    }
    for (const EventNote& event : decision.events) {
      events.push_back(event);
    }
    return decision;
  }

  // ---- what pods do ----
  std::string name(const std::string& part, int attempt = 1) const {
    return pods::podName("shop", runId(), part, attempt);
  }
  ObservedPod& pod(const std::string& part, int attempt = 1) {
    const auto it = pods.find(name(part, attempt));
    EXPECT_NE(it, pods.end()) << part << " " << attempt;
    static ObservedPod none;
    return it == pods.end() ? none : it->second;
  }
  bool has(const std::string& part, int attempt = 1) const {
    return pods.count(name(part, attempt)) > 0;
  }
  void run(const std::string& part, int attempt = 1, const std::string& node = "w1") {
    run(pod(part, attempt), node);
  }
  void run(ObservedPod& of, const std::string& node = "w1") {
    of.phase = PodPhase::kRunning;
    of.node = node;
    of.startTime = now;
    of.unschedulable.clear();
    of.container.state = ObservedContainer::State::kRunning;
    of.container.name = of.role;
    of.container.reason.clear();
    of.container.message.clear();
    of.container.startedAt = now;
  }
  void exit(ObservedPod& of, int code, const std::string& message = "",
            const std::string& reason = "") {
    of.phase = code == 0 ? PodPhase::kSucceeded : PodPhase::kFailed;
    of.node = of.node.empty() ? "w1" : of.node;
    of.container.state = ObservedContainer::State::kTerminated;
    of.container.name = of.role;
    of.container.exitCode = code;
    of.container.reason = !reason.empty() ? reason : code == 0 ? "Completed" : "Error";
    of.container.message = message;
    of.container.finishedAt = now;
    logs[of.name].complete = true;
  }
  void exit(const std::string& part, int code, int attempt = 1) { exit(pod(part, attempt), code); }
  void wait(ObservedPod& of, const std::string& reason, const std::string& message) {
    of.node = "w1";
    of.startTime = of.startTime ? of.startTime : now;
    of.container.state = ObservedContainer::State::kWaiting;
    of.container.name = of.role;
    of.container.reason = reason;
    of.container.message = message;
    if (of.container.image.empty()) {
      of.container.image = "registry.example/base@" + std::string(kDigest);
    }
  }

  /// A sealed frame in the log of `of`.
  void say(ObservedPod& of, const Json& frame) {
    const SealScope scope{of.runId, of.role, of.attempt};
    const std::string line =
        makeFrame(attemptKey(of.runKey, of.role, of.attempt), scope, dumpJson(frame));
    const Status folded = foldLogLine(logs[of.name], of, line);
    EXPECT_TRUE(folded) << folded.error().message;
  }
  /// A sealed termination message.
  std::string words(const ObservedPod& of, const plan::Failure& failure) const {
    const std::string role = of.stage >= 0 ? std::to_string(of.stage) : of.role;
    return plan::makeTermination(attemptKey(keyOf(of.runId), role, of.attempt), of.runId, role,
                                 of.attempt, failure);
  }
  void failWith(const std::string& part, int code, const std::string& reason,
                const std::string& message, int attempt = 1) {
    ObservedPod& of = pod(part, attempt);
    plan::Failure failure;
    failure.reason = reason;
    failure.message = message;
    exit(of, code, words(of, failure));
  }

  /// Stages by what they depend on; the base of every stage is an image.
  Json planFrame(const std::vector<std::vector<int>>& edges) const {
    plan::PlanSummary summary;
    summary.planDigest = oci::Digest::parse(kDigest).value();
    summary.target = static_cast<int>(edges.size()) - 1;
    summary.sourceRevision = "0123456789abcdef0123456789abcdef01234567";
    for (std::size_t i = 0; i < edges.size(); ++i) {
      plan::StageSummary stage;
      stage.index = static_cast<int>(i);
      stage.name = "s" + std::to_string(i);
      stage.image = "registry.example/base@" + std::string(kDigest);
      stage.baseName = "base:1";
      stage.baseDigest = kDigest;
      stage.dependsOn = edges[i];
      stage.steps = 2;
      summary.stages.push_back(std::move(stage));
    }
    return {{"type", "plan"}, {"seq", 1}, {"plan", plan::toJson(summary)}};
  }
  Json imageFrame() const {
    plan::ImageReport image;
    image.reference = "registry.example/shop@" + std::string(kDigest);
    image.digest = oci::Digest::parse(kDigest).value();
    image.mediaType = "application/vnd.oci.image.manifest.v1+json";
    image.sizeBytes = 12345;
    image.layers = 3;
    image.tags = {"1"};
    Json out = plan::toJson(image);
    out["type"] = "image";
    out["seq"] = 9;
    return out;
  }

  /// From nothing to stages that are created, in the shortest way.
  void toStages(const std::vector<std::vector<int>>& edges) {
    settle();
    run("prepare");
    settle();
    say(pod("prepare"), planFrame(edges));
    exit("prepare", 0);
    settle();
  }
  /// smallSpec's only stage, from its creation to the image.
  void finishSmall() {
    run("publish");
    run("0");
    settle();
    exit("0", 0);
    say(pod("publish"), imageFrame());
    settle();
  }
  /// The whole of a build that has no trouble.
  void toSuccess(const std::vector<std::vector<int>>& edges) {
    toStages(edges);
    run("publish");
    for (std::size_t i = 0; i < edges.size(); ++i) {
      run(std::to_string(i));
      settle();
      exit(std::to_string(i), 0);
      settle();
    }
    say(pod("publish"), imageFrame());
    settle();
  }

  int countEvents(std::string_view reason) const {
    return static_cast<int>(
        std::count_if(events.begin(), events.end(),
                      [&](const EventNote& event) { return event.reason == reason; }));
  }

  std::map<std::string, ObservedPod> pods;
  std::map<std::string, ObservedClaim> claims;
  std::map<std::string, LogFacts> logs;
  std::map<std::string, CreateError> createErrors;
  std::map<std::string, CreateError> refuse;  ///< creates of these names are refused
  std::map<std::string, Json> bodies;         ///< of every pod ever created
  std::map<std::string, int> creates;
  std::vector<EventNote> events;
  ClusterFacts cluster;
  Settings settings;
  std::string claimHolder;
  Admission admission;
  policy::Policies policies;
  int statusWrites = 0;
  bool deleted = false;  ///< the ImageBuild itself
  TimePoint now = TimePoint(std::chrono::seconds(1'800'000'000));

 private:
  static std::string sha256Raw(const std::string& text) { return fromHex(sha256Hex(text)).value(); }

  std::string keyOf(const std::string& runId) const {
    for (const auto& [name, of] : pods) {
      if (of.runId == runId && !of.runKey.empty() &&
          (of.role == "publish" || of.attempt == status().run->prepare.attempt)) {
        return of.runKey;
      }
    }
    return {};
  }

  static void expectRoundTrip(const Json& status) {
    const Result<api::ImageBuildStatus> parsed = api::parseStatus(JsonReader(status));
    ASSERT_TRUE(parsed) << parsed.error().message;
    EXPECT_EQ(api::toJson(*parsed), status);
  }

  bool isRefused(const std::string& name) {
    const auto it = refuse.find(name);
    if (it == refuse.end()) {
      createErrors.erase(name);
      return false;
    }
    CreateError& error = createErrors[name];
    const int count = error.count;
    const bool known = error.first != TimePoint{};
    const TimePoint first = known ? error.first : now;
    error = it->second;
    error.first = first;
    error.last = now;
    error.count = known ? count + 1 : 1;
    return true;
  }

  void applyAction(const Action& action) {
    switch (action.kind) {
      case Action::Kind::kCreatePod:
        createPod(action);
        break;
      case Action::Kind::kCreateClaim:
        if (!isRefused(action.name) && claims.count(action.name) == 0) {
          Json object = Json::parse(action.body);
          object["metadata"]["uid"] = "claim-uid-" + action.name;
          object["status"]["phase"] = "Bound";
          claims[action.name] = observeClaim(object).value();
        }
        break;
      case Action::Kind::kDeletePod: {
        const auto it = pods.find(action.name);
        if (it != pods.end() && it->second.uid == action.uid) {
          if (keepTerminating && !it->second.isTerminal()) {
            it->second.deletionTimestamp = now + std::chrono::seconds(2);
          } else {
            pods.erase(it);
          }
        }
        break;
      }
      case Action::Kind::kDeleteClaim:
        claims.erase(action.name);
        break;
      case Action::Kind::kDeleteBuild:
        EXPECT_EQ(action.uid, object_["metadata"]["uid"]);
        deleted = true;
        break;
    }
  }

  void createPod(const Action& action) {
    Json object = Json::parse(action.body);
    EXPECT_EQ(object["metadata"]["name"], action.name);
    if (isRefused(action.name)) {
      return;
    }
    if (pods.count(action.name) > 0) {
      EXPECT_TRUE(isSameChild(bodies[action.name], object));
      return;
    }
    ++creates[action.name];
    object["metadata"]["uid"] = "pod-uid-" + std::to_string(++uids_);
    object["metadata"]["creationTimestamp"] = formatTime(now);
    object["status"]["phase"] = "Pending";
    bodies[action.name] = object;
    Result<ObservedPod> of = observePod(object);
    ASSERT_TRUE(of) << of.error().message;
    pods[action.name] = std::move(*of);
  }

  Json object_;
  api::ImageBuildStatus last_;
  mutable int keys_ = 0;
  int uids_ = 0;

 public:
  bool keepTerminating = false;  ///< deleted pods stay until the test removes them
};

}  // namespace stagewright::lifecycle::testing
