// Lets no write of a replica through whose lease may have run out.
#pragma once

#include <functional>
#include <string>

#include "lib/kube/transport.h"

namespace stagewright::op {

/// A lease is no fence, so each write asks first whether we still hold it by our own clock: a
/// process that was stopped for longer than the lease and wakes in the middle of a reconcile must
/// not go on with it. What remains is one request whose answer to that question was yes just
/// before. Refused writes are kUnavailable: a leader that could renew after all comes again.
/// Thread-safe if `mayWrite` is.
class FencedTransport final : public kube::ApiTransport {
 public:
  FencedTransport(kube::ApiTransport& next, std::function<bool()> mayWrite)
      : next_(next), mayWrite_(std::move(mayWrite)) {}

  Result<kube::ApiResponse> send(const kube::ApiRequest& request, std::stop_token stop) override {
    if (request.method != "GET" && !mayWrite_()) {
      return unavailable(request.method + ": not sent, the lease may be another's by now");
    }
    return next_.send(request, stop);
  }
  Result<kube::ApiResponse> stream(const kube::ApiRequest& request,
                                   const kube::StreamLimits& limits,
                                   const kube::LineHandler& onLine, std::stop_token stop) override {
    return next_.stream(request, limits, onLine, stop);
  }

 private:
  kube::ApiTransport& next_;
  std::function<bool()> mayWrite_;
};

}  // namespace stagewright::op
