// The Authorization header, with a token file that is read again while we run.
#pragma once

#include <chrono>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/guarded.h"
#include "lib/kube/kubeconfig.h"

namespace stagewright::kube {

/// Thread-safe. The token file of a pod is replaced by the kubelet before its token expires; it is
/// read again after a minute. If that fails the last token stays in use.
class Credentials {
 public:
  Credentials(const ClusterConfig& config, const Clock& clock) : config_(config), clock_(clock) {}

  /// Empty if we have only a client certificate, or nothing.
  std::string authorization();

 private:
  static constexpr std::chrono::seconds kReread{60};
  struct Cached {
    std::string token;
    SteadyPoint readAt{};
  };
  std::string tokenFromFile();

  const ClusterConfig& config_;
  const Clock& clock_;
  Guarded<Cached> cached_;
};

}  // namespace stagewright::kube
