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

http::ServerResponse answerProbe(const ProbeSources& sources, const http::ServerRequest& request) {
  if (request.path == "/metrics") {
    http::ServerResponse response;
    response.contentType = "text/plain; version=0.0.4; charset=utf-8";
    response.body = sources.metrics();
    return response;
  }
  if (request.path == "/healthz" || request.path == "/livez") {
    return verdict(sources.notHealthy());
  }
  if (request.path == "/readyz") {
    return verdict(sources.notReady());
  }
  http::ServerResponse response;
  response.status = 404;
  response.body = "there are /metrics, /healthz and /readyz\n";
  return response;
}

Result<std::unique_ptr<http::Server>> startProbes(const std::string& address, int port,
                                                  ProbeSources sources) {
  http::ServerOptions options;
  options.address = address;
  options.port = static_cast<std::uint16_t>(port);
  return http::Server::start(options,
                             [sources = std::move(sources)](const http::ServerRequest& request) {
                               return answerProbe(sources, request);
                             });
}

}  // namespace stagewright::op
