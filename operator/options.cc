#include "operator/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>

namespace stagewright::op {

namespace {

constexpr const char* kFooter =
    "Exit codes: 0 stopped by a signal, 1 could not start or the caches did not sync, 2 wrong "
    "flags,\n"
    "3 the lease was lost (another replica leads now).";

const std::map<std::string, log::Level> kLevels = {{"debug", log::Level::kDebug},
                                                   {"info", log::Level::kInfo},
                                                   {"warn", log::Level::kWarn},
                                                   {"error", log::Level::kError}};
const std::map<std::string, ImageVolumes> kVolumes = {
    {"auto", ImageVolumes::kAuto}, {"on", ImageVolumes::kOn}, {"off", ImageVolumes::kOff}};

/// Flags that are read as text first.
struct RawOptions {
  std::string imageVolumes = "auto";
  std::string logLevel = "info";
  std::string metricsBind = "[::]:8080";
  std::string healthBind;
  std::string leaseDuration = "15s";
  std::string renewDeadline = "10s";
  std::string retryPeriod = "2s";
};

/// CLI11's way: empty is right, anything else the reason against.
std::string isNamespace(const std::string& text) {
  const bool right =
      !text.empty() && text.size() <= 63 && text.front() != '-' && text.back() != '-' &&
      text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
  return right ? "" : stagewright::quoted(text) + " is not the name of a namespace";
}

void addClusterFlags(CLI::App& app, Options& o) {
  app.add_option(
      "--kubeconfig", o.kubeconfig,
      "kubeconfig file; default: $KUBECONFIG, the pod's service account, ~/.kube/config");
  app.add_option("--context", o.context, "context of the kubeconfig; default: its current one");
  app.add_option("--namespaces,--namespace", o.namespaces,
                 "the only namespaces to work in, separated by commas; default: all")
      ->envname("STAGEWRIGHT_NAMESPACES")
      ->delimiter(',')
      ->check(isNamespace);
  app.add_option(
         "--cluster-reads", o.clusterReads,
         "read nodes, BuildPolicies and namespaces; false needs --namespaces, and no policy "
         "counts then")
      ->envname("STAGEWRIGHT_CLUSTER_READS")
      ->capture_default_str();
  app.add_option("--workers", o.workers, "builds reconciled at the same time")
      ->envname("STAGEWRIGHT_WORKERS")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
}

void addPodFlags(CLI::App& app, Options& o, RawOptions& raw) {
  app.add_option("--builder-image", o.pods.builderImage,
                 "image with stagewright-builder and stagewright-stage")
      ->envname("STAGEWRIGHT_BUILDER_IMAGE")
      ->required();
  app.add_option("--empty-image", o.pods.emptyImage, "empty image in which FROM scratch runs")
      ->envname("STAGEWRIGHT_EMPTY_IMAGE")
      ->required();
  app.add_option("--pull-policy", o.pods.pullPolicy, "of our own images")
      ->envname("STAGEWRIGHT_PULL_POLICY")
      ->check(CLI::IsMember({"IfNotPresent", "Always", "Never"}))
      ->capture_default_str();
  app.add_option("--workspace-size", o.pods.workspaceSize, "of claims whose build sets none")
      ->envname("STAGEWRIGHT_WORKSPACE_SIZE")
      ->capture_default_str();
  app.add_option("--storage-class", o.pods.storageClassName,
                 "of claims whose build sets none; default: the cluster's")
      ->envname("STAGEWRIGHT_STORAGE_CLASS");
  app.add_option("--pod-metadata-prefix", o.pods.podMetadataPrefixes,
                 "names in spec.execution.podMetadata that begin with it are allowed; may be "
                 "repeated; default: none")
      ->envname("STAGEWRIGHT_POD_METADATA_PREFIX");
  app.add_option("--image-volumes", raw.imageVolumes, "inject the executor as an image volume")
      ->envname("STAGEWRIGHT_IMAGE_VOLUMES")
      ->check(CLI::IsMember({"auto", "on", "off"}))
      ->capture_default_str();
}

void addQueueFlags(CLI::App& app, Options& o) {
  app.add_option("--max-running-builds", o.limits.running,
                 "builds that run at the same time, the others queue; 0: no limit")
      ->envname("STAGEWRIGHT_MAX_RUNNING_BUILDS")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  app.add_option("--max-running-builds-per-namespace", o.limits.perNamespace,
                 "the same in each namespace, where no BuildPolicy says otherwise; 0: no limit")
      ->envname("STAGEWRIGHT_MAX_RUNNING_BUILDS_PER_NAMESPACE")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  app.add_flag("--kueue,!--no-kueue", o.pods.kueue,
               "pods carry the queue of their build as the label kueue.x-k8s.io/queue-name")
      ->envname("STAGEWRIGHT_KUEUE")
      ->capture_default_str();
}

void addServiceFlags(CLI::App& app, Options& o, RawOptions& raw) {
  app.add_option("--metrics-bind", raw.metricsBind, "host:port of /metrics, /healthz and /readyz")
      ->envname("STAGEWRIGHT_METRICS_BIND")
      ->capture_default_str();
  app.add_option("--metrics-tls", o.metricsTls,
                 "off, self-signed, or a directory with tls.crt and tls.key, read at the start")
      ->envname("STAGEWRIGHT_METRICS_TLS")
      ->capture_default_str();
  app.add_option("--metrics-auth", o.metricsAuth,
                 "metrics only for bearer tokens that the API server lets get /metrics")
      ->envname("STAGEWRIGHT_METRICS_AUTH")
      ->capture_default_str();
  app.add_option("--health-bind", raw.healthBind,
                 "host:port of /healthz and /readyz alone; default: where the metrics are")
      ->envname("STAGEWRIGHT_HEALTH_BIND");
  app.add_option("--leader-elect", o.leaderElect, "lead only while holding the lease")
      ->envname("STAGEWRIGHT_LEADER_ELECT")
      ->capture_default_str();
  app.add_option("--lease-duration", raw.leaseDuration, "after which a silent leader is replaced")
      ->envname("STAGEWRIGHT_LEASE_DURATION")
      ->capture_default_str();
  app.add_option("--lease-renew-deadline", raw.renewDeadline,
                 "after which a leader that cannot renew gives up")
      ->envname("STAGEWRIGHT_LEASE_RENEW_DEADLINE")
      ->capture_default_str();
  app.add_option("--lease-retry-period", raw.retryPeriod, "between two tries")
      ->envname("STAGEWRIGHT_LEASE_RETRY_PERIOD")
      ->capture_default_str();
  app.add_option("--lease-namespace", o.leaseNamespace, "default: the operator's own")
      ->envname("STAGEWRIGHT_LEASE_NAMESPACE");
  app.add_option("--lease-name", o.leaseName)
      ->envname("STAGEWRIGHT_LEASE_NAME")
      ->capture_default_str();
  app.add_option("--log-level", raw.logLevel, "lines below it are dropped")
      ->envname("STAGEWRIGHT_LOG_LEVEL")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->capture_default_str();
}

Millis durationOf(const std::string& flag, const std::string& text) {
  const Result<Millis> duration = parseDuration(text);
  if (!duration) {
    throw CLI::ValidationError(flag, duration.error().message);
  }
  return *duration;
}

/// host:port with an IPv6 host in brackets; an empty host means every address.
void readBind(const std::string& flag, const std::string& text, std::string& address, int& number) {
  const std::size_t colon = text.rfind(':');
  const std::string port = colon == std::string::npos ? "" : text.substr(colon + 1);
  if (port.empty() || port.size() > 5 ||
      port.find_first_not_of("0123456789") != std::string::npos || std::stoi(port) > 65535) {
    throw CLI::ValidationError(flag, "expected host:port, got " + stagewright::quoted(text));
  }
  std::string host = text.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  address = host.empty() ? "::" : host;
  number = std::stoi(port);
}

}  // namespace

ParsedOptions parseOptions(int argc, const char* const* argv) {
  ParsedOptions parsed;
  Options& o = parsed.options;
  RawOptions raw;
  CLI::App app("Builds the images that ImageBuild objects ask for.", "stagewright-operator");
  app.set_version_flag("--version", std::string("stagewright-operator ") + STAGEWRIGHT_VERSION);
  app.footer(kFooter);
  addClusterFlags(app, o);
  addPodFlags(app, o, raw);
  addQueueFlags(app, o);
  addServiceFlags(app, o, raw);
  try {
    app.parse(argc, argv);
    if (!o.clusterReads && o.namespaces.empty()) {
      throw CLI::ValidationError("--cluster-reads", "false needs --namespaces");
    }
    readBind("--metrics-bind", raw.metricsBind, o.metricsAddress, o.metricsPort);
    if (!raw.healthBind.empty()) {
      readBind("--health-bind", raw.healthBind, o.healthAddress, o.healthPort);
    }
    // One informer for each: twice the same would be two writers of one store.
    std::sort(o.namespaces.begin(), o.namespaces.end());
    o.namespaces.erase(std::unique(o.namespaces.begin(), o.namespaces.end()), o.namespaces.end());
    o.imageVolumes = kVolumes.at(raw.imageVolumes);
    o.logLevel = kLevels.at(raw.logLevel);
    o.leaseDuration = durationOf("--lease-duration", raw.leaseDuration);
    o.renewDeadline = durationOf("--lease-renew-deadline", raw.renewDeadline);
    o.retryPeriod = durationOf("--lease-retry-period", raw.retryPeriod);
  } catch (const CLI::ParseError& e) {
    parsed.exitCode = app.exit(e) == 0 ? 0 : 2;
  }
  return parsed;
}

}  // namespace stagewright::op
