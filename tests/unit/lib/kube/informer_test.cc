#include "lib/kube/informer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/fake_api_clock.h"
#include "tests/support/fake_api_transport.h"

namespace stagewright::kube {
namespace {

using Answer = FakeApiTransport::Answer;

std::string pod(const std::string& name, const std::string& version,
                const std::string& extra = "") {
  return R"({"metadata":{"name":")" + name + R"(","namespace":"ns","resourceVersion":")" + version +
         "\"" + extra + "}}";
}

Answer list(const std::string& version, const std::vector<std::string>& items,
            const std::string& next = "") {
  std::string body = R"({"kind":"PodList","metadata":{"resourceVersion":")" + version +
                     R"(","continue":")" + next + R"("},"items":[)";
  for (std::size_t i = 0; i < items.size(); ++i) {
    body += (i == 0 ? "" : ",") + items[i];
  }
  return Answer{.body = body + "]}"};
}

std::string event(const std::string& type, const std::string& object) {
  return R"({"type":")" + type + R"(","object":)" + object + "}";
}

std::string bookmark(const std::string& version) {
  return event("BOOKMARK", R"({"metadata":{"resourceVersion":")" + version + R"("}})");
}

const std::string kGone = R"({"kind":"Status","code":410,"reason":"Expired","message":"too old"})";

/// Runs an informer against a script until it is used up.
class InformerScript : public testing::Test {
 protected:
  void run() {
    transport_.whenExhausted([this] { stop_.request_stop(); });
    informer_.run(stop_.get_token());
  }

  static std::string queryValue(const std::string& path, const std::string& key) {
    const std::size_t at = path.find(key + "=");
    return at == std::string::npos
               ? ""
               : path.substr(at + key.size() + 1, path.find('&', at) - at - key.size() - 1);
  }
  /// `list@0`, `watch@12` … of every request.
  std::vector<std::string> requests() {
    std::vector<std::string> out;
    for (const auto& asked : transport_.asked()) {
      const bool watch = asked.path.find("watch=1") != std::string::npos;
      const std::string token = queryValue(asked.path, "continue");
      out.push_back((watch ? "watch@" : "list@") + queryValue(asked.path, "resourceVersion") +
                    (token.empty() ? "" : "+" + token));
    }
    return out;
  }

  FakeApiTransport transport_;
  FakeApiClock clock_;
  ApiClient client_{transport_, clock_, {Millis(1000), Millis(0)}};
  std::stop_source stop_;
  std::vector<std::string> changes_;
  Informer informer_{client_,
                     clock_,
                     {.resource = kPods,
                      .ns = "",
                      .labelSelector = "",
                      .index = nullptr,
                      .trim = nullptr,
                      .seed = 1},
                     [this](const Change& c) {
                       changes_.push_back(std::string(c.before == nullptr  ? "+"
                                                      : c.after == nullptr ? "-"
                                                                           : "~") +
                                          c.key + (c.initial ? " initial" : ""));
                     }};
};

TEST_F(InformerScript, ListsThenWatchesFromTheListsVersion) {
  transport_.then(list("10", {pod("a", "5")}));
  transport_.then({.lines = {event("ADDED", pod("b", "11")), event("MODIFIED", pod("a", "12")),
                             event("DELETED", pod("b", "13"))}});
  run();
  EXPECT_EQ(changes_, (std::vector<std::string>{"+ns/a initial", "+ns/b", "~ns/a", "-ns/b"}));
  EXPECT_EQ(requests(), (std::vector<std::string>{"list@0", "watch@10", "watch@13"}));
  EXPECT_TRUE(informer_.isSynced());
}

TEST_F(InformerScript, LeavesOtherNamespacesOfASharedStoreAlone) {
  Store store;
  store.put(Json::parse(pod("z", "3")));  // in "ns", which is another's
  Informer other(client_, clock_, {.resource = kPods, .ns = "team-a", .seed = 1}, store,
                 [this](const Change& c) { changes_.push_back(c.key); });
  transport_.then(list("10", {}));
  transport_.whenExhausted([this] { stop_.request_stop(); });
  other.run(stop_.get_token());
  EXPECT_EQ(store.keys(), std::vector<std::string>{"ns/z"});
  EXPECT_TRUE(changes_.empty());
}

TEST_F(InformerScript, AsksForAWatchThatEndsInTime) {
  transport_.then(list("10", {}));
  run();
  const int seconds = std::stoi(queryValue(transport_.asked()[1].path, "timeoutSeconds"));
  EXPECT_GE(seconds, 280);
  EXPECT_LE(seconds, 300);
}

TEST_F(InformerScript, FollowsContinueTokensAndKeepsTheFirstVersion) {
  transport_.then(list("10", {pod("a", "5")}, "t1")).then(list("11", {pod("b", "6")}));
  run();
  EXPECT_EQ(requests(), (std::vector<std::string>{"list@0", "list@+t1", "watch@10"}));
}

TEST_F(InformerScript, BookmarksAdvanceTheVersion) {
  transport_.then(list("10", {}));
  transport_.then({.lines = {bookmark("50")}, .cut = true});
  run();
  EXPECT_EQ(informer_.resourceVersion(), "50");
  EXPECT_EQ(requests(), (std::vector<std::string>{"list@0", "watch@10", "watch@50"}));
  EXPECT_TRUE(changes_.empty());
}

TEST_F(InformerScript, RelistsAtTheQuorumAfter410InTheStreamAndFindsDeletions) {
  transport_.then(list("10", {pod("a", "5"), pod("b", "6")}));
  transport_.then({.lines = {event("MODIFIED", pod("a", "11")), event("ERROR", kGone)}});
  transport_.then(list("40", {pod("b", "6"), pod("c", "30")}));
  run();
  EXPECT_EQ(requests(), (std::vector<std::string>{"list@0", "watch@10", "list@", "watch@40"}));
  EXPECT_EQ(changes_, (std::vector<std::string>{"+ns/a initial", "+ns/b initial", "~ns/a", "+ns/c",
                                                "-ns/a"}));
}

TEST_F(InformerScript, RelistsAfter410AsAnAnswer) {
  transport_.then(list("10", {}));
  transport_.then({.status = 410, .body = kGone});
  transport_.then(list("20", {}));
  run();
  EXPECT_EQ(requests(), (std::vector<std::string>{"list@0", "watch@10", "list@", "watch@20"}));
}

TEST_F(InformerScript, AfterABrokenConnectionItWatchesOnWithoutAList) {
  transport_.then(list("10", {}));
  transport_.then({.lines = {event("ADDED", pod("a", "11"))}, .cut = true});
  transport_.then({.cut = true});
  transport_.then({.status = 429});
  run();
  EXPECT_EQ(requests(),
            (std::vector<std::string>{"list@0", "watch@10", "watch@11", "watch@11", "watch@11"}));
  EXPECT_GE(clock_.elapsed(), Millis(800 + 1600 + 3200));
  EXPECT_LE(clock_.elapsed(), Millis(2 * (800 + 1600 + 3200 + 6400)));
}

TEST_F(InformerScript, AWatchThatEndsAtOnceIsAnError) {
  transport_.then(list("10", {})).then({});
  run();
  EXPECT_GE(clock_.elapsed(), Millis(800));
}

TEST_F(InformerScript, RelistsWhenServerErrorsGoOn) {
  int watches = 0;
  transport_.answerWith([&](const ApiRequest& request) {
    if (request.path.find("watch=1") == std::string::npos) {
      if (watches > 0) {
        stop_.request_stop();
      }
      return list("10", {});
    }
    ++watches;
    return Answer{.status = 500, .body = "{}"};
  });
  informer_.run(stop_.get_token());
  EXPECT_GT(watches, 3);
  EXPECT_GT(clock_.elapsed(), std::chrono::minutes(1));
}

TEST_F(InformerScript, ListFailuresBackOffAndThenSync) {
  transport_.then({.status = 403, .body = "{}"})
      .then({.status = 403, .body = "{}"})
      .then(list("10", {}));
  run();
  EXPECT_TRUE(informer_.isSynced());
  EXPECT_GE(clock_.elapsed(), Millis(800 + 1600));
}

TEST_F(InformerScript, CutsServerBookkeeping) {
  transport_.then(list(
      "10",
      {pod(
          "a", "5",
          R"(,"managedFields":[{}],"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"x","keep":"y"})")}));
  run();
  const Json kept = *informer_.store().get("ns/a");
  EXPECT_FALSE(kept["metadata"].contains("managedFields"));
  EXPECT_EQ(kept["metadata"]["annotations"], Json::parse(R"({"keep":"y"})"));
}

TEST(Store, ListsByIndex) {
  Store store([](const Json& object) { return object.value("group", ""); });
  const auto object = [](const char* name, const char* group) {
    return Json{{"metadata", {{"name", name}}}, {"group", group}};
  };
  store.put(object("a", "x"));
  store.put(object("b", "x"));
  store.put(object("a", "y"));
  EXPECT_EQ(store.inGroup("x").size(), 1u);
  EXPECT_EQ(store.inGroup("y").size(), 1u);
  store.erase("a");
  EXPECT_TRUE(store.inGroup("y").empty());
  EXPECT_EQ(store.size(), 1u);
}

// ---- WatchList ----

std::string endOfInitialEvents(const std::string& version) {
  return event("BOOKMARK", R"({"metadata":{"resourceVersion":")" + version +
                               R"(","annotations":{"k8s.io/initial-events-end":"true"}}})");
}

class InformerStream : public InformerScript {
 protected:
  void stream() {
    transport_.whenExhausted([this] { stop_.request_stop(); });
    streaming_.run(stop_.get_token());
  }
  Informer streaming_{
      client_, clock_, {.resource = kPods, .watchList = true, .seed = 1}, [this](const Change& c) {
        changes_.push_back(std::string(c.before == nullptr ? "+" : c.after == nullptr ? "-" : "~") +
                           c.key + (c.initial ? " initial" : ""));
      }};
};

TEST_F(InformerStream, BeginsWithEverythingAsEventsAndGoesOnAsAWatch) {
  transport_.then({.lines = {event("ADDED", pod("b", "9")), event("ADDED", pod("a", "5")),
                             endOfInitialEvents("10"), event("MODIFIED", pod("a", "11"))}});
  stream();
  EXPECT_EQ(changes_, (std::vector<std::string>{"+ns/b initial", "+ns/a initial", "~ns/a"}));
  EXPECT_EQ(requests(), (std::vector<std::string>{"watch@", "watch@11"}));
  EXPECT_EQ(queryValue(transport_.asked()[0].path, "sendInitialEvents"), "true");
  EXPECT_EQ(queryValue(transport_.asked()[0].path, "resourceVersionMatch"), "NotOlderThan");
  EXPECT_EQ(queryValue(transport_.asked()[1].path, "sendInitialEvents"), "");
  EXPECT_TRUE(streaming_.isSynced());
}

TEST_F(InformerStream, IsNotSyncedBeforeTheServerSaysThatAllWasTold) {
  transport_.then({.lines = {event("ADDED", pod("a", "5"))}, .cut = true});
  transport_.then({.cut = true, .before = [this] { EXPECT_FALSE(streaming_.isSynced()); }});
  stream();
  EXPECT_EQ(streaming_.resourceVersion(), "");
}

TEST_F(InformerStream, ListsWhereTheServerRefusesInitialEvents) {
  transport_.then({.status = 422, .body = R"({"kind":"Status","code":422,"reason":"Invalid"})"});
  transport_.then(list("10", {pod("a", "5")}));
  transport_.then({.lines = {event("ERROR", kGone)}});
  transport_.then(list("20", {pod("a", "5")}));
  stream();
  EXPECT_EQ(requests(), (std::vector<std::string>{"watch@", "list@0", "watch@10", "list@",
                                                  "watch@20"}));
}

TEST_F(InformerStream, ListsWhereTheServerIgnoresTheQuestion) {
  transport_.then({.lines = {event("ADDED", pod("a", "5")), event("MODIFIED", pod("a", "6"))}});
  transport_.then(list("10", {pod("a", "6")}));
  stream();
  EXPECT_EQ(requests(), (std::vector<std::string>{"watch@", "list@0", "watch@10"}));
}

TEST_F(InformerStream, After410ItStreamsAnewAndFindsDeletions) {
  transport_.then({.lines = {event("ADDED", pod("a", "5")), event("ADDED", pod("b", "6")),
                             endOfInitialEvents("10"), event("ERROR", kGone)}});
  transport_.then({.lines = {event("ADDED", pod("b", "6")), endOfInitialEvents("40")}});
  stream();
  EXPECT_EQ(changes_, (std::vector<std::string>{"+ns/a initial", "+ns/b initial", "-ns/a"}));
  EXPECT_EQ(requests(), (std::vector<std::string>{"watch@", "watch@", "watch@40"}));
}

TEST_F(InformerStream, AnApiServerThatIsAwayIsNotAskedForLists) {
  transport_.then({.cut = true}).then({.cut = true});
  transport_.then({.lines = {endOfInitialEvents("10")}});
  stream();
  EXPECT_EQ(requests(), (std::vector<std::string>{"watch@", "watch@", "watch@", "watch@10"}));
}

TEST_F(InformerScript, AFreshListWhoseTokenRanOutIsReadWhole) {
  transport_.then(list("10", {})).then({.lines = {event("ERROR", kGone)}});
  transport_.then(list("20", {pod("a", "5")}, "t")).then({.status = 410, .body = kGone});
  transport_.then(list("21", {pod("a", "5")}));
  run();
  const auto asked = transport_.asked();
  EXPECT_EQ(queryValue(asked[2].path, "limit"), "500");
  EXPECT_EQ(queryValue(asked[4].path, "limit"), "");
}

TEST_F(InformerScript, ARefusedWatchIsTriedAgainForAMinuteBeforeAListIs) {
  int lists = 0;
  int refused = 0;
  transport_.answerWith([&](const ApiRequest& request) {
    if (request.path.find("watch=1") != std::string::npos) {
      EXPECT_TRUE(refused > 0 || !informer_.isCutOff());
      ++refused;
      return Answer{.status = 403, .body = R"({"kind":"Status","code":403,"reason":"Forbidden"})"};
    }
    if (++lists == 2) {
      EXPECT_TRUE(informer_.isCutOff());
      stop_.request_stop();
    }
    return list("10", {});
  });
  informer_.run(stop_.get_token());
  EXPECT_EQ(lists, 2);
  EXPECT_GE(refused, 4);
}

}  // namespace
}  // namespace stagewright::kube
