#include "operator/work_queue.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>
#include <vector>

#include "tests/support/fake_api_clock.h"

namespace stagewright::op {
namespace {

class Queue : public testing::Test {
 protected:
  std::vector<std::string> takeAll() {
    std::vector<std::string> out;
    while (auto key = take()) {
      out.push_back(*key);
    }
    return out;
  }
  /// The key alone.
  std::optional<std::string> take() {
    const std::optional<WorkQueue::Work> work = queue_.tryGet();
    return work ? std::optional(work->key) : std::nullopt;
  }
  kube::FakeApiClock clock_;
  WorkQueue queue_{clock_, nullptr, 1};
};

TEST_F(Queue, HoldsAKeyOnce) {
  queue_.add("a");
  queue_.add("b");
  queue_.add("a");
  EXPECT_EQ(queue_.depth(), 2u);
  EXPECT_EQ(takeAll(), (std::vector<std::string>{"a", "b"}));
}

TEST_F(Queue, NeverGivesOneKeyToTwoWorkers) {
  queue_.add("a");
  EXPECT_EQ(take(), "a");
  queue_.add("a");
  queue_.add("a");
  EXPECT_EQ(take(), std::nullopt);
  queue_.done("a");
  EXPECT_EQ(take(), "a");
  queue_.done("a");
  EXPECT_EQ(take(), std::nullopt);
}

TEST_F(Queue, RealChangesOvertakeTheInitialList) {
  queue_.add("old-1", Lane::kLater);
  queue_.add("old-2", Lane::kLater);
  queue_.add("new");
  queue_.add("old-2");
  EXPECT_EQ(takeAll(), (std::vector<std::string>{"new", "old-2", "old-1"}))
      << "a key that waits moves up, behind nobody older";
}

TEST_F(Queue, NamespacesTakeTurns) {
  for (const char* key : {"many/1", "many/2", "many/3", "many/4"}) {
    queue_.add(key);
  }
  EXPECT_EQ(take(), "many/1");
  queue_.add("small/1");
  queue_.add("tiny/1");
  queue_.add("many/5");
  EXPECT_EQ(takeAll(),
            (std::vector<std::string>{"many/2", "small/1", "tiny/1", "many/3", "many/4", "many/5"}))
      << "each is one turn away, however many the other has";
}

TEST_F(Queue, WhatUsersAskForTakesTurnsWithTheProgressOfTheirBuilds) {
  for (const char* key : {"team/old1", "team/old2", "team/old3", "team/old4"}) {
    queue_.add(key);
  }
  EXPECT_EQ(take(), "team/old1");
  queue_.add("team/new1", Lane::kUsers);
  queue_.add("team/new2", Lane::kUsers);
  queue_.add("team/old4", Lane::kUsers);
  EXPECT_EQ(takeAll(), (std::vector<std::string>{"team/new1", "team/old2", "team/new2", "team/old3",
                                                 "team/old4"}))
      << "neither starves the other, and nobody loses a place";
}

TEST_F(Queue, WhoWasAwayGetsNoCredit) {
  queue_.add("late/1");
  EXPECT_EQ(take(), "late/1");
  for (const char* key : {"a/1", "a/2", "a/3"}) {
    queue_.add(key);
  }
  EXPECT_EQ(take(), "a/1");
  EXPECT_EQ(take(), "a/2");
  for (const char* key : {"late/2", "late/3", "late/4"}) {
    queue_.add(key);
  }
  EXPECT_EQ(takeAll(), (std::vector<std::string>{"a/3", "late/2", "late/3", "late/4"}));
}

TEST_F(Queue, DelaysWithFivePercentOfSpread) {
  queue_.addAfter("a", Millis(1000));
  clock_.advance(Millis(949));
  EXPECT_EQ(take(), std::nullopt);
  clock_.advance(Millis(102));
  EXPECT_EQ(take(), "a");
}

TEST_F(Queue, TheEarliestOfSeveralDelaysCounts) {
  queue_.addAfter("a", Millis(60'000));
  queue_.addAfter("a", Millis(100));
  queue_.addAfter("a", Millis(60'000));
  clock_.advance(Millis(106));
  EXPECT_EQ(take(), "a");
  queue_.done("a");
  clock_.advance(Millis(70'000));
  EXPECT_EQ(take(), std::nullopt);
}

/// The longest of many tries is close to the ceiling, the shortest close to nothing.
TEST(QueueBackoff, DoublesToFiveMinutesWithFullJitter) {
  std::vector<Millis> longest(13);
  Millis shortest{1'000'000};
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    kube::FakeApiClock clock;
    WorkQueue queue(clock, nullptr, seed);
    for (std::size_t failure = 0; failure < longest.size(); ++failure) {
      queue.addAfterFailure("a");
      Millis waited{0};
      while (!queue.tryGet()) {
        clock.advance(Millis(50));
        waited += Millis(50);
      }
      queue.done("a");
      longest[failure] = std::max(longest[failure], waited);
      shortest = failure == 12 ? std::min(shortest, waited) : shortest;
    }
  }
  Millis ceiling{250};
  for (std::size_t failure = 0; failure < longest.size(); ++failure) {
    EXPECT_LE(longest[failure], ceiling + Millis(50)) << failure;
    EXPECT_GE(longest[failure], ceiling * 8 / 10) << failure;
    ceiling = std::min(ceiling * 2, Millis(300'000));
  }
  EXPECT_LT(shortest, Millis(30'000));
}

TEST_F(Queue, GivesWhatHasTimeOneTurnInSixteen) {
  for (int i = 0; i < 3; ++i) {
    queue_.add("old/" + std::to_string(i), Lane::kLater);
  }
  for (int i = 0; i < 40; ++i) {
    queue_.add("busy/" + std::to_string(i), Lane::kUsers);
  }
  std::vector<int> later;
  for (int turn = 0; turn < 43; ++turn) {
    const std::optional<WorkQueue::Work> work = queue_.tryGet();
    ASSERT_TRUE(work);
    EXPECT_EQ(work->lane, work->key.starts_with("old") ? Lane::kLater : Lane::kUsers);
    if (work->lane == Lane::kLater) {
      later.push_back(turn);
    }
  }
  EXPECT_EQ(later, (std::vector<int>{15, 31, 42}));
}

TEST_F(Queue, SpendsNoTurnOnAKeyThatKeepsItsPlace) {
  queue_.add("team/a", Lane::kProgress);
  for (int i = 0; i < 5; ++i) {
    queue_.add("team/a", Lane::kUsers);
  }
  queue_.add("team/new", Lane::kUsers);
  queue_.add("other/b", Lane::kProgress);
  queue_.add("other/c", Lane::kProgress);
  EXPECT_EQ(takeAll(), (std::vector<std::string>{"other/b", "team/a", "team/new", "other/c"}));
}

TEST_F(Queue, ForgettingStartsTheBackoffAnew) {
  for (int i = 0; i < 10; ++i) {
    queue_.addAfterFailure("a");
    clock_.advance(Millis(300'000));
    ASSERT_EQ(take(), "a");
    queue_.done("a");
  }
  queue_.forget("a");
  queue_.addAfterFailure("a");
  clock_.advance(Millis(250));
  EXPECT_EQ(take(), "a");
}

TEST_F(Queue, HonoursTheServersWish) {
  queue_.addAfterFailure("a", Millis(10'000));
  clock_.advance(Millis(9'999));
  EXPECT_EQ(take(), std::nullopt);
  clock_.advance(Millis(1));
  EXPECT_EQ(take(), "a");
}

TEST_F(Queue, TellsHowLongWorkTakes) {
  queue_.add("a");
  queue_.add("b");
  queue_.tryGet();
  clock_.advance(Millis(30));
  queue_.tryGet();
  clock_.advance(Millis(10));
  EXPECT_EQ(queue_.unfinished().longest, Millis(40));
  EXPECT_EQ(queue_.unfinished().sum, Millis(50));
}

TEST(QueueThreads, KeepsKeysApartAndEndsOnShutdown) {
  SystemClock clock;
  WorkQueue queue(clock);
  Guarded<std::set<std::string>> working;
  std::atomic<int> handled = 0;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&](std::stop_token stop) {
      while (auto work = queue.get(stop)) {
        EXPECT_TRUE(working.lock()->insert(work->key).second)
            << work->key << " is given to two workers";
        working.lock()->erase(work->key);
        queue.done(work->key);
        ++handled;
      }
    });
  }
  for (int i = 0; i < 2000; ++i) {
    queue.add("key-" + std::to_string(i % 7));
    if (i % 10 == 0) {
      queue.addAfter("late-" + std::to_string(i), Millis(1));
    }
  }
  while (handled.load() < 200) {
    std::this_thread::yield();
  }
  queue.shutdown();
  threads.clear();
  EXPECT_FALSE(queue.get({}).has_value());
}

}  // namespace
}  // namespace stagewright::op
