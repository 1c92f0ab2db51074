// How requests reach the API server: the seam behind which cpprestsdk hides and at which tests
// inject faults.
#pragma once

#include <cstddef>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "lib/base/error.h"

namespace stagewright::kube {

struct ApiRequest {
  std::string method = "GET";
  std::string path{};         ///< absolute, with the query, percent-encoded
  std::string contentType{};  ///< of `body`; empty without one
  std::string body{};
  /// The longest silence that is not a broken connection. There is no other bound: HTTP/1.1 has no
  /// ping.
  Millis idleTimeout{30'000};
};

struct ApiResponse {
  int status = 0;
  std::string body;
  Millis retryAfter{0};
};

struct StreamLimits {
  std::size_t lineBytes = 8 << 20;
  std::size_t queueBytes = 32 << 20;  ///< what may wait between the network and a slow reader
  std::size_t totalBytes = SIZE_MAX;  ///< of the whole stream
  bool skipLongLines = false;         ///< drop a line over lineBytes instead of ending the stream
  std::string prefix{};               ///< only lines that begin with it are kept
};

/// Called on the thread that called stream(), without the newline. False ends the stream.
using LineHandler = std::function<bool(std::string_view line)>;

class ApiTransport {
 public:
  virtual ~ApiTransport() = default;

  /// The whole answer, whatever its status. Errors: kUnavailable for every failure of the
  /// transport, kCancelled after a stop, kInvalid for an answer over 256 MiB. Thread-safe.
  virtual Result<ApiResponse> send(const ApiRequest& request, std::stop_token stop) = 0;

  /// Gives the lines of a 2xx answer to `onLine` as they come, until the server or `onLine` ends
  /// the stream. Any other status comes back with its body (at most 64 KiB) and without calls.
  /// Errors as send(), and kInvalid for a line or stream over its limit; kUnavailable also if the
  /// reader is too slow for `queueBytes`. Thread-safe.
  virtual Result<ApiResponse> stream(const ApiRequest& request, const StreamLimits& limits,
                                     const LineHandler& onLine, std::stop_token stop) = 0;
};

}  // namespace stagewright::kube
