#include "operator/dispatcher.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/fake_api_clock.h"

namespace stagewright::op {
namespace {

class Dispatch : public testing::Test {
 protected:
  static Json build(int generation, const Json& annotations = Json::object(),
                    const Json& status = Json::object()) {
    return {{"metadata",
             {{"name", "b"},
              {"namespace", "ns"},
              {"uid", "u"},
              {"generation", generation},
              {"annotations", annotations}}},
            {"status", status}};
  }
  static Json pod() {
    return {
        {"metadata",
         {{"name", "p"}, {"namespace", "ns"}, {"labels", {{"build.stagewright.dev/build", "b"}}}}},
        {"spec", {{"nodeName", "w1"}}}};
  }
  bool queued(const std::string& key = "ns/b") {
    const auto next = queue_.tryGet();
    if (next) {
      queue_.done(next->key);
    }
    return next && next->key == key;
  }
  kube::FakeApiClock clock_;
  Metrics metrics_;
  WorkQueue queue_{clock_};
  ClusterFactsBoard cluster_{ImageVolumes::kAuto, 36};
  PolicyBoard policies_;
  Progress progress_{clock_};
  Dispatcher dispatcher_{queue_, cluster_, policies_, metrics_, progress_};
  const std::string key_ = "ns/b";
};

TEST_F(Dispatch, LooksAtABuildWhenAUserChangedIt) {
  const Json one = build(1);
  const Json two = build(2);
  const Json cancelled = build(1, {{"build.stagewright.dev/cancel", "r"}});
  const Json ours = build(1, Json::object(), {{"phase", "Building"}});
  dispatcher_.onBuild({key_, nullptr, &one, true});
  EXPECT_TRUE(queued());
  dispatcher_.onBuild({key_, &one, &two, false});
  EXPECT_TRUE(queued());
  dispatcher_.onBuild({key_, &one, &cancelled, false});
  EXPECT_TRUE(queued());
  dispatcher_.onBuild({key_, &one, &ours, false});
  EXPECT_FALSE(queued()) << "our own status write is no news";
  dispatcher_.onBuild({key_, &one, nullptr, false});
  EXPECT_TRUE(queued());
}

TEST_F(Dispatch, ChildrenWakeTheirBuild) {
  const Json child = pod();
  const Json stranger = {{"metadata", {{"name", "p"}, {"namespace", "ns"}}}};
  dispatcher_.onPod({key_, nullptr, &child, false});
  EXPECT_TRUE(queued());
  dispatcher_.onClaim({key_, &child, nullptr, false});
  EXPECT_TRUE(queued());
  dispatcher_.onPod({key_, nullptr, &stranger, false});
  EXPECT_FALSE(queued());
}

TEST_F(Dispatch, ANodeWakesTheBuildsOnIt) {
  kube::Store pods(buildKeyOf);
  pods.put(pod());
  dispatcher_.setBuildsOnNode([&](const std::string& node) { return buildsOnNode(pods, node); });
  Json node = {{"metadata", {{"name", "w1"}}},
               {"status", {{"conditions", {{{"type", "Ready"}, {"status", "True"}}}}}}};
  dispatcher_.onNode({"w1", nullptr, &node, true});
  EXPECT_FALSE(queued());
  node["status"]["conditions"][0]["status"] = "Unknown";
  dispatcher_.onNode({"w1", &node, &node, false});
  EXPECT_TRUE(queued());
  dispatcher_.onNode({"w1", &node, &node, false});
  EXPECT_FALSE(queued());
}

TEST_F(Dispatch, CountsBuildsByPhase) {
  const Json building = build(1, Json::object(), {{"phase", "Building"}});
  const Json done = build(1, Json::object(), {{"phase", "Succeeded"}});
  dispatcher_.onBuild({key_, nullptr, &building, true});
  EXPECT_NE(metrics_.serialize({}).find("stagewright_builds{phase=\"Building\"} 1"),
            std::string::npos);
  dispatcher_.onBuild({key_, &building, &done, false});
  const std::string text = metrics_.serialize({});
  EXPECT_NE(text.find("stagewright_builds{phase=\"Building\"} 0"), std::string::npos);
  EXPECT_NE(text.find("stagewright_builds{phase=\"Succeeded\"} 1"), std::string::npos);
}

TEST(MetricNames, AreThoseThatDashboardsKnow) {
  Metrics metrics;
  metrics.setLeader("stagewright-operator", true);
  metrics.onRequest("GET", 200, "h:6443", Millis(3));
  const std::string text = metrics.serialize({});
  for (const char* name :
       {"controller_runtime_reconcile_total{controller=\"imagebuild\",result=\"success\"} 0",
        "controller_runtime_reconcile_errors_total",
        "controller_runtime_terminal_reconcile_errors_total",
        "controller_runtime_reconcile_panics_total",
        "controller_runtime_reconcile_time_seconds_bucket",
        "controller_runtime_max_concurrent_reconciles",
        "controller_runtime_active_workers",
        "workqueue_depth{",
        "workqueue_adds_total",
        "workqueue_queue_duration_seconds_bucket",
        "workqueue_work_duration_seconds_bucket",
        "workqueue_unfinished_work_seconds",
        "workqueue_longest_running_processor_seconds",
        "workqueue_retries_total",
        "rest_client_requests_total{",
        "rest_client_request_duration_seconds_bucket",
        "leader_election_master_status{name=\"stagewright-operator\"} 1",
        "stagewright_build_duration_seconds_bucket",
        "stagewright_stage_duration_seconds_bucket",
        "stagewright_pod_latency_seconds_bucket",
        "leader_election_slowpath_total",
        "stagewright_builds_started_total 0",
        "stagewright_builds_finished_total{class=\"None\",reason=\"Succeeded\"} 0",
        "stagewright_builds_finished_total{class=\"Platform\",reason=\"PushFailed\"} 0",
        "stagewright_builds_waiting{reason=\"WorkspaceProvisioning\"} 0",
        "stagewright_phase_duration_seconds_bucket{phase=\"Publishing\"",
        "stagewright_seconds_since_progress 0",
        "stagewright_throttled_by_quota 0",
        "stagewright_throttled_by_node 0",
        "stagewright_throttled_by_queue 0"}) {
    EXPECT_NE(text.find(name), std::string::npos) << name;
  }
}

TEST(TrimPod, KeepsTheRunKeyAndNothingElseOfTheEnvironment) {
  Json pod = {{"metadata", {{"name", "p"}}},
              {"spec",
               {{"nodeName", "w1"},
                {"volumes", Json::array({1})},
                {"initContainers", {{{"name", "tools"}, {"image", "i"}, {"command", {"x"}}}}},
                {"containers",
                 {{{"name", "prepare"},
                   {"image", "b"},
                   {"env",
                    {{{"name", "STAGEWRIGHT_RUN_KEY"}, {"value", "ab"}},
                     {{"name", "STAGEWRIGHT_REQUEST"}, {"value", "{}"}}}}}}}}},
              {"status", {{"phase", "Running"}}}};
  trimPod(pod);
  EXPECT_EQ(pod["spec"],
            Json::parse(R"({"nodeName":"w1","initContainers":[{"name":"tools","image":"i"}],
      "containers":[{"name":"prepare","image":"b","env":[{"name":"STAGEWRIGHT_RUN_KEY","value":"ab"}]}]})"));
  EXPECT_EQ(pod["status"]["phase"], "Running");
}

}  // namespace
}  // namespace stagewright::op
