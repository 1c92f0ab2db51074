// /metrics, /healthz, /livez and /readyz.
#pragma once

#include <functional>
#include <memory>
#include <optional>
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
  /// The answer instead of the metrics, for whom they are not meant; nothing: they are. Unset: they
  /// are for everybody.
  std::function<std::optional<http::ServerResponse>(const http::ServerRequest&)> refuseMetrics{};
};

/// Which of them a server answers.
enum class Serves { kAll, kHealth, kMetrics };

http::ServerResponse answerProbe(const ProbeSources& sources, const http::ServerRequest& request,
                                 Serves serves = Serves::kAll);

Result<std::unique_ptr<http::Server>> startProbes(http::ServerOptions options, ProbeSources sources,
                                                  Serves serves);

}  // namespace stagewright::op
