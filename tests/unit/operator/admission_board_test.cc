#include "operator/admission_board.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "tests/support/fake_api_clock.h"

namespace stagewright::op {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr const char* kSince = "2026-11-28T01:00:00Z";

Json build(const std::string& name, int version, Json run = nullptr) {
  Json out = {{"metadata",
               {{"name", name}, {"namespace", "ns"}, {"resourceVersion", std::to_string(version)}}},
              {"spec", Json::object()},
              {"status", Json::object()}};
  if (!run.is_null()) {
    out["status"]["run"] = std::move(run);
  }
  return out;
}
Json queued(int position = 1) {
  return {{"id", "r"}, {"startTime", kSince}, {"queuePosition", position}};
}
Json admitted() { return {{"id", "r"}, {"startTime", kSince}, {"admittedTime", kSince}}; }
Json finished() {
  Json run = admitted();
  run["result"] = "Succeeded";
  return run;
}

queue::Ticket ticket(const std::string& name, int after = 0) {
  return {"ns/" + name, "ns", "", 0, parseTime(kSince).value() + std::chrono::seconds(after)};
}

class Board : public testing::Test {
 protected:
  void see(const std::string& name, const Json& object) {
    board_.observe({"ns/" + name, nullptr, &object, false});
  }
  void gone(const std::string& name, const Json& before) {
    board_.observe({"ns/" + name, &before, nullptr, false});
  }
  bool grants(const std::string& name, int after = 0) {
    const auto answer = board_.ask(ticket(name, after));
    EXPECT_TRUE(answer);
    return answer && answer->granted;
  }
  std::vector<std::string> woken() { return std::exchange(woken_, {}); }

  kube::FakeApiClock clock_;
  std::vector<std::string> woken_;
  queue::NamespaceRules rules_;
  AdmissionBoard board_{clock_,
                        {.running = 1},
                        [this](const std::string&) { return rules_; },
                        [this](const std::string& key) { woken_.push_back(key); }};
};

TEST_F(Board, GrantsNothingBeforeItIsOpen) {
  EXPECT_FALSE(board_.ask(ticket("a")));
  see("a", build("a", 1, queued()));
  EXPECT_THAT(woken(), IsEmpty());
  board_.open();
  EXPECT_THAT(woken(), ElementsAre("ns/a"));
  EXPECT_TRUE(grants("a"));
}

TEST_F(Board, APlaceIsTakenFromTheGrantOn) {
  board_.open();
  EXPECT_TRUE(grants("a"));
  EXPECT_FALSE(grants("b", 1));
  EXPECT_TRUE(grants("a")) << "asking again changes nothing";
  board_.settle("ns/a", true, "5");
  board_.settle("ns/b", true, "6");
  see("a", build("a", 3));  // an event from before the write
  EXPECT_FALSE(grants("b", 1));
  see("a", build("a", 5, admitted()));
  EXPECT_FALSE(grants("b", 1));
  EXPECT_THAT(woken(), IsEmpty());
  see("a", build("a", 9, finished()));
  EXPECT_THAT(woken(), ElementsAre("ns/b"));
  EXPECT_TRUE(grants("b", 1));
}

TEST_F(Board, TheEventMayComeBeforeTheAnswerOfTheWrite) {
  board_.open();
  EXPECT_TRUE(grants("a"));
  see("a", build("a", 5, finished()));
  EXPECT_FALSE(grants("b", 1));
  board_.settle("ns/a", true, "5");
  EXPECT_THAT(woken(), ElementsAre("ns/b"));
}

TEST_F(Board, AWriteWithoutAnswerKeepsThePlaceUntilTheNextPlan) {
  board_.open();
  EXPECT_TRUE(grants("a"));
  board_.settle("ns/a", true, "");
  see("a", build("a", 5, queued()));
  EXPECT_FALSE(grants("b", 1));
  EXPECT_TRUE(grants("a"));
  board_.settle("ns/a", true, "8");
  see("a", build("a", 8, admitted()));
  EXPECT_FALSE(grants("b", 1));
}

TEST_F(Board, APlaceNobodyWantsGoesToTheNext) {
  board_.open();
  EXPECT_TRUE(grants("a"));
  EXPECT_FALSE(grants("b", 1));
  board_.settle("ns/a", false, "");  // it was suspended meanwhile
  EXPECT_THAT(woken(), ElementsAre("ns/b"));
  gone("b", build("b", 1));
  EXPECT_TRUE(grants("c", 2));
}

TEST_F(Board, AWaitingBuildThatAsksForNothingIsPassedOver) {
  board_.open();
  see("claim", build("claim", 1, queued()));
  EXPECT_THAT(woken(), ElementsAre("ns/claim"));
  EXPECT_FALSE(grants("b", 1));
  board_.settle("ns/claim", false, "");  // another build has its claim
  EXPECT_THAT(woken(), ElementsAre("ns/b"));
}

TEST_F(Board, ANewRunOfTheSameBuildKeepsItsPlace) {
  board_.open();
  see("a", build("a", 2, admitted()));
  EXPECT_FALSE(grants("b", 1));
  EXPECT_TRUE(grants("a"));
  board_.settle("ns/a", true, "7");
  see("a", build("a", 5, finished()));  // the old run, while the write of the new one is on its way
  EXPECT_THAT(woken(), IsEmpty());
  see("a", build("a", 7, admitted()));
  EXPECT_FALSE(grants("b", 1));
  see("a", build("a", 9, finished()));
  EXPECT_THAT(woken(), ElementsAre("ns/b"));
}

TEST_F(Board, WhatTheLeaderBeforeAdmittedCountsBeforeTheCacheShowsIt) {
  see("a", build("a", 3, queued()));
  board_.expectRunning(build("a", 8, admitted()));
  board_.expectRunning(build("q", 8, queued()));
  board_.open();
  EXPECT_THAT(woken(), IsEmpty());
  EXPECT_FALSE(grants("b", 1));
  see("a", build("a", 8, admitted()));
  EXPECT_FALSE(grants("b", 1));
  see("a", build("a", 9, finished()));
  EXPECT_THAT(woken(), ElementsAre("ns/b"));
}

TEST_F(Board, ABuildThatVanishedBeforeTheCacheSawItGivesItsPlaceBack) {
  board_.expectRunning(build("a", 8, admitted()));
  board_.open();
  EXPECT_FALSE(grants("b", 1));
  board_.dropVanished("7");
  EXPECT_THAT(woken(), IsEmpty());
  board_.dropVanished("8");
  EXPECT_THAT(woken(), ElementsAre("ns/b"));
}

TEST_F(Board, ARestartKeepsTheOrder) {
  Json late = build("a", 1, queued());
  late["status"]["run"]["startTime"] = "2026-11-28T01:00:09Z";
  Json urgent = build("c", 1, queued());
  urgent["spec"]["priority"] = 5;
  urgent["status"]["run"]["startTime"] = "2026-11-28T01:00:10Z";
  see("a", late);
  see("b", build("b", 1, queued()));
  see("c", urgent);
  Json suspended = build("s", 1, queued());
  suspended["spec"]["suspend"] = true;
  see("s", suspended);
  board_.open();
  std::vector<std::string> order;
  for (int i = 0; i < 3; ++i) {
    const std::vector<std::string> next = woken();
    ASSERT_EQ(next.size(), 1u);
    order.push_back(next[0]);
    gone(next[0].substr(3), build(next[0].substr(3), 1));
  }
  EXPECT_THAT(order, ElementsAre("ns/c", "ns/b", "ns/a"));
  EXPECT_THAT(woken(), IsEmpty()) << "the suspended one asks when it is resumed";
}

TEST_F(Board, AHoldIsTakenUpAndLetGo) {
  rules_.heldBy = "held";
  board_.open();
  const auto answer = board_.ask(ticket("a"));
  ASSERT_TRUE(answer);
  EXPECT_FALSE(answer->granted);
  EXPECT_TRUE(answer->held);
  EXPECT_EQ(answer->why, "held");
  rules_.heldBy.clear();
  board_.refreshRules("");
  EXPECT_THAT(woken(), ElementsAre("ns/a"));
}

TEST_F(Board, OnlyPositionsThatMovedOverABoundaryAreStale) {
  board_.open();
  see("run", build("run", 1, admitted()));
  for (int i = 0; i < 300; ++i) {
    char name[8];
    std::snprintf(name, sizeof name, "b%03d", i);
    see(name, build(name, 1, queued(queue::coarsePosition(i + 1))));
  }
  EXPECT_THAT(board_.stalePositions(1000), IsEmpty());
  see("run", build("run", 2, finished()));
  EXPECT_THAT(woken(), ElementsAre("ns/b000"));
  EXPECT_THAT(board_.stalePositions(1000), ElementsAre("ns/b001", "ns/b002", "ns/b003", "ns/b004",
                                                       "ns/b005", "ns/b010", "ns/b100"));
  EXPECT_THAT(board_.stalePositions(2), ElementsAre("ns/b001", "ns/b002"));
}

TEST_F(Board, CountsForMetrics) {
  board_.open();
  grants("a", 10);
  grants("b", 30);
  grants("c", 20);
  const AdmissionBoard::Snapshot snapshot = board_.snapshot();
  EXPECT_EQ(snapshot.running, 1u);
  EXPECT_EQ(snapshot.waiting, 2u);
  EXPECT_EQ(snapshot.oldest, std::chrono::duration<double>(clock_.now() - ticket("c", 20).since));
}

/// A server with builds, a cache that is behind, workers that die: never more run than may.
TEST(BoardSimulation, NeverAdmitsTooManyAndEndsWithEverybodyServed) {
  for (unsigned seed = 0; seed < 15; ++seed) {
    std::mt19937 random(seed);
    const auto pick = [&](int below) {
      return static_cast<int>(random() % static_cast<unsigned>(below));
    };
    const int limit = 1 + pick(4);
    kube::FakeApiClock clock;
    std::map<std::string, Json> server;                // the truth
    std::vector<std::pair<std::string, Json>> events;  // on their way to the cache
    std::map<std::string, Json> cache;
    std::set<std::string> keys;
    std::set<std::string> running;  // by the truth
    std::map<std::string, std::pair<Json, lifecycle::Admission>> working;
    int version = 0;
    std::unique_ptr<AdmissionBoard> board;
    const auto write = [&](const std::string& name, const Json& run) {
      server[name] = build(name, ++version, run);
      events.emplace_back(name, server[name]);
      const bool runs = run.is_object() && run.contains("admittedTime") && !run.contains("result");
      runs ? void(running.insert(name)) : void(running.erase(name));
    };
    const auto start = [&] {
      keys.clear();
      working.clear();
      board = std::make_unique<AdmissionBoard>(
          clock, queue::Limits{.running = limit},
          [](const std::string&) { return queue::NamespaceRules(); },
          [&](const std::string& key) { keys.insert(key); });
      for (const auto& [name, object] : cache) {
        board->observe({"ns/" + name, nullptr, &object, true});
        keys.insert("ns/" + name);
      }
      for (const auto& [name, object] : server) {
        board->expectRunning(object);
      }
      board->open();
    };
    const auto deliver = [&] {
      const auto [name, object] = events.front();
      events.erase(events.begin());
      cache[name] = object;
      board->observe({"ns/" + name, nullptr, &object, false});
      keys.insert("ns/" + name);
    };
    // A worker asks, and some time later it writes.
    const auto begin = [&](const std::string& key) {
      keys.erase(key);
      const std::string name = key.substr(3);
      const Json run = cache.at(name)["status"].value("run", Json());
      if (!run.is_null() && (run.contains("admittedTime") || run.contains("result"))) {
        board->settle(key, false, "");
        return;
      }
      const auto answer = board->ask(ticket(name, 0));
      ASSERT_TRUE(answer);
      working[key] = {cache.at(name), *answer};
    };
    const auto finish = [&](const std::string& key) {
      const std::string name = key.substr(3);
      const auto [seen, answer] = working.at(key);
      working.erase(key);
      const bool stale =
          server[name]["metadata"]["resourceVersion"] != seen["metadata"]["resourceVersion"];
      const bool lost = pick(8) == 0;  // no answer: nobody knows whether it was written
      std::string written;
      if (!stale && !(lost && pick(2) == 0)) {
        const Json next = answer.granted ? admitted() : queued(answer.position);
        if (next != seen["status"].value("run", Json())) {
          write(name, next);
          written = lost ? "" : std::to_string(version);
        }
      }
      if (stale || lost) {
        keys.insert(key);
      }
      board->settle(key, true, written);
    };
    start();
    for (int i = 0; i < 25; ++i) {
      write("b" + std::to_string(i), nullptr);
    }
    for (int step = 0; step < 4000; ++step) {
      const int what = pick(20);
      if (what < 8 && !events.empty()) {
        deliver();
      } else if (what < 12 && !keys.empty()) {
        const std::string key = *std::next(keys.begin(), pick(static_cast<int>(keys.size())));
        if (!working.contains(key)) {
          begin(key);
        }
      } else if (what < 16 && !working.empty()) {
        const std::string key =
            std::next(working.begin(), pick(static_cast<int>(working.size())))->first;
        finish(key);
      } else if (what < 19) {
        if (!running.empty() && pick(2) == 0) {
          const std::string name =
              *std::next(running.begin(), pick(static_cast<int>(running.size())));
          write(name, finished());
        }
      } else if (pick(30) == 0) {
        start();  // another leader, whose cache is behind
      }
      ASSERT_LE(running.size(), static_cast<std::size_t>(limit))
          << "seed " << seed << " step " << step;
    }
    for (const auto& [name, object] : server) {
      EXPECT_TRUE(object["status"].value("run", Json::object()).contains("result"))
          << seed << " " << name;
    }
  }
}

}  // namespace
}  // namespace stagewright::op
