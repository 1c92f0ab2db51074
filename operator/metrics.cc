#include "operator/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <map>
#include <set>

#include "lib/api/reasons.h"
#include "lib/base/guarded.h"

namespace stagewright::op {

namespace {

using Labels = prometheus::Labels;
using Buckets = prometheus::Histogram::BucketBoundaries;

const Labels kController = {{"controller", "imagebuild"}};
const Labels kQueue = {{"name", "imagebuild"}, {"controller", "imagebuild"}};
const Buckets kShort = {0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};
constexpr std::size_t kMaxHosts = 64;
const Buckets kLong = {1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600, 7200};

double seconds(Millis duration) { return static_cast<double>(duration.count()) / 1000.0; }

Labels with(Labels labels, const std::string& key, const std::string& value) {
  labels[key] = value;
  return labels;
}

const char* resultOf(const Outcome& outcome) {
  switch (outcome.kind) {
    case Outcome::Kind::kDone:
      return outcome.after ? "requeue_after" : "success";
    case Outcome::Kind::kWaiting:
      return "requeue_after";
    case Outcome::Kind::kLater:
    case Outcome::Kind::kAgain:
      return "requeue";
    default:
      return "error";
  }
}

template <class Make>
auto each(std::initializer_list<const char*> values, Make&& make) {
  std::map<std::string, decltype(&make(std::string()))> out;
  for (const char* value : values) {
    out.emplace(value, &make(value));
  }
  return out;
}

}  // namespace

/// Every series is made once, so that it is there with zero and an update is an addition.
struct Metrics::Registry {
  prometheus::Registry registry;

  prometheus::Counter& counter(const char* name, const char* help, const Labels& labels) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add(labels);
  }
  prometheus::Gauge& gauge(const char* name, const char* help, const Labels& labels) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add(labels);
  }
  prometheus::Histogram& histogram(const char* name, const char* help, const Labels& labels,
                                   const Buckets& buckets) {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add(labels,
                                                                                     buckets);
  }
  std::map<std::string, prometheus::Counter*> reconciles =
      each({"success", "error", "requeue", "requeue_after"},
           [this](const std::string& result) -> prometheus::Counter& {
             return counter("controller_runtime_reconcile_total", "Reconciles by result.",
                            with(kController, "result", result));
           });
  prometheus::Counter& reconcileErrors =
      counter("controller_runtime_reconcile_errors_total", "Reconciles that failed.", kController);
  prometheus::Counter& terminalErrors =
      counter("controller_runtime_terminal_reconcile_errors_total",
              "Reconciles that failed for good.", kController);
  prometheus::Counter& panics = counter("controller_runtime_reconcile_panics_total",
                                        "Exceptions caught in reconciles.", kController);
  prometheus::Histogram& reconcileTime = histogram("controller_runtime_reconcile_time_seconds",
                                                   "Length of reconciles.", kController, kShort);
  prometheus::Gauge& maxWorkers =
      gauge("controller_runtime_max_concurrent_reconciles", "Workers.", kController);
  prometheus::Gauge& activeWorkers =
      gauge("controller_runtime_active_workers", "Workers that are busy.", kController);

  prometheus::Gauge& depth = gauge("workqueue_depth", "Keys that wait.", kQueue);
  prometheus::Counter& adds = counter("workqueue_adds_total", "Adds to the queue.", kQueue);
  prometheus::Counter& retries =
      counter("workqueue_retries_total", "Adds after a failure.", kQueue);
  prometheus::Histogram& queueTime =
      histogram("workqueue_queue_duration_seconds", "Time in the queue.", kQueue, kShort);
  prometheus::Histogram& workTime =
      histogram("workqueue_work_duration_seconds", "Time of work on a key.", kQueue, kShort);
  prometheus::Gauge& unfinishedWork =
      gauge("workqueue_unfinished_work_seconds", "Sum of the time of unfinished work.", kQueue);
  prometheus::Gauge& longestWork = gauge("workqueue_longest_running_processor_seconds",
                                         "Time of the longest unfinished work.", kQueue);

  prometheus::Family<prometheus::Counter>& requests = prometheus::BuildCounter()
                                                          .Name("rest_client_requests_total")
                                                          .Help("Requests to the API server.")
                                                          .Register(registry);
  prometheus::Family<prometheus::Histogram>& requestTime =
      prometheus::BuildHistogram()
          .Name("rest_client_request_duration_seconds")
          .Help("Length of requests to the API server.")
          .Register(registry);
  prometheus::Family<prometheus::Gauge>& leader = prometheus::BuildGauge()
                                                      .Name("leader_election_master_status")
                                                      .Help("1 while this process leads.")
                                                      .Register(registry);

  prometheus::Counter& slowPath = counter("leader_election_slowpath_total",
                                          "Renewals of the lease that had to look first.", {});

  std::map<std::string, prometheus::Gauge*> builds =
      each({"Queued", "Preparing", "Building", "Publishing", "Succeeded", "Failed", "Cancelled",
            "Suspended"},
           [this](const std::string& phase) -> prometheus::Gauge& {
             return gauge("stagewright_builds", "ImageBuilds by phase.", {{"phase", phase}});
           });
  std::map<std::string, prometheus::Gauge*> throttled = {
      {"QuotaExceeded",
       &gauge("stagewright_throttled_by_quota", "Builds that wait for quota.", {})},
      {"Unschedulable",
       &gauge("stagewright_throttled_by_node", "Builds that wait for a node.", {})},
      {"Queued", &gauge("stagewright_throttled_by_queue", "Builds that wait for their turn.", {})}};
  prometheus::Gauge& queueWaiting =
      gauge("stagewright_queue_waiting", "Builds that wait to be admitted.", {});
  prometheus::Gauge& queueRunning =
      gauge("stagewright_queue_running", "Builds that are admitted and not finished.", {});
  prometheus::Gauge& queueOldest =
      gauge("stagewright_queue_oldest_seconds",
            "For how long the build has waited that waits the longest.", {});
  std::map<std::string, prometheus::Gauge*> waiting = makeWaiting();
  prometheus::Counter& started =
      counter("stagewright_builds_started_total", "Runs that were admitted.", {});
  std::map<std::pair<std::string, std::string>, prometheus::Counter*> ended = makeEnded();
  std::map<std::string, prometheus::Histogram*> phaseTime =
      each({"Queued", "Preparing", "Building", "Publishing"},
           [this](const std::string& phase) -> prometheus::Histogram& {
             return histogram("stagewright_phase_duration_seconds",
                              "Length of the phases of a run, which overlap.", {{"phase", phase}},
                              kLong);
           });
  prometheus::Gauge& sinceProgress =
      gauge("stagewright_seconds_since_progress",
            "Since any unfinished build advanced; 0 while there is none.", {});
  prometheus::Family<prometheus::Counter>& registryErrors =
      prometheus::BuildCounter()
          .Name("stagewright_registry_errors_total")
          .Help("Attempts that failed or hang because of a registry.")
          .Register(registry);
  Guarded<std::set<std::string>> registryHosts;
  std::map<std::string, prometheus::Histogram*> buildTime =
      each({"Succeeded", "Failed", "Cancelled"},
           [this](const std::string& result) -> prometheus::Histogram& {
             return histogram("stagewright_build_duration_seconds", "Length of runs.",
                              {{"result", result}}, kLong);
           });
  std::map<std::string, prometheus::Histogram*> stageTime =
      each({"Succeeded", "Failed"}, [this](const std::string& result) -> prometheus::Histogram& {
        return histogram("stagewright_stage_duration_seconds", "Length of stages.",
                         {{"result", result}}, kLong);
      });
  prometheus::Histogram& podLatency =
      histogram("stagewright_pod_latency_seconds",
                "From a pod's creation to its container running.", {}, kShort);

  std::map<std::string, prometheus::Gauge*> makeWaiting() {
    std::map<std::string, prometheus::Gauge*> out;
    for (const api::ReasonInfo& info : api::allReasons()) {
      const std::string name(info.name);
      out[name] =
          &gauge("stagewright_builds_waiting",
                 "Unfinished builds by what they wait for or try again.", {{"reason", name}});
    }
    return out;
  }
  /// Everything that a run can end with.
  std::map<std::pair<std::string, std::string>, prometheus::Counter*> makeEnded() {
    std::map<std::pair<std::string, std::string>, prometheus::Counter*> out;
    const auto add = [&](const std::string& failureClass, const std::string& name) {
      out[{failureClass, name}] = &counter("stagewright_builds_finished_total", "Runs that ended.",
                                           {{"class", failureClass}, {"reason", name}});
    };
    add("None", std::string(api::reason::kSucceeded));
    add("None", std::string(api::reason::kCancelled));
    for (const api::ReasonInfo& info : api::allReasons()) {
      if (info.failureClass != api::FailureClass::kWaiting) {
        add(std::string(api::className(info.failureClass)), std::string(info.name));
      }
    }
    return out;
  }
};

Metrics::Metrics() : r_(std::make_unique<Registry>()) {}
Metrics::~Metrics() = default;

std::string Metrics::serialize(const WorkQueue::Unfinished& unfinished, Millis sinceProgress) {
  r_->sinceProgress.Set(seconds(sinceProgress));
  r_->unfinishedWork.Set(seconds(unfinished.sum));
  r_->longestWork.Set(seconds(unfinished.longest));
  return prometheus::TextSerializer().Serialize(r_->registry.Collect());
}

void Metrics::setWorkers(int count) { r_->maxWorkers.Set(count); }

void Metrics::setLeader(std::string_view lease, bool leads) {
  r_->leader.Add({{"name", std::string(lease)}}).Set(leads ? 1 : 0);
}

void Metrics::onLeaseSlowPath() { r_->slowPath.Increment(); }

void Metrics::onRequest(std::string_view method, int status, std::string_view host, Millis took) {
  const std::string code = status == 0 ? "<error>" : std::to_string(status);
  r_->requests.Add({{"code", code}, {"method", std::string(method)}, {"host", std::string(host)}})
      .Increment();
  r_->requestTime.Add({{"verb", std::string(method)}, {"host", std::string(host)}}, kShort)
      .Observe(seconds(took));
}

void Metrics::setAdmissions(std::size_t waiting, std::size_t running, double oldestSeconds) {
  r_->queueWaiting.Set(static_cast<double>(waiting));
  r_->queueRunning.Set(static_cast<double>(running));
  r_->queueOldest.Set(oldestSeconds);
}

void Metrics::onAdd() { r_->adds.Increment(); }
void Metrics::onRetry() { r_->retries.Increment(); }
void Metrics::onDepth(std::size_t depth) { r_->depth.Set(static_cast<double>(depth)); }
void Metrics::onStart(Millis waited) { r_->queueTime.Observe(seconds(waited)); }
void Metrics::onDone(Millis worked) { r_->workTime.Observe(seconds(worked)); }
void Metrics::onWorkerBusy(int change) { r_->activeWorkers.Increment(change); }
void Metrics::onException() { r_->panics.Increment(); }

void Metrics::onReconciled(const Outcome& outcome, Millis took) {
  r_->reconciles.at(resultOf(outcome))->Increment();
  r_->reconcileTime.Observe(seconds(took));
  if (outcome.kind == Outcome::Kind::kError || outcome.kind == Outcome::Kind::kTerminal) {
    r_->reconcileErrors.Increment();
  }
  if (outcome.kind == Outcome::Kind::kTerminal) {
    r_->terminalErrors.Increment();
  }
}

namespace {
void move(const std::map<std::string, prometheus::Gauge*>& gauges, const std::string& from,
          const std::string& to) {
  if (const auto it = gauges.find(from); it != gauges.end()) {
    it->second->Decrement();
  }
  if (const auto it = gauges.find(to); it != gauges.end()) {
    it->second->Increment();
  }
}

void observe(const std::map<std::string, prometheus::Histogram*>& histograms,
             std::string_view result, double value) {
  if (const auto it = histograms.find(std::string(result)); it != histograms.end()) {
    it->second->Observe(value);
  }
}
}  // namespace

void Metrics::moveBuild(const std::string& fromPhase, const std::string& toPhase) {
  move(r_->builds, fromPhase, toPhase);
}
void Metrics::moveWaiting(const std::string& fromReason, const std::string& toReason) {
  move(r_->throttled, fromReason, toReason);
  move(r_->waiting, fromReason, toReason);
}
void Metrics::onBuildStarted() { r_->started.Increment(); }
void Metrics::onBuildEnded(const std::string& failureClass, const std::string& reason) {
  if (const auto it = r_->ended.find({failureClass, reason}); it != r_->ended.end()) {
    it->second->Increment();
  }
}
void Metrics::onPhase(std::string_view phase, double value) {
  observe(r_->phaseTime, phase, value);
}
void Metrics::onRegistryError(const std::string& host) {
  bool known = false;
  {
    auto hosts = r_->registryHosts.lock();
    known = hosts->contains(host) || hosts->size() < kMaxHosts;
    if (known) {
      hosts->insert(host);
    }
  }
  r_->registryErrors.Add({{"host", known ? host : "other"}}).Increment();
}
void Metrics::onBuildFinished(std::string_view result, double value) {
  observe(r_->buildTime, result, value);
}
void Metrics::onStageFinished(std::string_view result, double value) {
  observe(r_->stageTime, result, value);
}
void Metrics::onPodStarted(double value) { r_->podLatency.Observe(value); }

}  // namespace stagewright::op
