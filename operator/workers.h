// Threads that take keys from the queue and reconcile them.
#pragma once

#include <atomic>
#include <functional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "lib/base/clock.h"
#include "operator/outcome.h"
#include "operator/work_queue.h"

namespace stagewright::op {

class ReconcileObserver {
 public:
  virtual ~ReconcileObserver() = default;
  virtual void onWorkerBusy(int /*change*/) {}
  virtual void onReconciled(const Outcome& /*outcome*/, Millis /*took*/) {}
  virtual void onException() {}
};

class Workers {
 public:
  using Reconcile = std::function<Outcome(const WorkQueue::Work& work, std::stop_token stop)>;
  Workers(WorkQueue& queue, const Clock& clock, Reconcile reconcile, ReconcileObserver& observer)
      : queue_(queue), clock_(clock), reconcile_(std::move(reconcile)), observer_(observer) {}

  void start(int count);
  /// Waits for running reconciles, at most `patience`; what still runs then is told to stop.
  /// REQUIRES: the queue is shut down.
  void drain(Millis patience, Clock& clock);

  /// One key, if there is one. For tests and the loop.
  bool runOnce(std::stop_token stop);

 private:
  void loop(std::stop_token stop);
  void reconcileKey(const WorkQueue::Work& work, std::stop_token stop);
  void settle(const std::string& key, const Outcome& outcome);

  WorkQueue& queue_;
  const Clock& clock_;
  Reconcile reconcile_;
  ReconcileObserver& observer_;
  std::atomic<int> running_ = 0;  ///< loops that have not ended, read by drain()
  std::vector<std::jthread> threads_;
};

}  // namespace stagewright::op
