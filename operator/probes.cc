#include "operator/probes.h"

namespace stagewright::op {

namespace {
http::ServerResponse verdict(const std::string& against) {
  http::ServerResponse response;
  response.status = against.empty() ? 200 : 503;
  response.body = against.empty() ? "ok\n" : against + "\n";
  return response;
}
}  // namespace

http::ServerResponse answerProbe(const ProbeSources& sources, const http::ServerRequest& request,
                                 Serves serves) {
  if (serves != Serves::kHealth && request.path == "/metrics") {
    if (sources.refuseMetrics) {
      if (std::optional<http::ServerResponse> refusal = sources.refuseMetrics(request)) {
        return *refusal;
      }
    }
    http::ServerResponse response;
    response.contentType = "text/plain; version=0.0.4; charset=utf-8";
    response.body = sources.metrics();
    return response;
  }
  if (serves != Serves::kMetrics && (request.path == "/healthz" || request.path == "/livez")) {
    return verdict(sources.notHealthy());
  }
  if (serves != Serves::kMetrics && request.path == "/readyz") {
    return verdict(sources.notReady());
  }
  http::ServerResponse response;
  response.status = 404;
  response.body = serves == Serves::kAll       ? "there are /metrics, /healthz and /readyz\n"
                  : serves == Serves::kMetrics ? "there is /metrics\n"
                                               : "there are /healthz and /readyz\n";
  return response;
}

Result<std::unique_ptr<http::Server>> startProbes(http::ServerOptions options, ProbeSources sources,
                                                  Serves serves) {
  return http::Server::start(
      options, [sources = std::move(sources), serves](const http::ServerRequest& request) {
        return answerProbe(sources, request, serves);
      });
}

}  // namespace stagewright::op
