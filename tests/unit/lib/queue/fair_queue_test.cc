#include "lib/queue/fair_queue.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <random>

namespace stagewright::queue {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const TimePoint kStart{seconds(1'800'000'000)};

Ticket ticket(const std::string& ns, const std::string& name, int after = 0,
              std::int64_t priority = 0, const std::string& queue = "") {
  return {ns + "/" + name, ns, queue, priority, kStart + seconds(after)};
}

std::vector<std::string> admitAll(FairQueue& queue, TimePoint now = kStart) {
  std::vector<std::string> out;
  while (std::optional<std::string> key = queue.admitNext(now)) {
    out.push_back(*key);
    now += seconds(1);
  }
  return out;
}

TEST(FairQueue, WithoutLimitsEverybodyRuns) {
  FairQueue queue({});
  for (int i = 0; i < 20; ++i) {
    queue.wait(ticket("a", std::to_string(i)));
  }
  EXPECT_EQ(admitAll(queue).size(), 20u);
  EXPECT_EQ(queue.running(), 20u);
  EXPECT_EQ(queue.waiting(), 0u);
  EXPECT_FALSE(queue.oldest());
}

TEST(FairQueue, FirstComeFirstServedWithinANamespaceAfterPriority) {
  FairQueue queue({});
  queue.wait(ticket("a", "late", 3));
  queue.wait(ticket("a", "early", 1));
  queue.wait(ticket("a", "low", 0, -5));
  queue.wait(ticket("a", "urgent", 9, 7));
  queue.wait(ticket("a", "early2", 1));
  EXPECT_THAT(admitAll(queue), ElementsAre("a/urgent", "a/early", "a/early2", "a/late", "a/low"));
}

TEST(FairQueue, PriorityOfOneNamespaceIsNothingToOthers) {
  FairQueue queue({});
  queue.wait(ticket("a", "1", 0, 1000));
  queue.wait(ticket("a", "2", 0, 1000));
  queue.wait(ticket("b", "1", 5, -1000));
  EXPECT_THAT(admitAll(queue), ElementsAre("a/1", "b/1", "a/2"));
}

TEST(FairQueue, NamespacesTakeTurnsOnOnePlace) {
  FairQueue queue({.running = 1});
  for (const char* ns : {"a", "b", "c"}) {
    for (int i = 0; i < 3; ++i) {
      queue.wait(ticket(ns, std::to_string(i), i));
    }
  }
  std::string order;
  for (int i = 0; i < 9; ++i) {
    const std::optional<std::string> key = queue.admitNext(kStart + seconds(100 + i));
    ASSERT_TRUE(key);
    EXPECT_FALSE(queue.admitNext(kStart)) << "one place";
    order += key->front();
    queue.leave(*key);
  }
  EXPECT_EQ(order, "abcabcabc");
}

TEST(FairQueue, TheNamespaceWithTheFewestRunningBuildsGoesFirst) {
  FairQueue queue({.running = 4});
  for (int i = 0; i < 9; ++i) {
    queue.wait(ticket("long", std::to_string(i)));
  }
  EXPECT_EQ(admitAll(queue).size(), 4u);
  for (int i = 0; i < 3; ++i) {
    queue.wait(ticket("other", std::to_string(i), 50));
  }
  queue.leave("long/0");
  EXPECT_THAT(admitAll(queue), ElementsAre("other/0"));
  queue.leave("long/1");
  EXPECT_THAT(admitAll(queue), ElementsAre("other/1")) << "two and two: a fair share";
  queue.leave("other/0");
  EXPECT_THAT(admitAll(queue), ElementsAre("other/2"));
  queue.leave("other/1");
  EXPECT_THAT(admitAll(queue), ElementsAre("long/4")) << "nobody else waits";
}

TEST(FairQueue, TurnsOutliveARestart) {
  FairQueue queue({.running = 1});
  queue.noteTurn("a", kStart + seconds(9));
  queue.noteTurn("a", kStart + seconds(3));
  queue.noteTurn("b", kStart + seconds(5));
  queue.wait(ticket("a", "1", 0));
  queue.wait(ticket("b", "1", 8));
  EXPECT_THAT(admitAll(queue), ElementsAre("b/1"));
}

TEST(FairQueue, LimitsOfNamespacesAndQueues) {
  FairQueue queue({.running = 0, .perNamespace = 3});
  queue.setRules("a", {.running = 0, .queues = {{"nightly", 1}}, .heldBy = {}});
  queue.setRules("b", {.running = 1, .queues = {}, .heldBy = {}});
  for (int i = 0; i < 3; ++i) {
    queue.wait(ticket("a", "nightly" + std::to_string(i), i, 5, "nightly"));
    queue.wait(ticket("a", "day" + std::to_string(i), 10 + i, 0, "day"));
    queue.wait(ticket("b", std::to_string(i), 20 + i));
  }
  EXPECT_THAT(admitAll(queue), ElementsAre("a/nightly0", "b/0", "a/day0", "a/day1"));
  EXPECT_EQ(queue.placeOf("a/nightly1")->block, Block::kQueueLimit);
  EXPECT_EQ(queue.placeOf("a/nightly1")->limit, 1);
  EXPECT_EQ(queue.placeOf("a/day2")->block, Block::kNamespaceLimit);
  EXPECT_EQ(queue.placeOf("b/1")->limit, 1);
  EXPECT_FALSE(queue.placeOf("b/0")) << "it runs";
  queue.leave("a/nightly0");
  EXPECT_THAT(admitAll(queue), ElementsAre("a/nightly1"));
}

TEST(FairQueue, ALoweredLimitStopsNobodyAndAdmitsNobody) {
  FairQueue queue({});
  for (int i = 0; i < 5; ++i) {
    queue.wait(ticket("a", std::to_string(i)));
  }
  EXPECT_EQ(admitAll(queue).size(), 5u);
  queue.setRules("a", {.running = 2, .queues = {}, .heldBy = {}});
  queue.wait(ticket("a", "next"));
  for (const char* key : {"a/0", "a/1", "a/2"}) {
    EXPECT_THAT(admitAll(queue), ElementsAre());
    queue.leave(key);
  }
  EXPECT_THAT(admitAll(queue), ElementsAre());
  queue.leave("a/3");
  EXPECT_THAT(admitAll(queue), ElementsAre("a/next"));
}

TEST(FairQueue, AHeldNamespaceWaitsAndOthersDoNot) {
  FairQueue queue({.running = 1});
  queue.setRules("a", {.running = 0, .queues = {}, .heldBy = "BuildPolicy \"freeze\" holds"});
  queue.wait(ticket("a", "1"));
  queue.wait(ticket("b", "1", 7));
  EXPECT_THAT(admitAll(queue), ElementsAre("b/1"));
  EXPECT_EQ(sentence(*queue.placeOf("a/1"), ticket("a", "1")), "BuildPolicy \"freeze\" holds");
  queue.leave("b/1");
  EXPECT_THAT(admitAll(queue), ElementsAre());
  queue.setRules("a", {});
  EXPECT_THAT(admitAll(queue), ElementsAre("a/1"));
}

TEST(FairQueue, PositionsAreCoarseAndSentencesSayWhatIsTaken) {
  EXPECT_EQ(coarsePosition(1), 1);
  EXPECT_EQ(coarsePosition(5), 5);
  EXPECT_EQ(coarsePosition(6), 10);
  EXPECT_EQ(coarsePosition(10), 10);
  EXPECT_EQ(coarsePosition(11), 100);
  EXPECT_EQ(coarsePosition(1000), 1000);
  EXPECT_EQ(coarsePosition(1001), 1001);
  EXPECT_EQ(coarsePosition(50000), 1001);
  FairQueue queue({.running = 1});
  queue.run(ticket("b", "busy"));
  for (int i = 0; i < 2000; ++i) {
    queue.wait(ticket("a", std::to_string(i), i));
  }
  EXPECT_EQ(
      sentence(*queue.placeOf("a/0"), ticket("a", "0")),
      "waits for its turn, position 1 in namespace a: the one place of the operator is taken");
  EXPECT_THAT(sentence(*queue.placeOf("a/7"), ticket("a", "7")),
              HasSubstr("position 10 or before"));
  EXPECT_THAT(sentence(*queue.placeOf("a/1999"), ticket("a", "1999")),
              HasSubstr("position beyond 1000"));
}

/// The promise of the issue: whoever comes while another namespace has ten thousand waiting builds
/// is the next to be admitted.
TEST(FairQueue, TenThousandBuildsOfOneTeamDoNotDelayAnother) {
  for (const unsigned seed : {1u, 2u, 3u}) {
    std::mt19937 random(seed);
    FairQueue queue({.running = 20});
    for (int i = 0; i < 10'000; ++i) {
      queue.wait(ticket("many", std::to_string(i), static_cast<int>(random() % 1000),
                        static_cast<int>(random() % 7)));
    }
    std::vector<std::string> running = admitAll(queue);
    ASSERT_EQ(running.size(), 20u);
    TimePoint now = kStart + seconds(5000);
    for (int newcomer = 0; newcomer < 50; ++newcomer) {
      for (int i = static_cast<int>(random() % 5); i > 0; --i) {  // some time goes by
        const std::size_t ends = random() % running.size();
        queue.leave(running[ends]);
        running[ends] = queue.admitNext(now += seconds(1)).value();
      }
      const std::string ns = "small" + std::to_string(random() % 3);
      const Ticket one = ticket(ns, std::to_string(newcomer), 100'000, -1000);
      queue.wait(one);
      const std::size_t ends = random() % running.size();
      queue.leave(running[ends]);
      running[ends] = queue.admitNext(now += seconds(1)).value();
      EXPECT_EQ(running[ends], one.key) << "seed " << seed;
    }
  }
}

/// Against the plain rule, looked up in a list: any calls in any order.
TEST(FairQueue, AgreesWithTheRuleWrittenDown) {
  struct Known {
    Ticket ticket;
    bool running;
  };
  for (unsigned seed = 0; seed < 30; ++seed) {
    std::mt19937 random(seed);
    const auto pick = [&](int below) {
      return static_cast<int>(random() % static_cast<unsigned>(below));
    };
    const Limits limits{.running = pick(6), .perNamespace = pick(4)};
    FairQueue queue(limits);
    std::map<std::string, NamespaceRules> rules;
    for (const char* ns : {"a", "b", "c"}) {
      rules[ns] = {pick(3), {{"q", pick(3)}}, pick(6) == 0 ? "held" : ""};
      queue.setRules(ns, rules[ns]);
    }
    std::map<std::string, Known> known;
    std::map<std::string, TimePoint> turns;
    for (int step = 0; step < 400; ++step) {
      const std::string ns(1, static_cast<char>('a' + pick(3)));
      const Ticket some =
          ticket(ns, std::to_string(pick(8)), pick(50), pick(3), pick(2) ? "q" : "");
      const TimePoint now = kStart + seconds(1000 + step);
      const int what = pick(5);
      if (what == 0) {
        queue.wait(some);
        known[some.key] = {some, false};
      } else if (what == 1) {
        queue.run(some);
        known[some.key] = {some, true};
      } else if (what == 2) {
        queue.leave(some.key);
        known.erase(some.key);
      } else {
        const auto count = [&](const auto& matches) {
          return static_cast<int>(std::count_if(known.begin(), known.end(), [&](const auto& entry) {
            return entry.second.running && matches(entry.second.ticket);
          }));
        };
        const auto ofNamespace = [&](const std::string& of) {
          return count([&](const Ticket& t) { return t.ns == of; });
        };
        std::vector<const Ticket*> may;
        for (const auto& [key, entry] : known) {
          const Ticket& t = entry.ticket;
          const NamespaceRules& rule = rules[t.ns];
          const int own = rule.running > 0 ? rule.running : limits.perNamespace;
          const int ofQueue = t.queue == "q" ? rule.queues.at("q") : 0;
          const int inQueue =
              count([&](const Ticket& o) { return o.ns == t.ns && o.queue == t.queue; });
          const bool full =
              (limits.running > 0 && count([](const Ticket&) { return true; }) >= limits.running) ||
              (own > 0 && ofNamespace(t.ns) >= own) || (ofQueue > 0 && inQueue >= ofQueue);
          if (!entry.running && rule.heldBy.empty() && !full) {
            may.push_back(&t);
          }
        }
        // The oldest ticket of the namespace breaks ties between namespaces, whether it may go or
        // not.
        const auto front = [&](const std::string& of) {
          const Ticket* first = nullptr;
          for (const auto& [key, entry] : known) {
            const Ticket& t = entry.ticket;
            const auto rank = [](const Ticket& x) {
              return std::tuple(-x.priority, x.since, x.key);
            };
            if (!entry.running && t.ns == of && (first == nullptr || rank(t) < rank(*first))) {
              first = &t;
            }
          }
          return first->since;
        };
        const auto rank = [&](const Ticket& t) {
          const auto turn = turns.find(t.ns);
          return std::tuple(ofNamespace(t.ns),
                            turn == turns.end() ? TimePoint::min() : turn->second, front(t.ns),
                            t.ns, -t.priority, t.since, t.key);
        };
        const auto first =
            std::min_element(may.begin(), may.end(),
                             [&](const Ticket* x, const Ticket* y) { return rank(*x) < rank(*y); });
        const std::optional<std::string> wanted =
            first == may.end() ? std::nullopt : std::optional((*first)->key);
        ASSERT_EQ(queue.admitNext(now), wanted) << "seed " << seed << " step " << step;
        if (wanted) {
          known.at(*wanted).running = true;
          turns[known.at(*wanted).ticket.ns] = now;
        }
      }
      const auto running =
          std::count_if(known.begin(), known.end(), [](const auto& e) { return e.second.running; });
      ASSERT_EQ(queue.running(), static_cast<std::size_t>(running));
      ASSERT_EQ(queue.waiting(), known.size() - static_cast<std::size_t>(running));
    }
  }
}

}  // namespace
}  // namespace stagewright::queue
