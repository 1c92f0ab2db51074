#include "lib/http/server.h"

// ThreadSanitizer knows no fences; asio's are in addition to its mutexes, which it does know.
#ifdef __SANITIZE_THREAD__
#define BOOST_ASIO_DISABLE_FENCED_BLOCK
#endif

// clang-format off: Boost 1.74's asio.hpp uses std::exchange without including <utility>.
#include <utility>
// clang-format on

#include <atomic>
#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <optional>
#include <thread>
#include <vector>

namespace stagewright::http {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

using PlainStream = beast::tcp_stream;
using TlsStream = beast::ssl_stream<beast::tcp_stream>;

constexpr Millis kAcceptPause{100};

/// What all connections of a server share.
struct Shared {
  ServerOptions options;
  ServerHandler handler;
  std::optional<asio::ssl::context> tls;
  std::atomic<int> connections{0};  ///< counted by the threads of the server
};

ServerRequest toServerRequest(const bhttp::request<bhttp::string_body>& request) {
  const std::string target(request.target());
  const std::size_t question = target.find('?');
  ServerRequest out;
  out.method = std::string(request.method_string());
  out.path = target.substr(0, question);
  out.query = question == std::string::npos ? "" : target.substr(question + 1);
  out.authorization = std::string(request[bhttp::field::authorization]);
  return out;
}

/// One client, one strand. It lives as long as an operation on it is pending; every operation has a
/// deadline.
template <class Stream>
class Connection : public std::enable_shared_from_this<Connection<Stream>> {
 public:
  /// `arguments` after the socket: of the stream.
  template <class... Arguments>
  Connection(Shared& shared, tcp::socket socket, Arguments&... arguments)
      : stream_(std::move(socket), arguments...), shared_(shared) {
    ++shared_.connections;
  }
  ~Connection() { --shared_.connections; }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void start() {
    error_code ignored;
    transport().socket().set_option(tcp::no_delay(true), ignored);
    asio::dispatch(stream_.get_executor(), [self = this->shared_from_this()] { self->greet(); });
  }

 private:
  static constexpr bool kTls = std::is_same_v<Stream, TlsStream>;

  beast::tcp_stream& transport() { return beast::get_lowest_layer(stream_); }

  void greet() {
    if constexpr (kTls) {
      transport().expires_after(shared_.options.readTimeout);
      stream_.async_handshake(asio::ssl::stream_base::server,
                              [self = this->shared_from_this()](error_code error) {
                                if (!error) {
                                  self->read();
                                }
                              });
    } else {
      read();
    }
  }

  void read() {
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(shared_.options.headerLimit));
    parser_->body_limit(shared_.options.bodyLimit);
    transport().expires_after(shared_.options.readTimeout);
    bhttp::async_read(
        stream_, buffer_, *parser_,
        [self = this->shared_from_this()](error_code error, std::size_t) { self->onRead(error); });
  }

  void onRead(error_code error) {
    if (error == bhttp::error::header_limit) {
      write({431, "text/plain", "header too large\n"}, false);
    } else if (error == bhttp::error::body_limit) {
      write({413, "text/plain", "body too large\n"}, false);
    } else if (error.category() == bhttp::make_error_code(bhttp::error::bad_method).category() &&
               error != bhttp::error::end_of_stream && error != bhttp::error::partial_message) {
      write({400, "text/plain", "bad request\n"}, false);
    } else if (!error) {
      respond();
    }
    // Otherwise the client is gone or too slow: the connection ends with its last owner.
  }

  void respond() {
    const bhttp::request<bhttp::string_body>& request = parser_->get();
    const bool allowed =
        request.method() == bhttp::verb::get || request.method() == bhttp::verb::head;
    headOnly_ = request.method() == bhttp::verb::head;
    if (!allowed) {
      write({405, "text/plain", "only GET and HEAD\n"}, false);
      return;
    }
    ServerResponse response;
    try {
      response = shared_.handler(toServerRequest(request));
    } catch (const std::exception&) {  // a bug of the handler must not end the server
      response = {500, "text/plain", "internal error\n"};
    }
    write(std::move(response), request.keep_alive());
  }

  void write(ServerResponse from, bool keepAlive) {
    response_ = {};
    response_.version(11);
    response_.result(static_cast<unsigned>(from.status));
    response_.set(bhttp::field::content_type, from.contentType);
    if (from.status == 405) {
      response_.set(bhttp::field::allow, "GET, HEAD");
    }
    response_.keep_alive(keepAlive);
    response_.body() = std::move(from.body);
    response_.prepare_payload();
    transport().expires_after(shared_.options.writeTimeout);
    auto done = [self = this->shared_from_this()](error_code error, std::size_t) {
      self->onWritten(error);
    };
    if (headOnly_) {
      serializer_.emplace(response_);
      bhttp::async_write_header(stream_, *serializer_, std::move(done));
    } else {
      bhttp::async_write(stream_, response_, std::move(done));
    }
  }

  void onWritten(error_code error) {
    if (error) {
      return;
    }
    if (response_.keep_alive()) {
      read();  // what a pipelining client already sent is in buffer_
      return;
    }
    if constexpr (kTls) {
      transport().expires_after(shared_.options.writeTimeout);
      stream_.async_shutdown([self = this->shared_from_this()](error_code) {});
    } else {
      error_code ignored;
      stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    }
  }

  Stream stream_;
  Shared& shared_;
  beast::flat_buffer buffer_;
  std::optional<bhttp::request_parser<bhttp::string_body>> parser_;
  bhttp::response<bhttp::string_body> response_;
  std::optional<bhttp::response_serializer<bhttp::string_body>> serializer_;
  bool headOnly_ = false;
};

/// In the order of construction: what the context drops at its end no longer uses acceptor and
/// timer.
struct Engine {
  explicit Engine(int threads) : context(threads), acceptor(context), pause(context) {}

  asio::io_context context;
  tcp::acceptor acceptor;
  asio::steady_timer pause;
};

class BeastServer final : public Server {
 public:
  BeastServer(const ServerOptions& options, ServerHandler handler)
      : engine_(std::make_unique<Engine>(options.threads)) {
    shared_.options = options;
    shared_.handler = std::move(handler);
  }
  ~BeastServer() override { stopThreads(); }

  Status listen() {
    CHECK_OK(loadCertificate());
    error_code error;
    const asio::ip::address address = asio::ip::make_address(shared_.options.address, error);
    if (error) {
      return invalid("listen address " + quoted(shared_.options.address) + ": " + error.message());
    }
    error = bindTo({address, shared_.options.port});
    if (error && address == asio::ip::address_v6::any()) {  // a machine without IPv6
      error = bindTo({asio::ip::address_v4::any(), shared_.options.port});
    }
    if (error) {
      return unavailable("listen on " + shared_.options.address + " port " +
                         std::to_string(shared_.options.port) + ": " + error.message());
    }
    return ok();
  }

  void run() {
    accept();
    for (int i = 0; i < shared_.options.threads; ++i) {
      threads_.emplace_back([this] { engine_->context.run(); });
    }
  }

  std::uint16_t port() const override { return port_; }
  void stop() override { stopThreads(); }

 private:
  void stopThreads() {
    if (engine_) {
      engine_->context.stop();
      threads_.clear();
      engine_.reset();  // pending operations are dropped, and with them the listener and every
                        // connection
    }
  }

  Status loadCertificate() {
    if (shared_.options.certificate.empty()) {
      return ok();
    }
    asio::ssl::context& tls = shared_.tls.emplace(asio::ssl::context::tls_server);
    error_code error;
    tls.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                        asio::ssl::context::no_tlsv1_1,
                    error);
    tls.use_certificate_chain(asio::buffer(shared_.options.certificate), error);
    if (!error) {
      tls.use_private_key(asio::buffer(shared_.options.privateKey), asio::ssl::context::pem, error);
    }
    return error ? Status(invalid("certificate of the server: " + error.message())) : ok();
  }

  void connect(tcp::socket socket) {
    if (shared_.tls) {
      std::make_shared<Connection<TlsStream>>(shared_, std::move(socket), *shared_.tls)->start();
    } else {
      std::make_shared<Connection<PlainStream>>(shared_, std::move(socket))->start();
    }
  }

  error_code bindTo(const tcp::endpoint& endpoint) {
    error_code error;
    engine_->acceptor.close(error);
    engine_->acceptor.open(endpoint.protocol(), error);
    if (error) {
      return error;
    }
    engine_->acceptor.set_option(asio::socket_base::reuse_address(true), error);
    if (endpoint.address().is_v6()) {
      engine_->acceptor.set_option(asio::ip::v6_only(false), error);
    }
    engine_->acceptor.bind(endpoint, error);
    if (!error) {
      engine_->acceptor.listen(asio::socket_base::max_listen_connections, error);
    }
    if (!error) {
      port_ = engine_->acceptor.local_endpoint(error).port();
    }
    return error;
  }

  void accept() {
    engine_->acceptor.async_accept(
        asio::make_strand(engine_->context), [this](error_code error, tcp::socket socket) {
          if (error == asio::error::operation_aborted) {
            return;
          }
          if (error) {  // out of descriptors: accepting again at once would spin
            engine_->pause.expires_after(kAcceptPause);
            engine_->pause.async_wait([this](error_code) { accept(); });
            return;
          }
          if (shared_.connections < shared_.options.maxConnections) {
            connect(std::move(socket));
          }
          accept();
        });
  }

  Shared shared_;  ///< before the engine: connections that it drops count here
  std::unique_ptr<Engine> engine_;
  std::uint16_t port_ = 0;
  std::vector<std::jthread> threads_;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::start(const ServerOptions& options, ServerHandler handler) {
  auto server = std::make_unique<BeastServer>(options, std::move(handler));
  CHECK_OK(server->listen());
  server->run();
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace stagewright::http
