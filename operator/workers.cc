#include "operator/workers.h"

#include <exception>

#include "lib/base/log.h"

namespace stagewright::op {

namespace {
constexpr Millis kDrainPoll{10};
}  // namespace

void Workers::start(int count) {
  for (int i = 0; i < count; ++i) {
    running_.fetch_add(1);
    threads_.emplace_back([this](std::stop_token stop) {
      loop(stop);
      running_.fetch_sub(1);
    });
  }
}

void Workers::drain(Millis patience, Clock& clock) {
  const SteadyPoint deadline = clock.steadyNow() + patience;
  while (running_.load() > 0 && clock.steadyNow() < deadline) {
    clock.sleepFor(kDrainPoll, std::stop_token());
  }
  for (std::jthread& thread : threads_) {
    thread.request_stop();
  }
  threads_.clear();
}

void Workers::loop(std::stop_token stop) {
  while (const std::optional<WorkQueue::Work> work = queue_.get(stop)) {
    reconcileKey(*work, stop);
  }
}

bool Workers::runOnce(std::stop_token stop) {
  const std::optional<WorkQueue::Work> work = queue_.tryGet();
  if (work) {
    reconcileKey(*work, stop);
  }
  return work.has_value();
}

/// The one place that catches everything: a bug in one build must not stop the others.
void Workers::reconcileKey(const WorkQueue::Work& work, std::stop_token stop) {
  observer_.onWorkerBusy(1);
  const SteadyPoint started = clock_.steadyNow();
  Outcome outcome;
  try {
    outcome = reconcile_(work, stop);
  } catch (const std::exception& e) {
    observer_.onException();
    outcome = Outcome::error(std::string("exception: ") + e.what());
  }
  observer_.onReconciled(outcome, std::chrono::duration_cast<Millis>(clock_.steadyNow() - started));
  settle(work.key, outcome);
  queue_.done(work.key);
  observer_.onWorkerBusy(-1);
}

void Workers::settle(const std::string& key, const Outcome& outcome) {
  switch (outcome.kind) {
    case Outcome::Kind::kDone:
      queue_.forget(key);
      if (outcome.after) {
        queue_.addAfter(key, *outcome.after);
      }
      break;
    case Outcome::Kind::kLater:
      // No success yet: what was left may be what failed the last time.
      queue_.add(key, Lane::kLater);
      break;
    case Outcome::Kind::kWaiting:
      queue_.addAfter(key, outcome.after.value_or(Millis(0)));
      break;
    case Outcome::Kind::kAgain:
      log::debug("reconcile again", {{"build", key}, {"why", outcome.message}});
      queue_.addAfterFailure(key, outcome.after.value_or(Millis(0)));
      break;
    case Outcome::Kind::kError:
      log::warn("reconcile failed", {{"build", key}, {"error", outcome.message}});
      queue_.addAfterFailure(key, outcome.after.value_or(Millis(0)));
      break;
    case Outcome::Kind::kTerminal:
      log::error("reconcile failed for good", {{"build", key}, {"error", outcome.message}});
      queue_.forget(key);
      break;
  }
}

}  // namespace stagewright::op
