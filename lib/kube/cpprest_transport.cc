#include "lib/kube/cpprest_transport.h"

#include <cpprest/http_client.h>
#include <cpprest/interopstream.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pplx/threadpool.h>

#include <charconv>
#include <cstdlib>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <thread>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/guarded.h"
#include "lib/kube/credentials.h"
#include "lib/kube/line_sink.h"

namespace stagewright::kube {

namespace {

namespace http = web::http;
using http::client::http_client;
using http::client::http_client_config;

constexpr std::size_t kMaxBody = 256 << 20;
constexpr std::size_t kChunk = 256 << 10;
constexpr const char* kSystemCas = "/etc/ssl/certs/ca-certificates.crt";

// ---- TLS ----

/// A store with the certificates of `pem` and nothing else.
X509_STORE* storeOf(const std::string& pem) {
  X509_STORE* store = X509_STORE_new();
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  while (X509* certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr)) {
    X509_STORE_add_cert(store, certificate);
    X509_free(certificate);
  }
  BIO_free(bio);
  ERR_clear_error();  // the end of the text is an error to PEM_read_bio_X509
  return store;
}

std::string trustedPem(const ClusterConfig& config) {
  if (!config.caFile.empty()) {
    if (Result<std::string> pem = loadFile(config.caFile, 1 << 20)) {
      return *pem;
    }
  }
  if (!config.caPem.empty()) {
    return config.caPem;
  }
  Result<std::string> pem = loadFile(kSystemCas, 8 << 20);
  return pem ? *pem : "";
}

/// The store for the text it was last asked for: parsing certificates costs more than the handshake
/// of a connection. Thread-safe.
class TrustedStore {
 public:
  /// One more reference to the store of `pem`, which is the caller's.
  X509_STORE* share(const std::string& pem) {
    auto last = last_.lock();
    if (!last->store || last->pem != pem) {
      last->store.reset(storeOf(pem));
      last->pem = pem;
    }
    X509_STORE_up_ref(last->store.get());
    return last->store.get();
  }

 private:
  struct Free {
    void operator()(X509_STORE* store) const { X509_STORE_free(store); }
  };
  struct Last {
    std::string pem;
    std::unique_ptr<X509_STORE, Free> store;
  };
  Guarded<Last> last_;
};

/// Called by the library for each connection, so a rotated CA is picked up. A throw here fails the
/// connection.
void configureTls(const ClusterConfig& config, TrustedStore& trusted,
                  boost::asio::ssl::context& context) {
  SSL_CTX_set_cert_store(context.native_handle(), trusted.share(trustedPem(config)));
  SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
  if (!config.clientCertificatePem.empty()) {
    context.use_certificate_chain(boost::asio::buffer(config.clientCertificatePem));
    context.use_private_key(boost::asio::buffer(config.clientKeyPem),
                            boost::asio::ssl::context::pem);
  }
}

bool isAddress(const std::string& host) {
  return host.find(':') != std::string::npos ||
         host.find_first_not_of("0123456789.") == std::string::npos;
}

// ---- headers ----

Millis parseRetryAfter(const http::http_headers& headers) {
  const auto it = headers.find("Retry-After");
  int seconds = 0;
  if (it == headers.end() ||
      std::from_chars(it->second.data(), it->second.data() + it->second.size(), seconds).ec !=
          std::errc()) {
    return Millis(0);
  }
  return std::chrono::seconds(std::clamp(seconds, 0, 3600));
}

// ---- errors ----

/// The library's codes mislead (end of file reads "No such file or directory"), so every failure is
/// kUnavailable and the message says only what we did.
Error transportError(const ApiRequest& request, const std::exception& e) {
  return unavailable(request.method + " " + request.path.substr(0, request.path.find('?')) +
                     ": no answer from the API server (" + e.what() + ")");
}

Error sinkError(const ApiRequest& request, SinkFault fault) {
  const std::string where =
      request.method + " " + request.path.substr(0, request.path.find('?')) + ": ";
  switch (fault) {
    case SinkFault::kLineTooLong:
      return invalid(where + "a line of the answer is too long");
    case SinkFault::kStreamTooLong:
      return invalid(where + "the answer is too long");
    case SinkFault::kReaderTooSlow:
      return unavailable(where + "the reader is too slow for the stream");
    default:
      return unavailable(where + "out of memory");
  }
}

bool isStreamable(int status) { return status >= 200 && status < 300; }

// ---- the transport ----

/// Ends a request that nobody reads any more: a dropped answer would go on into memory.
struct CancelAtExit {
  pplx::cancellation_token_source& source;
  ~CancelAtExit() { source.cancel(); }
};

class CpprestTransport final : public ApiTransport {
 public:
  explicit CpprestTransport(ClusterConfig config)
      : config_(std::move(config)), credentials_(config_, clock_) {}

  Result<ApiResponse> send(const ApiRequest& request, std::stop_token stop) override {
    BodySink sink(kMaxBody);
    std::ostream body(&sink);
    pplx::cancellation_token_source source;
    const std::stop_callback onStop(stop, [&source] { source.cancel(); });
    TRY(ApiResponse response, await(request, body, source, stop, [](int) {}));
    if (sink.fault() != SinkFault::kNone) {
      return sinkError(request, sink.fault());
    }
    response.body = sink.take();
    return response;
  }

  Result<ApiResponse> stream(const ApiRequest& request, const StreamLimits& limits,
                             const LineHandler& onLine, std::stop_token stop) override {
    LineQueue queue(limits.queueBytes);
    LineSink sink(limits, queue);
    std::ostream body(&sink);
    pplx::cancellation_token_source source;
    const std::stop_callback onStop(stop, [&source] { source.cancel(); });
    Result<ApiResponse> outcome = ApiResponse{};
    bool wanted = true;
    {
      std::promise<int> head;  // the status, 0 if there is no answer
      std::jthread waiter([&] {
        bool known = false;
        outcome = await(request, body, source, stop, [&](int status) {
          known = true;
          head.set_value(status);
        });
        if (!known) {
          head.set_value(0);
        }
        if (outcome) {
          sink.finish();
        }
        queue.close();
      });
      const CancelAtExit cancel{source};
      if (isStreamable(head.get_future().get())) {
        wanted = readLines(queue, onLine);
      } else {
        waiter.join();
      }
    }
    return resultOf(request, sink, wanted, std::move(outcome));
  }

 private:
  /// False if `onLine` wants no more.
  static bool readLines(LineQueue& queue, const LineHandler& onLine) {
    while (const std::optional<std::string> line = queue.pop()) {
      if (!onLine(*line)) {
        return false;
      }
    }
    return true;
  }

  static Result<ApiResponse> resultOf(const ApiRequest& request, const LineSink& sink, bool wanted,
                                      Result<ApiResponse> outcome) {
    if (!wanted) {
      return ApiResponse{200, "", Millis(0)};
    }
    if (sink.fault() != SinkFault::kNone) {
      return sinkError(request, sink.fault());
    }
    if (outcome && !isStreamable(outcome->status)) {
      outcome->body = sink.head();
    }
    return outcome;
  }

  /// Sends and waits for the end of the answer, whose body goes to `body`; no exception leaves it.
  template <class OnHead>
  Result<ApiResponse> await(const ApiRequest& request, std::ostream& body,
                            pplx::cancellation_token_source& source, const std::stop_token& stop,
                            OnHead&& onHead) {
    try {
      http::http_request message = messageOf(request);
      message.set_response_stream(concurrency::streams::stdio_ostream<std::uint8_t>(body));
      http::http_response answer =
          clientFor(request.idleTimeout).request(message, source.get_token()).get();
      const ApiResponse response{answer.status_code(), "", parseRetryAfter(answer.headers())};
      onHead(response.status);
      answer.content_ready().get();
      return response;
    } catch (const std::exception& e) {
      source.cancel();
      return stop.stop_requested() ? cancelled(request.method + ": stopped")
                                   : transportError(request, e);
    }
  }

  http::http_request messageOf(const ApiRequest& request) {
    http::http_request message{http::method(request.method)};
    message.set_request_uri(web::uri(request.path));
    message.headers().add("Accept", "application/json");
    message.headers().add("User-Agent", "stagewright/" STAGEWRIGHT_VERSION);
    if (const std::string value = credentials_.authorization(); !value.empty()) {
      message.headers().add("Authorization", value);
    }
    if (!request.body.empty()) {
      message.set_body(request.body, request.contentType);
    }
    return message;
  }

  /// One client for each timeout, for the timeout belongs to the library's client; each keeps its
  /// connections.
  http_client clientFor(Millis idleTimeout) {
    auto clients = clients_.lock();
    const auto found = clients->find(idleTimeout.count());
    if (found != clients->end()) {
      return found->second;
    }
    return clients->emplace(idleTimeout.count(), http_client(config_.server, settings(idleTimeout)))
        .first->second;
  }

  http_client_config settings(Millis idleTimeout) {
    http_client_config settings;
    settings.set_timeout(idleTimeout);
    settings.set_chunksize(kChunk);
    settings.set_max_redirects(0);
    settings.set_validate_certificates(!config_.insecureSkipVerify);
    settings.set_tlsext_sni_enabled(!isAddress(web::uri(config_.server).host()));
    settings.set_ssl_context_callback(
        [this](boost::asio::ssl::context& context) { configureTls(config_, trusted_, context); });
    return settings;
  }

  const ClusterConfig config_;
  SystemClock clock_;
  Credentials credentials_;
  TrustedStore trusted_;
  Guarded<std::map<Millis::rep, http_client>> clients_;
};

}  // namespace

void initializeApiProcess() {
  crossplat::threadpool::initialize_with_threads(4);
  setenv("SSL_CERT_FILE", "/dev/null",
         1);  // NOLINT(concurrency-mt-unsafe): before any thread of ours
  setenv("SSL_CERT_DIR", "/nonexistent", 1);  // NOLINT(concurrency-mt-unsafe)
}

std::unique_ptr<ApiTransport> makeCpprestTransport(ClusterConfig config) {
  return std::make_unique<CpprestTransport>(std::move(config));
}

}  // namespace stagewright::kube
