// Flags of stagewright-operator, each with a default from the environment (STAGEWRIGHT_<FLAG>).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/pods/pods.h"
#include "lib/queue/fair_queue.h"

namespace stagewright::op {

enum class ImageVolumes { kAuto, kOn, kOff };

struct Options {
  std::string kubeconfig;  ///< empty: $KUBECONFIG, the pod's service account, ~/.kube/config
  std::string context;
  std::vector<std::string> namespaces;  ///< empty: all
  bool clusterReads = true;             ///< nodes, BuildPolicies, namespaces
  int workers = 16;
  std::string metricsAddress = "::";
  int metricsPort = 8080;
  std::string healthAddress;  ///< empty: health is served beside the metrics
  int healthPort = 0;
  std::string metricsTls = "off";  ///< off, self-signed, or a directory with tls.crt and tls.key
  bool metricsAuth = false;
  bool leaderElect = true;
  Millis leaseDuration{15'000};
  Millis renewDeadline{10'000};
  Millis retryPeriod{2'000};
  std::string leaseNamespace;  ///< empty: our own
  std::string leaseName = "stagewright-operator";
  ImageVolumes imageVolumes = ImageVolumes::kAuto;
  log::Level logLevel = log::Level::kInfo;
  pods::PodSettings pods;
  queue::Limits limits{.running = 1000, .perNamespace = 0};
};

/// What main does instead of running, if anything: --help, --version and wrong flags have printed
/// their text already.
struct ParsedOptions {
  Options options;
  std::optional<int> exitCode;
};

ParsedOptions parseOptions(int argc, const char* const* argv);

}  // namespace stagewright::op
