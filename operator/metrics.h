// Everything on /metrics, under the names that dashboards of controllers know (controllers.md items
// 30 and 31).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "lib/base/clock.h"
#include "operator/outcome.h"
#include "operator/work_queue.h"
#include "operator/workers.h"

namespace stagewright::op {

/// Thread-safe.
class Metrics final : public QueueObserver, public ReconcileObserver {
 public:
  Metrics();
  ~Metrics() override;

  /// The text of a scrape. The arguments are asked at that moment.
  std::string serialize(const WorkQueue::Unfinished& unfinished, Millis sinceProgress = Millis(0));

  void setWorkers(int count);
  void setLeader(std::string_view lease, bool leads);
  void onLeaseSlowPath();
  void onRequest(std::string_view method, int status, std::string_view host, Millis took);

  /// As of now: the builds that wait for admission, those that have a place, and for how long the
  /// first of those that wait has done so.
  void setAdmissions(std::size_t waiting, std::size_t running, double oldestSeconds);

  // QueueObserver
  void onAdd() override;
  void onRetry() override;
  void onDepth(std::size_t depth) override;
  void onStart(Millis waited) override;
  void onDone(Millis worked) override;

  // ReconcileObserver
  void onWorkerBusy(int change) override;
  void onReconciled(const Outcome& outcome, Millis took) override;
  void onException() override;

  // Builds. Phases and reasons outside of the fixed lists of api.md are not counted: labels stay
  // bounded.
  void moveBuild(const std::string& fromPhase, const std::string& toPhase);
  void moveWaiting(const std::string& fromReason, const std::string& toReason);
  void onBuildStarted();
  void onBuildFinished(std::string_view result, double seconds);
  void onBuildEnded(const std::string& failureClass, const std::string& reason);
  void onPhase(std::string_view phase, double seconds);
  /// Hosts are what users write: the first 64 get a series each, the rest is `other`.
  void onRegistryError(const std::string& host);
  void onStageFinished(std::string_view result, double seconds);
  void onPodStarted(double secondsSinceCreation);

 private:
  struct Registry;
  std::unique_ptr<Registry> r_;
};

}  // namespace stagewright::op
