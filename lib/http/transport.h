// One HTTP exchange with a server we do not trust, behind an interface so that tests can inject
// faults.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "lib/base/error.h"
#include "lib/http/address.h"
#include "lib/http/headers.h"

namespace stagewright::http {

/// What a request sends. Pulled by the transport on the thread that called send().
class BodySource {
 public:
  virtual ~BodySource() = default;
  /// Fills up to `size` bytes; 0 is the end. An error ends the exchange and is what send() returns.
  virtual Result<std::size_t> read(char* buffer, std::size_t size) = 0;
  /// Back to the first byte. Called before a body is sent again.
  virtual Status rewind() = 0;
  /// Bytes from rewind() to the end, if known; unknown is sent chunked.
  virtual std::optional<std::int64_t> length() const { return std::nullopt; }
};

/// A body in memory. Borrows nothing.
class StringSource final : public BodySource {
 public:
  explicit StringSource(std::string bytes) : bytes_(std::move(bytes)) {}
  Result<std::size_t> read(char* buffer, std::size_t size) override;
  Status rewind() override;
  std::optional<std::int64_t> length() const override;

 private:
  std::string bytes_;
  std::size_t offset_ = 0;
};

/// Takes the body of a success (2xx) piece by piece. An error ends the exchange and is what send()
/// returns.
using BodySink = std::function<Status(std::string_view)>;

struct Tls {
  bool verify = true;
  std::string
      caFile;  ///< PEM file of authorities trusted besides the system's; read once per process

  bool operator==(const Tls&) const = default;
};

struct Timeouts {
  Millis connect{15'000};
  Millis idle{60'000};  ///< no byte in either direction
  Millis total{0};      ///< of the whole exchange; 0: none
};

inline constexpr std::int64_t kErrorBodyLimit = 64 * 1024;

struct Response {
  int status = 0;
  Headers headers;
  std::string body;
};

struct Request {
  std::string method = "GET";
  std::string url;
  Headers headers;
  BodySource* body = nullptr;  ///< borrowed for the call
  BodySink sink;               ///< without it the body is collected in Response::body
  /// Called with status and headers before the first byte of a success goes to `sink`; an error
  /// ends the exchange.
  std::function<Status(const Response&)> onHead;
  /// Cap on the body of a success, collected or sunk: more is kInvalid. Of any other answer the
  /// first 64 KiB are kept in Response::body and the rest is not read.
  std::int64_t bodyLimit = kErrorBodyLimit;
  Tls tls;
  Timeouts timeouts;
  AddressCheck checkAddress;  ///< may be empty; where a proxy is used, it is asked about the proxy
};

/// Thread-safe: send() may run on several threads.
class Transport {
 public:
  virtual ~Transport() = default;
  /// Exactly one exchange; redirects and error statuses are answers. Errors: kUnavailable (name,
  /// connection, timeout, broken off), kInvalid (URL, body over its cap, a certificate that does
  /// not verify: the message says x509 and why), kCancelled (stop requested: within milliseconds).
  /// Messages begin with `METHOD redacted-url`.
  virtual Result<Response> send(const Request& request, std::stop_token stop) = 0;
};

/// `PUT https://reg.example/v2/app/manifests/1`: how messages name a request.
std::string describe(const Request& request);

}  // namespace stagewright::http
