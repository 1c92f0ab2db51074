#include "operator/workers.h"

#include <gtest/gtest.h>

#include "tests/support/fake_api_clock.h"

namespace stagewright::op {
namespace {

class CountingObserver final : public ReconcileObserver {
 public:
  void onException() override { ++exceptions; }
  int exceptions = 0;
};

class Work : public testing::Test {
 protected:
  bool runOnce() { return workers_.runOnce({}); }

  kube::FakeApiClock clock_;
  WorkQueue queue_{clock_, nullptr, 1};
  CountingObserver observer_;
  std::vector<Lane> lanes_;
  std::function<Outcome()> next_ = [] { return Outcome::done(); };
  Workers workers_{queue_, clock_,
                   [this](const WorkQueue::Work& work, std::stop_token) {
                     lanes_.push_back(work.lane);
                     return next_();
                   },
                   observer_};
};

TEST_F(Work, ComesAgainWhenTold) {
  next_ = [] { return Outcome::done(Millis(1000)); };
  queue_.add("a");
  EXPECT_TRUE(runOnce());
  EXPECT_FALSE(runOnce());
  clock_.advance(Millis(1051));
  EXPECT_TRUE(runOnce());
}

TEST_F(Work, WhatHasTimeComesAfterTheOthers) {
  next_ = [] { return Outcome::later(); };
  queue_.add("a");
  EXPECT_TRUE(runOnce());
  queue_.add("b");
  next_ = [] { return Outcome::done(); };
  EXPECT_TRUE(runOnce());
  EXPECT_TRUE(runOnce());
  EXPECT_FALSE(runOnce());
  EXPECT_EQ(lanes_, (std::vector<Lane>{Lane::kProgress, Lane::kProgress, Lane::kLater}));
}

/// A delete that is refused for good must not be asked for four times a second.
TEST_F(Work, WhatHasTimeBacksOffWhenItFails) {
  int failures = 0;
  next_ = [&] {
    if (lanes_.back() != Lane::kLater) {
      return Outcome::later();
    }
    ++failures;
    return Outcome::error("forbidden");
  };
  queue_.add("a");
  for (int tick = 0; tick < 6000; ++tick) {  // ten minutes
    while (runOnce()) {
    }
    clock_.advance(Millis(100));
  }
  EXPECT_GE(failures, 3);
  EXPECT_LE(failures, 40);
}

TEST_F(Work, DoneIsDone) {
  queue_.add("a");
  EXPECT_TRUE(runOnce());
  clock_.advance(std::chrono::hours(24));
  EXPECT_FALSE(runOnce());
}

TEST_F(Work, AnExceptionIsAnErrorOfItsBuildOnly) {
  next_ = []() -> Outcome { throw std::runtime_error("bug"); };
  queue_.add("a");
  EXPECT_TRUE(runOnce());
  EXPECT_EQ(observer_.exceptions, 1);
  clock_.advance(Millis(250));
  next_ = [] { return Outcome::done(); };
  EXPECT_TRUE(runOnce());
}

TEST_F(Work, TerminalErrorsAreNotTriedAgain) {
  next_ = [] { return Outcome::terminal("no"); };
  queue_.add("a");
  EXPECT_TRUE(runOnce());
  clock_.advance(std::chrono::hours(24));
  EXPECT_FALSE(runOnce());
}

TEST(WorkBackoff, WaitingForTheCachesKeepsTheCountOfFailures) {
  int longWaits = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    kube::FakeApiClock clock;
    WorkQueue queue(clock, nullptr, seed);
    ReconcileObserver observer;
    bool fail = false;
    Workers workers(
        queue, clock,
        [&](const WorkQueue::Work&, std::stop_token) {
          fail = !fail;
          return fail ? Outcome::again("conflict") : Outcome::waiting(Millis(20));
        },
        observer);
    queue.add("a");
    for (int i = 0; i < 21; ++i) {  // eleven failures, with looks at the caches in between
      workers.runOnce({});
      clock.advance(Millis(300'000));
    }
    workers.runOnce({});  // waits for the caches
    clock.advance(Millis(21));
    workers.runOnce({});  // the twelfth failure: a wait of up to five minutes
    clock.advance(Millis(1'000));
    longWaits += queue.tryGet().has_value() ? 0 : 1;
  }
  EXPECT_GE(longWaits, 18) << "a look that waited for the caches must not reset the backoff";
}

TEST(WorkThreads, DrainWaitsForRunningReconciles) {
  SystemClock clock;
  WorkQueue queue(clock);
  ReconcileObserver observer;
  std::atomic<bool> started = false;
  std::atomic<bool> finish = false;
  std::atomic<bool> finished = false;
  Workers workers(
      queue, clock,
      [&](const WorkQueue::Work&, std::stop_token) {
        started = true;
        while (!finish) {
          std::this_thread::yield();
        }
        finished = true;
        return Outcome::done();
      },
      observer);
  workers.start(2);
  queue.add("a");
  while (!started) {
    std::this_thread::yield();
  }
  queue.shutdown();
  std::jthread later([&] { finish = true; });
  workers.drain(std::chrono::seconds(30), clock);
  EXPECT_TRUE(finished);
}

}  // namespace
}  // namespace stagewright::op
