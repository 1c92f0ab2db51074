// Counts and times requests on their way to the API server.
#pragma once

#include <functional>
#include <string>

#include "lib/base/clock.h"
#include "lib/kube/transport.h"

namespace stagewright::op {

/// Thread-safe if `onRequest` is. A stream is counted when it ends, without a time: its length says
/// nothing.
class MeteredTransport final : public kube::ApiTransport {
 public:
  /// `status` 0: no answer. `took` 0 for streams.
  using OnRequest = std::function<void(const std::string& method, int status, Millis took)>;
  MeteredTransport(kube::ApiTransport& next, const Clock& clock, OnRequest onRequest)
      : next_(next), clock_(clock), onRequest_(std::move(onRequest)) {}

  Result<kube::ApiResponse> send(const kube::ApiRequest& request, std::stop_token stop) override {
    const SteadyPoint started = clock_.steadyNow();
    Result<kube::ApiResponse> response = next_.send(request, stop);
    const auto took = std::chrono::duration_cast<Millis>(clock_.steadyNow() - started);
    onRequest_(request.method, response ? response->status : 0, took);
    return response;
  }
  Result<kube::ApiResponse> stream(const kube::ApiRequest& request,
                                   const kube::StreamLimits& limits,
                                   const kube::LineHandler& onLine, std::stop_token stop) override {
    Result<kube::ApiResponse> response = next_.stream(request, limits, onLine, stop);
    onRequest_(request.method, response ? response->status : 0, Millis(0));
    return response;
  }

 private:
  kube::ApiTransport& next_;
  const Clock& clock_;
  OnRequest onRequest_;
};

}  // namespace stagewright::op
