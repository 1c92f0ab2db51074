// /metrics, /healthz, /livez and /readyz.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "lib/base/error.h"
#include "lib/http/server.h"

namespace stagewright::op {

/// What the probes ask. Each gives the reason against, empty for "yes". Called on the server's
/// thread.
struct ProbeSources {
  std::function<std::string()> notHealthy;
  std::function<std::string()> notReady;
  std::function<std::string()> metrics;
};

http::ServerResponse answerProbe(const ProbeSources& sources, const http::ServerRequest& request);

Result<std::unique_ptr<http::Server>> startProbes(const std::string& address, int port,
                                                  ProbeSources sources);

}  // namespace stagewright::op
