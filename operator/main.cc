// stagewright-operator: wires the parts together, leads, and stops in order.
#include <malloc.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "lib/base/hash.h"
#include "lib/base/log.h"
#include "lib/http/certificate.h"
#include "lib/kube/client.h"
#include "lib/kube/cpprest_transport.h"
#include "lib/kube/events.h"
#include "lib/kube/lease.h"
#include "operator/admission_board.h"
#include "operator/admission_keeper.h"
#include "operator/applier.h"
#include "operator/build_events.h"
#include "operator/caches.h"
#include "operator/cluster_facts.h"
#include "operator/create_errors.h"
#include "operator/dispatcher.h"
#include "operator/fenced_transport.h"
#include "operator/log_followers.h"
#include "operator/metered_transport.h"
#include "operator/metrics.h"
#include "operator/metrics_auth.h"
#include "operator/options.h"
#include "operator/probes.h"
#include "operator/reconciler.h"
#include "operator/work_queue.h"
#include "operator/workers.h"
#include "operator/write_gate.h"

namespace stagewright::op {
namespace {

constexpr int kExitOk = 0;
constexpr int kExitFailed = 1;
constexpr int kExitLeaseLost = 3;
constexpr std::size_t kMaxFollowers = 64;
constexpr std::chrono::minutes kSyncPatience{2};
constexpr Millis kSyncPoll{50};
constexpr Millis kDrainPatience{30'000};
constexpr std::chrono::seconds kStaleLease{20};
constexpr std::chrono::minutes kVersionPatience{1};
constexpr int kWatchListMinor = 32;  ///< 1.33 has it switched off and refuses; we list then
constexpr Millis kReviewPatience{5'000};

std::string hostName() {
  char buffer[256] = {};
  return gethostname(buffer, sizeof buffer - 1) == 0 ? buffer : "unknown";
}

/// host:port of an https URL, for metric labels.
std::string hostOf(const std::string& server) {
  const std::size_t start = server.find("://") + 3;
  return server.substr(start, server.find('/', start) - start);
}

kube::LeaseOptions leaseOptions(const Options& o, const std::string& ownNamespace,
                                const std::string& identity) {
  return {.ns = o.leaseNamespace.empty() ? ownNamespace : o.leaseNamespace,
          .name = o.leaseName,
          .identity = identity,
          .duration = o.leaseDuration,
          .renewDeadline = o.renewDeadline,
          .retryPeriod = o.retryPeriod};
}

kube::LeaseOptions withSlowPath(kube::LeaseOptions options, Metrics& metrics) {
  options.onSlowPath = [&metrics] { metrics.onLeaseSlowPath(); };
  return options;
}

lifecycle::Settings settingsOf(const Options& o) {
  lifecycle::Settings settings;
  settings.pods = o.pods;
  return settings;
}

/// Everything that lives as long as the process, in the order in which one part needs the one
/// before.
struct Operator {
  Operator(const Options& o, kube::ClusterConfig config, int serverMinor,
           kube::ApiTransport& transport_)
      : options(o),
        identity(hostName() + "_" + toHex(randomBytes(8))),
        lease(leaseOptions(o, config.defaultNamespace, identity)),
        transport(transport_, clock,
                  [this, host = hostOf(config.server)](const std::string& method, int status,
                                                       Millis took) {
                    metrics.onRequest(method, status, host, took);
                  }),
        fenced(transport, [this] { return holdsLease(); }),
        client(fenced, clock),
        watchClient(transport, clock, {Millis(60'000), Millis(0)}),
        leaseClient(transport, clock, kube::makeLeaseClientOptions(lease)),
        elector(leaseClient, clock, withSlowPath(lease, metrics)),
        reviewClient(transport, clock, {kReviewPatience, Millis(0)}),
        metricsAuth(reviewClient, clock),
        queue(clock, &metrics),
        cluster(o.imageVolumes, serverMinor),
        progress(clock),
        admissions(
            clock, o.limits, [this](const std::string& ns) { return policies.rulesOf(ns); },
            [this](const std::string& key) { queue.add(key); }),
        dispatcher(queue, cluster, policies, metrics, progress),
        caches(watchClient, clock,
               {.namespaces = o.namespaces,
                .clusterReads = o.clusterReads,
                .watchList = serverMinor >= kWatchListMinor},
               dispatcher),
        gate(clock,
             [this](CachedKind kind, const std::string& ns) { return caches.version(kind, ns); }),
        recorder(client, clock, "stagewright.dev/operator", identity),
        events(recorder),
        applier(client, clock, gate, createErrors, events),
        followers(client, clock, kMaxFollowers, [this](const std::string& key) { queue.add(key); }),
        reconciler({client, clock, caches.builds(), caches.pods(), caches.claims(), cluster, gate,
                    createErrors, followers, applier, admissions, policies, settingsOf(o)}),
        workers(
            queue, clock,
            [this](const WorkQueue::Work& work, std::stop_token stop) {
              return reconciler.reconcile(work.key, work.lane, stop);
            },
            metrics),
        keeper({client, clock, o.namespaces, admissions,
                [this] { return caches.oldestVersion(CachedKind::kBuild); },
                [this](const std::string& key) { queue.add(key, Lane::kLater); }}) {
    dispatcher.setBuildsOnNode(
        [this](const std::string& node) { return buildsOnNode(caches.pods(), node); });
    dispatcher.setOnBuildChange([this](const kube::Change& change) { admissions.observe(change); });
    dispatcher.setOnRulesChange([this](const std::string& ns) { admissions.refreshRules(ns); });
    dispatcher.setOnPodSeen([this](const std::string& key, const std::string& name) {
      applier.knownPods().saw(key, name);
    });
    if (!o.clusterReads) {
      knowNamespaces();
    }
    metrics.setWorkers(o.workers);
    metrics.setLeader(o.leaseName, false);
  }

  /// As far as our own clock can tell: nobody else takes the lease before its whole duration is
  /// over.
  bool holdsLease() const {
    const std::optional<Millis> age = elector.sinceRenewal();
    return !options.leaderElect || (age && *age < lease.duration);
  }

  /// Nobody tells us their labels, and no policy selects them.
  void knowNamespaces() {
    for (const std::string& ns : options.namespaces) {
      const Json object = {{"metadata", {{"name", ns}}}};
      policies.updateNamespace(ns, &object);
    }
  }

  const Options& options;
  SystemClock clock;
  Metrics metrics;
  std::string identity;
  kube::LeaseOptions lease;
  MeteredTransport transport;
  FencedTransport fenced;
  kube::ApiClient client;
  kube::ApiClient watchClient;
  kube::ApiClient leaseClient;
  kube::LeaderElector elector;
  kube::ApiClient reviewClient;
  MetricsAuth metricsAuth;
  CreateErrors createErrors;
  WorkQueue queue;
  ClusterFactsBoard cluster;
  Progress progress;
  PolicyBoard policies;
  AdmissionBoard admissions;
  Dispatcher dispatcher;
  Caches caches;
  WriteGate gate;
  kube::EventRecorder recorder;
  BuildEvents events;
  Applier applier;
  LogFollowers followers;
  Reconciler reconciler;
  Workers workers;
  AdmissionKeeper keeper;
};

/// Nothing: it may.
std::optional<http::ServerResponse> refusalOf(MetricsAuth::Verdict verdict) {
  switch (verdict) {
    case MetricsAuth::Verdict::kAllowed:
      return std::nullopt;
    case MetricsAuth::Verdict::kUnauthenticated:
      return http::ServerResponse{401, "text/plain", "needs a bearer token\n"};
    case MetricsAuth::Verdict::kForbidden:
      return http::ServerResponse{403, "text/plain", "may not get /metrics\n"};
    case MetricsAuth::Verdict::kUnavailable:
      return http::ServerResponse{503, "text/plain", "the API server does not say who this is\n"};
  }
  return http::ServerResponse{403, "text/plain", ""};
}

ProbeSources probesOf(Operator& op) {
  ProbeSources sources;
  sources.metrics = [&op] {
    const AdmissionBoard::Snapshot queue = op.admissions.snapshot();
    op.metrics.setAdmissions(queue.waiting, queue.running, queue.oldest.count());
    return op.metrics.serialize(op.queue.unfinished(), op.progress.since());
  };
  if (op.options.metricsAuth) {
    sources.refuseMetrics = [&op](const http::ServerRequest& request) {
      return refusalOf(op.metricsAuth.judge(request.authorization, request.path, {}));
    };
  }
  sources.notReady = [&op] {
    const std::string missing = op.caches.missing();
    const std::string cutOff = op.caches.cutOff();
    return !missing.empty()  ? "caches not synced: " + missing
           : !cutOff.empty() ? "not served, or we may not see them: " + cutOff
                             : "";
  };
  sources.notHealthy = [&op] {
    const std::optional<Millis> age = op.elector.sinceRenewal();
    return age && *age > op.lease.duration + kStaleLease
               ? std::string("the lease was not renewed for too long")
               : "";
  };
  return sources;
}

/// Waits for the first lists. False: stopped, or it takes too long, which only a restart or an
/// administrator can mend.
bool waitForCaches(Operator& op, std::stop_token stop) {
  const SteadyPoint deadline = op.clock.steadyNow() + kSyncPatience;
  while (!op.caches.areSynced()) {
    if (op.clock.steadyNow() > deadline) {
      log::error("caches did not sync", {{"missing", op.caches.missing()}});
      return false;
    }
    if (!op.clock.sleepFor(kSyncPoll, stop)) {
      return false;
    }
  }
  malloc_trim(0);  // what the answers of the first lists took
  if (!op.options.clusterReads) {
    log::warn("BuildPolicies and namespaces are not read: no policy counts");
  }
  if (!op.options.clusterReads || op.caches.nodesDenied()) {
    log::warn(
        "nodes may not be read: builds run with isolation Baseline unless they ask for "
        "UserNamespace, without image volumes unless --image-volumes=on, and a lost node is seen "
        "only when its pods are deleted");
  }
  log::info("caches synced", {{"imagebuilds", std::to_string(op.caches.builds().size())},
                              {"pods", std::to_string(op.caches.pods().size())}});
  return true;
}

/// Works until told to stop; REQUIRES: we lead, or nobody is asked.
///
/// The order of the end:
///  1. the queue gives out no more keys;
///  2. running reconciles finish (at most 30 s), for a half-applied plan is legal but a nuisance;
///  3. only now the lease is given away: from here on another may write;
///  4. followers, events, caches, probes end with their destructors, in reverse order of
///  construction.
int work(Operator& op, std::stop_token stop) {
  op.dispatcher.setLeading(true);
  op.metrics.setLeader(op.options.leaseName, true);
  std::jthread keeper([&op](std::stop_token ended) { op.keeper.run(ended); });
  op.workers.start(op.options.workers);
  bool kept = true;
  if (op.options.leaderElect) {
    kept = op.elector.hold(stop);
  } else {
    while (op.clock.sleepFor(std::chrono::hours(1), stop)) {
    }
  }
  op.metrics.setLeader(op.options.leaseName, false);
  if (!kept) {
    // Another leads by now: what is in flight must not go on, and a drain would only prolong the
    // overlap.
    log::error("lease lost, exiting", {{"identity", op.identity}});
    std::_Exit(kExitLeaseLost);
  }
  log::info("stopping", {{"waiting", std::to_string(op.queue.depth())}});
  op.queue.shutdown();
  {
    // The lease is kept while reconciles finish.
    std::jthread holder([&op](std::stop_token drained) {
      if (op.options.leaderElect && !op.elector.hold(drained)) {
        std::_Exit(kExitLeaseLost);
      }
    });
    op.workers.drain(kDrainPatience, op.clock);
  }
  op.elector.release();
  return kExitOk;
}

/// Two threads: one may wait for the API server's word about a token.
Result<std::unique_ptr<http::Server>> serveMetrics(Operator& op) {
  const Options& o = op.options;
  http::ServerOptions server;
  server.address = o.metricsAddress;
  server.port = static_cast<std::uint16_t>(o.metricsPort);
  server.threads = 2;
  if (o.metricsTls != "off") {
    TRY(http::Certificate tls, o.metricsTls == "self-signed"
                                   ? http::makeSelfSignedCertificate("stagewright-operator")
                                   : http::loadCertificate(o.metricsTls));
    server.certificate = std::move(tls.certificate);
    server.privateKey = std::move(tls.privateKey);
  }
  return startProbes(server, probesOf(op),
                     o.healthAddress.empty() ? Serves::kAll : Serves::kMetrics);
}

/// Null if it is served beside the metrics.
Result<std::unique_ptr<http::Server>> serveHealth(Operator& op) {
  if (op.options.healthAddress.empty()) {
    return std::unique_ptr<http::Server>();
  }
  http::ServerOptions server;
  server.address = op.options.healthAddress;
  server.port = static_cast<std::uint16_t>(op.options.healthPort);
  return startProbes(server, probesOf(op), Serves::kHealth);
}

int serve(Operator& op, std::stop_token stop) {
  Result<std::unique_ptr<http::Server>> metrics = serveMetrics(op);
  Result<std::unique_ptr<http::Server>> health = serveHealth(op);
  for (const auto* server : {&metrics, &health}) {
    if (!*server) {
      log::error("cannot serve metrics and health", {{"error", server->error().message}});
      return kExitFailed;
    }
  }
  op.caches.start();
  int code = kExitOk;
  if (!waitForCaches(op, stop)) {
    code = stop.stop_requested() ? kExitOk : kExitFailed;
  } else if (!op.options.leaderElect || op.elector.acquire(stop)) {
    code = work(op, stop);
  }
  for (auto* server : {&metrics, &health}) {
    if (**server) {
      (**server)->stop();
    }
  }
  return code;
}

/// Asks until the API server answers: an operator may start before it.
Result<int> fetchServerMinor(kube::ApiTransport& transport, std::stop_token stop) {
  SystemClock clock;
  kube::ApiClient client(transport, clock);
  const SteadyPoint deadline = clock.steadyNow() + kVersionPatience;
  for (;;) {
    kube::ApiResult<Json> version = client.getPath("/version", stop);
    if (version) {
      log::info("API server found", {{"version", version->value("gitVersion", "")}});
      return parseMinor(version->value("minor", ""));
    }
    if (version.error().code != Code::kUnavailable || clock.steadyNow() > deadline) {
      return std::move(version).error();
    }
    log::warn("no answer from the API server, trying again", {{"error", version.error().message}});
    if (!clock.sleepFor(Millis(1000), stop)) {
      return cancelled("stopped");
    }
  }
}

int fail(const char* what, const Error& error) {
  log::error(what, {{"error", error.message}});
  return kExitFailed;
}

int run(const Options& options, std::stop_token stop) {
  Result<kube::ClusterConfig> config = kube::loadClusterConfig(options.kubeconfig, options.context);
  if (!config) {
    return fail("cannot find the cluster", config.error());
  }
  if (const Status sane = kube::checkLeaseOptions(leaseOptions(options, "", "")); !sane) {
    return fail("wrong flags", sane.error());
  }
  const std::unique_ptr<kube::ApiTransport> transport = kube::makeCpprestTransport(*config);
  const Result<int> minor = fetchServerMinor(*transport, stop);
  if (!minor) {
    return stop.stop_requested() ? kExitOk : fail("cannot reach the API server", minor.error());
  }
  Operator op(options, *config, *minor, *transport);
  return serve(op, stop);
}

/// SIGTERM and SIGINT, blocked in every thread and taken by one.
sigset_t stopSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

}  // namespace
}  // namespace stagewright::op

int main(int argc, char** argv) {
  using namespace stagewright;
  const sigset_t signals = op::stopSignals();
  pthread_sigmask(SIG_BLOCK, &signals,
                  nullptr);  // before the library's pool, whose threads inherit it
  mallopt(M_ARENA_MAX,
          2);  // many threads that mostly wait: more arenas would only keep free memory
  kube::initializeApiProcess();
  const op::ParsedOptions parsed = op::parseOptions(argc, argv);
  if (parsed.exitCode) {
    return *parsed.exitCode;
  }
  log::setComponent("operator");
  log::setLevel(parsed.options.logLevel);
  std::stop_source stop;
  std::jthread signalled([&signals, &stop] {
    int signal = 0;
    sigwait(&signals, &signal);
    stop.request_stop();
  });
  const int code = op::run(parsed.options, stop.get_token());
  kill(getpid(), SIGTERM);  // wakes the thread above, if no signal came
  return code;
}
