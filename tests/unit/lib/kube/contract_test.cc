// What lib/kube believes about an API server, tried on a real one: set STAGEWRIGHT_TEST_KUBECONFIG.
// Everything happens in a namespace kube-try-<random> that is deleted at the end.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <future>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "lib/base/hash.h"
#include "lib/kube/client.h"
#include "lib/kube/cpprest_transport.h"
#include "lib/kube/events.h"
#include "lib/kube/informer.h"
#include "lib/kube/kubeconfig.h"
#include "lib/kube/lease.h"
#include "lib/kube/watch_event.h"

/// Debian's libcpprest is not instrumented: ThreadSanitizer does not see how it counts references,
/// and takes each deletion on a pool thread for a race. Without a real server nothing is
/// suppressed.
extern "C" const char* __tsan_default_suppressions();  // NOLINT(bugprone-reserved-identifier)
extern "C" const char* __tsan_default_suppressions() { return "race:libcpprest.so"; }

namespace stagewright::kube {
namespace {

constexpr std::chrono::seconds kPatience{20};

class RealApiServer : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const char* path = std::getenv("STAGEWRIGHT_TEST_KUBECONFIG");
    if (path == nullptr || *path == '\0') {
      return;
    }
    initializeApiProcess();
    Result<ClusterConfig> config = loadKubeconfig(path);
    ASSERT_TRUE(config.has_value()) << config.error().message;
    transport_ = makeCpprestTransport(std::move(*config)).release();
    namespace_ = "kube-try-" + toBase32Lower(randomBytes(5));
    SystemClock clock;
    ApiClient client(*transport_, clock);
    const auto made =
        client.create(kNamespaces, "", Json{{"metadata", {{"name", namespace_}}}}, {});
    ASSERT_TRUE(made.has_value()) << made.error().message;
  }
  static void TearDownTestSuite() {
    if (transport_ != nullptr) {
      SystemClock clock;
      ApiClient client(*transport_, clock);
      (void)client.remove(kNamespaces, "", namespace_, {}, {});
      delete transport_;
      transport_ = nullptr;
    }
  }
  void SetUp() override {
    if (transport_ == nullptr) {
      GTEST_SKIP() << "needs a real API server: set STAGEWRIGHT_TEST_KUBECONFIG";
    }
    client_ = std::make_unique<ApiClient>(*transport_, clock_);
  }

  static Json configMap(const std::string& name, const std::string& value,
                        const std::string& label = "") {
    Json object = {{"apiVersion", "v1"},
                   {"kind", "ConfigMap"},
                   {"metadata", {{"name", name}}},
                   {"data", {{"k", value}}}};
    if (!label.empty()) {
      object["metadata"]["labels"]["try"] = label;
    }
    return object;
  }
  Json make(const std::string& name, const std::string& value, const std::string& label = "") {
    ApiResult<Json> made =
        client_->create(kConfigMaps, namespace_, configMap(name, value, label), {});
    EXPECT_TRUE(made.has_value()) << made.error().message;
    return made ? *made : Json::object();
  }
  static std::string versionOf(const Json& object) { return object["metadata"]["resourceVersion"]; }

  inline static ApiTransport* transport_ = nullptr;
  inline static std::string namespace_;
  SystemClock clock_;
  std::unique_ptr<ApiClient> client_;
};

TEST_F(RealApiServer, TellsItsVersion) {
  const ApiResult<Json> version = client_->getPath("/version", {});
  ASSERT_TRUE(version.has_value()) << version.error().message;
  EXPECT_EQ((*version)["major"], "1");
}

TEST_F(RealApiServer, CreatesReadsReplacesPatchesAndDeletes) {
  const Json made = make("life", "1");
  Json changed = made;
  changed["data"]["k"] = "2";
  const ApiResult<Json> replaced = client_->replace(kConfigMaps, namespace_, "life", changed, {});
  ASSERT_TRUE(replaced.has_value()) << replaced.error().message;
  const ApiResult<Json> conflict = client_->replace(kConfigMaps, namespace_, "life", changed, {});
  ASSERT_FALSE(conflict.has_value());
  EXPECT_EQ(conflict.error().code, Code::kConflict);
  EXPECT_FALSE(conflict.error().isAlreadyExists());
  const ApiResult<Json> patched = client_->patch(kConfigMaps, namespace_, "life", PatchType::kMerge,
                                                 Json{{"data", {{"k", "3"}}}}, {});
  ASSERT_TRUE(patched.has_value()) << patched.error().message;
  EXPECT_EQ((*client_->get(kConfigMaps, namespace_, "life", {}))["data"]["k"], "3");
  const ApiResult<Json> stale = client_->remove(
      kConfigMaps, namespace_, "life", {.uid = "00000000-0000-0000-0000-000000000000"}, {});
  ASSERT_FALSE(stale.has_value());
  EXPECT_EQ(stale.error().code, Code::kConflict);
  EXPECT_TRUE(client_->remove(kConfigMaps, namespace_, "life", {.uid = made["metadata"]["uid"]}, {})
                  .has_value());
  EXPECT_EQ(client_->get(kConfigMaps, namespace_, "life", {}).error().code, Code::kNotFound);
}

TEST_F(RealApiServer, ApplyCreatesAndOwns) {
  const ApiResult<Json> applied =
      client_->patch(kConfigMaps, namespace_, "applied", PatchType::kApply,
                     configMap("applied", "x"), {}, {.force = true});
  ASSERT_TRUE(applied.has_value()) << applied.error().message;
  EXPECT_EQ((*applied)["metadata"]["managedFields"][0]["manager"], "stagewright");
}

TEST_F(RealApiServer, SaysWhyItRefuses) {
  make("twice", "1");
  const ApiResult<Json> again =
      client_->create(kConfigMaps, namespace_, configMap("twice", "1"), {});
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, Code::kConflict);
  EXPECT_TRUE(again.error().isAlreadyExists());
  const ApiResult<Json> bad =
      client_->create(kConfigMaps, namespace_, configMap("Not A Name", "1"), {});
  ASSERT_FALSE(bad.has_value());
  EXPECT_EQ(bad.error().code, Code::kInvalid);
  EXPECT_EQ(bad.error().status, 422);
  EXPECT_NE(bad.error().message.find("metadata.name"), std::string::npos);
}

TEST_F(RealApiServer, QuotaRefusalsAreTold) {
  const Json quota = {{"metadata", {{"name", "none"}}},
                      {"spec", {{"hard", {{"count/secrets", "0"}}}}}};
  constexpr Resource kQuotas{"", "v1", "resourcequotas"};
  constexpr Resource kSecrets{"", "v1", "secrets"};
  ASSERT_TRUE(client_->create(kQuotas, namespace_, quota, {}).has_value());
  ApiResult<Json> refused = client_->create(
      kSecrets, namespace_, Json{{"metadata", {{"name", "s"}}}}, {}, {.dryRun = true});
  for (int i = 0; refused && i < 50; ++i) {  // the quota counts once its status is there
    clock_.sleepFor(Millis(100), {});
    refused = client_->create(kSecrets, namespace_, Json{{"metadata", {{"name", "s"}}}}, {},
                              {.dryRun = true});
  }
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kDenied);
  EXPECT_TRUE(refused.error().isQuota()) << refused.error().message;
}

TEST_F(RealApiServer, ListsInPages) {
  for (int i = 0; i < 5; ++i) {
    make("page-" + std::to_string(i), "x", "page");
  }
  ListOptions options{.labelSelector = "try=page", .limit = 2};
  std::vector<std::string> names;
  int pages = 0;
  do {
    const ApiResult<ListMeta> page =
        client_->list(kConfigMaps, namespace_, options,
                      [&](Json& o) { names.push_back(o["metadata"]["name"]); }, {});
    ASSERT_TRUE(page.has_value()) << page.error().message;
    options.continueToken = page->continueToken;
    ++pages;
  } while (!options.continueToken.empty());
  EXPECT_EQ(pages, 3);
  EXPECT_EQ(names.size(), 5u);
}

TEST_F(RealApiServer, WatchesInOrderAndEndsWhenToldTo) {
  const Json first = make("watched", "1", "watch");
  ASSERT_TRUE(client_->remove(kConfigMaps, namespace_, "watched", {}, {}).has_value());
  std::vector<std::string> types;
  const ApiStatus ended = client_->watch(
      kConfigMaps, namespace_,
      {.labelSelector = "try=watch", .resourceVersion = versionOf(first), .timeoutSeconds = 10},
      [&](std::string_view line) {
        const ApiResult<WatchEvent> event = parseWatchEvent(line);
        EXPECT_TRUE(event.has_value());
        types.push_back(event && event->type == WatchEvent::Type::kDeleted ? "deleted" : "other");
        return types.back() != "deleted";
      },
      {});
  EXPECT_TRUE(ended.has_value()) << ended.error().message;
  EXPECT_EQ(types, std::vector<std::string>{"deleted"});
}

TEST_F(RealApiServer, AWatchEndsByItselfAfterItsTimeout) {
  const ApiStatus ended =
      client_->watch(kConfigMaps, namespace_, {.resourceVersion = "0", .timeoutSeconds = 1},
                     [](std::string_view) { return true; }, {});
  EXPECT_TRUE(ended.has_value()) << ended.error().message;
}

TEST_F(RealApiServer, AStopEndsASilentWatchAtOnce) {
  std::stop_source stop;
  std::future<ApiStatus> watching = std::async(std::launch::async, [&] {
    return client_->watch(
        kConfigMaps, namespace_, {.labelSelector = "try=nothing"},
        [](std::string_view) { return true; }, stop.get_token());
  });
  EXPECT_EQ(watching.wait_for(std::chrono::milliseconds(300)), std::future_status::timeout);
  stop.request_stop();
  ASSERT_EQ(watching.wait_for(std::chrono::seconds(5)), std::future_status::ready);
  EXPECT_EQ(watching.get().error().code, Code::kCancelled);
}

TEST_F(RealApiServer, AnOldVersionIsGone) {
  const ApiStatus ended =
      client_->watch(kConfigMaps, namespace_, {.resourceVersion = "1", .timeoutSeconds = 2},
                     [](std::string_view line) { return parseWatchEvent(line).has_value(); }, {});
  // A young server may still have version 1; an old one says 410 as an answer or inside the stream.
  if (!ended) {
    EXPECT_TRUE(ended.error().isGone()) << ended.error().message;
  }
}

TEST_F(RealApiServer, AnUnknownPodHasNoLog) {
  const ApiStatus ended = client_->log(namespace_, "absent", {.container = "c", .follow = true},
                                       [](std::string_view) { return true; }, {});
  ASSERT_FALSE(ended.has_value());
  EXPECT_EQ(ended.error().code, Code::kNotFound);
  EXPECT_NE(ended.error().message.find("pods \"absent\" not found"), std::string::npos)
      << ended.error().message;
}

TEST_F(RealApiServer, FollowsALogLineByLineUntilTheContainerEnds) {
  const char* image = std::getenv("STAGEWRIGHT_TEST_IMAGE");
  if (image == nullptr) {
    GTEST_SKIP()
        << "needs an image with /bin/sh that the nodes can pull: set STAGEWRIGHT_TEST_IMAGE";
  }
  const char* script = "for i in 1 2 3; do echo \"##frame $i\"; echo noise; sleep 0.5; done";
  const Json pod = {
      {"metadata", {{"name", "talker"}}},
      {"spec",
       {{"restartPolicy", "Never"},
        {"containers",
         {{{"name", "c"}, {"image", image}, {"command", {"/bin/sh", "-c", script}}}}}}}};
  ASSERT_TRUE(client_->create(kPods, namespace_, pod, {}).has_value());
  LogOptions options{.container = "c", .follow = true};
  options.limits.prefix = "##frame ";
  std::vector<std::string> lines;
  std::vector<SteadyPoint> times;
  ApiStatus ended;
  const SteadyPoint deadline = clock_.steadyNow() + std::chrono::minutes(1);
  do {  // the server refuses until the container runs
    ended = client_->log(namespace_, "talker", options,
                         [&](std::string_view line) {
                           lines.emplace_back(line);
                           times.push_back(clock_.steadyNow());
                           return true;
                         },
                         {});
  } while (lines.empty() && clock_.steadyNow() < deadline && clock_.sleepFor(Millis(100), {}));
  EXPECT_TRUE(ended.has_value()) << ended.error().message;
  ASSERT_EQ(lines, (std::vector<std::string>{"##frame 1", "##frame 2", "##frame 3"}));
  EXPECT_GT(times[2] - times[1], std::chrono::milliseconds(200))
      << "lines come as they are written";
}

TEST_F(RealApiServer, AnInformerFollowsChanges) {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> seen;
  make("before", "1", "inform");
  Informer informer(
      *client_, clock_, {.resource = kConfigMaps, .ns = namespace_, .labelSelector = "try=inform"},
      [&](const Change& c) {
        const std::scoped_lock lock(mutex);
        seen.push_back((c.before == nullptr ? "+" : c.after == nullptr ? "-" : "~") + c.key);
        changed.notify_all();
      });
  std::jthread thread([&](std::stop_token stop) { informer.run(stop); });
  const auto waitFor = [&](std::size_t count) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, kPatience, [&] { return seen.size() >= count; });
  };
  ASSERT_TRUE(waitFor(1));
  const Json made = make("during", "1", "inform");
  ASSERT_TRUE(waitFor(2));
  EXPECT_TRUE(isAtLeast(informer.resourceVersion(), versionOf(made)));
  ASSERT_TRUE(client_->remove(kConfigMaps, namespace_, "before", {}, {}).has_value());
  ASSERT_TRUE(waitFor(3));
  const std::string prefix = namespace_ + "/";
  EXPECT_EQ(seen, (std::vector<std::string>{"+" + prefix + "before", "+" + prefix + "during",
                                            "-" + prefix + "before"}));
  EXPECT_EQ(informer.store().size(), 1u);
}

TEST_F(RealApiServer, ALeaseChangesHands) {
  ApiClient client(*transport_, clock_, makeLeaseClientOptions({}));
  LeaderElector a(client, clock_, {.ns = namespace_, .name = "leader", .identity = "a"});
  LeaderElector b(client, clock_, {.ns = namespace_, .name = "leader", .identity = "b"});
  ASSERT_TRUE(a.acquire({}));
  a.release();
  ASSERT_TRUE(b.acquire({}));
  EXPECT_TRUE(b.isLeader());
}

TEST_F(RealApiServer, EventsArriveAndBecomeASeries) {
  const Json object = make("eventful", "1");
  const EventTarget target{
      "v1", "ConfigMap", namespace_, "eventful", object["metadata"]["uid"], versionOf(object)};
  EventRecorder recorder(*client_, clock_, "stagewright.dev/test", "test");
  recorder.record(target, {"Normal", "Tried", "a note"}, "Try");
  recorder.record(target, {"Normal", "Tried", "a note"}, "Try");
  int count = 0;
  for (int i = 0; count < 2 && i < 200; ++i) {
    clock_.sleepFor(Millis(50), {});
    (void)client_->list(kEvents, namespace_, {.fieldSelector = "reason=Tried"},
                        [&](Json& event) {
                          EXPECT_EQ(event["note"], "a note");
                          EXPECT_EQ(event["regarding"]["uid"], target.uid);
                          count =
                              event.contains("series") ? event["series"]["count"].get<int>() : 1;
                        },
                        {});
  }
  EXPECT_EQ(count, 2);
}

}  // namespace
}  // namespace stagewright::kube
