// A transport that lets requests through to another one, except where a fault was planned.
#pragma once

#include <string>
#include <vector>

#include "lib/base/guarded.h"
#include "lib/http/transport.h"

namespace stagewright::testing {

/// Strikes requests of `method` whose URL contains `urlPart`, after `skip` of them have passed,
/// `times` times.
struct Fault {
  enum class Kind {
    kStatus,     ///< `status` with `headers` and `body`; the request does not arrive
    kRefuse,     ///< no connection
    kCutAnswer,  ///< the sink gets `bytes` bytes of the real answer, then the connection breaks
    kCutBody,  ///< the server gets `bytes` bytes of the body, then the connection breaks before its
               ///< answer
  };
  Kind kind = Kind::kRefuse;
  std::string method = "GET";
  std::string urlPart;
  int skip = 0;
  int times = 1;
  int status = 503;
  http::Headers headers = {};
  std::string body = "";
  std::size_t bytes = 0;
};

/// Records what was sent. Thread-safe.
class FaultTransport final : public http::Transport {
 public:
  explicit FaultTransport(http::Transport& inner) : inner_(inner) {}

  void plan(Fault fault) { state_.lock()->faults.push_back(std::move(fault)); }
  Result<http::Response> send(const http::Request& request, std::stop_token stop) override;

  struct Sent {
    std::string method;
    std::string url;
    http::Headers headers;
  };
  std::vector<Sent> sent() { return state_.lock()->sent; }
  /// Requests of `method` whose URL contains `urlPart`.
  int count(const std::string& method, const std::string& urlPart);

 private:
  struct State {
    std::vector<Fault> faults;
    std::vector<Sent> sent;
  };
  std::optional<Fault> takeFault(const http::Request& request);
  Result<http::Response> strike(const Fault& fault, const http::Request& request,
                                std::stop_token stop);

  http::Transport& inner_;
  Guarded<State> state_;
};

}  // namespace stagewright::testing
