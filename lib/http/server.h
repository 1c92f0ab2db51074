// The HTTP server of every program of ours that serves something (metrics, health): Boost.Beast
// behind a plain interface. Bounded in everything a client controls: header and body size, time per
// step, number of connections.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "lib/base/error.h"

namespace stagewright::http {

struct ServerRequest {
  std::string method;
  std::string path;  ///< without the query
  std::string query;
  std::string authorization{};  ///< the header
};

struct ServerResponse {
  int status = 200;
  std::string contentType = "text/plain; charset=utf-8";
  std::string body;
};

/// Called on a thread of the server for GET and HEAD; must not block for long. Other methods are
/// answered 405 without it.
using ServerHandler = std::function<ServerResponse(const ServerRequest&)>;

struct ServerOptions {
  std::string address = "::";  ///< `::` also takes IPv4
  std::uint16_t port = 0;      ///< 0: any free one
  int threads = 1;
  std::size_t headerLimit = 16 * 1024;
  std::uint64_t bodyLimit = 64 * 1024;
  int maxConnections = 200;   ///< further ones are closed at once
  Millis readTimeout{8'000};  ///< of one request, and of keep-alive in between
  Millis writeTimeout{8'000};
  /// PEM; both or neither. Empty: no TLS.
  std::string certificate{};
  std::string privateKey{};
};

/// Serves from start until stop() or destruction. Both may be called from any thread but the
/// handler's.
class Server {
 public:
  /// kUnavailable if the address cannot be bound, kInvalid for a certificate that cannot be used.
  static Result<std::unique_ptr<Server>> start(const ServerOptions& options, ServerHandler handler);
  virtual ~Server() = default;
  virtual std::uint16_t port() const = 0;
  /// Closes the listener and every connection, waits for running handlers. Idempotent.
  virtual void stop() = 0;
};

}  // namespace stagewright::http
