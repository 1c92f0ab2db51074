// From changes in the caches to keys in the queue, and to the domain metrics. Which change it was
// decides only whether somebody looks; what to do is decided from the whole state.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "operator/caches.h"
#include "operator/cluster_facts.h"
#include "operator/metrics.h"
#include "operator/policy_board.h"
#include "operator/progress.h"
#include "operator/work_queue.h"

namespace stagewright::op {

/// Thread-safe.
class Dispatcher final : public CacheListener {
 public:
  Dispatcher(WorkQueue& queue, ClusterFactsBoard& cluster, PolicyBoard& policies, Metrics& metrics,
             Progress& progress)
      : queue_(queue),
        cluster_(cluster),
        policies_(policies),
        metrics_(metrics),
        progress_(progress) {}

  /// Called for a node whose readiness changed; gives the keys of builds that have pods there.
  void setBuildsOnNode(std::function<std::vector<std::string>(const std::string&)> lookup) {
    buildsOnNode_ = std::move(lookup);
  }
  /// Told of every change of a build before anybody looks at it.
  void setOnBuildChange(std::function<void(const kube::Change&)> told) {
    onBuildChange_ = std::move(told);
  }
  /// Called when other policies count, for all namespaces or for one.
  void setOnRulesChange(std::function<void(const std::string& ns)> told) {
    onRulesChange_ = std::move(told);
  }
  /// Called for every pod of a build that a cache tells of, with the build's key and its name.
  void setOnPodSeen(std::function<void(const std::string&, const std::string&)> onPodSeen) {
    onPodSeen_ = std::move(onPodSeen);
  }
  /// Durations are observed by the leader only, or every replica would count them.
  void setLeading(bool leading) { leading_.store(leading); }

  void onBuild(const kube::Change& change) override;
  void onPod(const kube::Change& change) override;
  void onClaim(const kube::Change& change) override;
  void onNode(const kube::Change& change) override;
  void onPolicy(const kube::Change& change) override;
  void onNamespace(const kube::Change& change) override;

 private:
  void enqueueChild(const kube::Change& change);
  void measureBuild(const kube::Change& change);
  void measurePod(const kube::Change& change);

  WorkQueue& queue_;
  ClusterFactsBoard& cluster_;
  PolicyBoard& policies_;
  Metrics& metrics_;
  Progress& progress_;
  std::function<std::vector<std::string>(const std::string&)> buildsOnNode_;
  std::function<void(const kube::Change&)> onBuildChange_;
  std::function<void(const std::string&)> onRulesChange_;
  std::function<void(const std::string&, const std::string&)> onPodSeen_;
  std::atomic<bool> leading_ = false;  ///< set by main, read by informers
};

/// The keys of builds with a pod on `node`.
std::vector<std::string> buildsOnNode(const kube::Store& pods, const std::string& node);

}  // namespace stagewright::op
