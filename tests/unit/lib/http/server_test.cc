// The server under clients that mean no good. Raw sockets, because a proper client cannot
// misbehave.
#include "lib/http/server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/http/certificate.h"
#include "lib/http/curl_transport.h"

namespace stagewright::http {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

ServerResponse echo(const ServerRequest& request) {
  if (request.path == "/throw") {
    throw std::runtime_error("a bug");
  }
  return {request.path == "/missing" ? 404 : 200, "text/plain",
          request.method + " " + request.path + " " + request.query};
}

std::unique_ptr<Server> startServer(ServerOptions options = {}) {
  options.address = "127.0.0.1";
  auto server = Server::start(options, echo);
  EXPECT_TRUE(server) << server.error().message;
  return std::move(*server);
}

Fd connectTo(const Server& server) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(server.port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  return fd;
}

void sendText(const Fd& fd, std::string_view text) {
  static_cast<void>(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL));
}

/// Until the server closes.
std::string readAll(const Fd& fd) {
  std::string text;
  char buffer[4096];
  ssize_t n;
  while ((n = ::recv(fd.get(), buffer, sizeof buffer, 0)) > 0) {
    text.append(buffer, static_cast<std::size_t>(n));
  }
  return text;
}

std::string talkTo(const Server& server, std::string_view text) {
  const Fd fd = connectTo(server);
  sendText(fd, text);
  return readAll(fd);
}

TEST(Server, AnswersAProperClient) {
  auto server = startServer();
  auto transport = makeCurlTransport();
  Request request;
  request.url = "http://127.0.0.1:" + std::to_string(server->port()) + "/metrics?a=1";
  for (int i = 0; i < 3; ++i) {
    auto response = transport->send(request, {});
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(response->body, "GET /metrics a=1");
  }
  request.url = "http://127.0.0.1:" + std::to_string(server->port()) + "/missing";
  EXPECT_EQ(transport->send(request, {})->status, 404);
}

ServerOptions tlsOptions() {
  auto certificate = makeSelfSignedCertificate("localhost");
  EXPECT_TRUE(certificate) << certificate.error().message;
  ServerOptions options;
  options.certificate = certificate->certificate;
  options.privateKey = certificate->privateKey;
  return options;
}

TEST(Server, SpeaksTls) {
  const ServerOptions options = tlsOptions();
  auto server = startServer(options);
  auto transport = makeCurlTransport();
  Request request;
  request.url = "https://localhost:" + std::to_string(server->port()) + "/metrics";
  request.headers.add("Authorization", "Bearer x");
  EXPECT_FALSE(transport->send(request, {})) << "nobody signed this certificate";
  request.tls.caFile = ::testing::TempDir() + "server_test-" + std::to_string(getpid()) + ".pem";
  ASSERT_TRUE(saveFileAtomically(request.tls.caFile, options.certificate));
  for (int i = 0; i < 3; ++i) {
    auto response = transport->send(request, {});
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->body, "GET /metrics ");
  }
  unlink(request.tls.caFile.c_str());
}

TEST(Server, SaysNothingToPlainClientsOfTls) {
  auto server = startServer(tlsOptions());
  EXPECT_THAT(talkTo(*server, "GET /metrics HTTP/1.0\r\n\r\n"),
              ::testing::Not(HasSubstr("GET /metrics")));
}

TEST(Server, RefusesACertificateThatItCannotUse) {
  ServerOptions options = tlsOptions();
  options.privateKey = "no key";
  EXPECT_EQ(Server::start(options, echo).error().code, Code::kInvalid);
}

TEST(Server, AnswersHeadWithoutABody) {
  auto server = startServer();
  const std::string answer =
      talkTo(*server, "HEAD /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_TRUE(answer.ends_with("\r\n\r\n")) << answer;
}

TEST(Server, AnswersEveryPipelinedRequest) {
  auto server = startServer();
  const std::string answer = talkTo(*server,
                                    "GET /one HTTP/1.1\r\nHost: x\r\n\r\n"
                                    "GET /two HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("GET /one"));
  EXPECT_THAT(answer, HasSubstr("GET /two"));
}

TEST(Server, SurvivesAHandlerThatThrows) {
  auto server = startServer();
  EXPECT_THAT(talkTo(*server, "GET /throw HTTP/1.0\r\n\r\n"), StartsWith("HTTP/1.1 500"));
  EXPECT_THAT(talkTo(*server, "GET /fine HTTP/1.0\r\n\r\n"), StartsWith("HTTP/1.1 200"));
}

struct Abuse {
  const char* name;
  std::string text;
  const char* answer;  ///< what it begins with; empty: closed without one
};

class ServerAbuse : public ::testing::TestWithParam<Abuse> {};

TEST_P(ServerAbuse, IsAnsweredAndEndsTheConnection) {
  auto server = startServer();
  EXPECT_THAT(talkTo(*server, GetParam().text), StartsWith(GetParam().answer));
  EXPECT_THAT(talkTo(*server, "GET /still HTTP/1.0\r\n\r\n"), HasSubstr("GET /still"));
}

INSTANTIATE_TEST_SUITE_P(
    Table, ServerAbuse,
    ::testing::Values(
        Abuse{"NegativeChunk",
              "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\n",
              "HTTP/1.1 400"},
        Abuse{"HugeHeader", "GET / HTTP/1.1\r\nX: " + std::string(100'000, 'a') + "\r\n\r\n",
              "HTTP/1.1 431"},
        Abuse{"HugeAnnouncedBody",
              "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", "HTTP/1.1 413"},
        Abuse{"OtherMethod", "DELETE / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 405"},
        Abuse{"NoHttp", "\x16\x03\x01\x02rubbish\r\n\r\n", "HTTP/1.1 400"},
        Abuse{"BadLength", "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 400"},
        Abuse{"TwoLengths", "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
              "HTTP/1.1 400"}),
    [](const auto& param) { return param.param.name; });

TEST(Server, ClosesClientsThatSayNothingOrHalfAHeader) {
  ServerOptions options;
  options.readTimeout = Millis(100);
  auto server = startServer(options);
  std::vector<Fd> clients;
  for (int i = 0; i < 30; ++i) {
    clients.push_back(connectTo(*server));
    sendText(clients.back(), i % 2 == 0 ? "" : "GET / HTTP/1.1\r\nHost:");
  }
  for (const Fd& client : clients) {
    EXPECT_EQ(readAll(client), "");
  }
}

TEST(Server, RefusesMoreThanItsConnections) {
  ServerOptions options;
  options.maxConnections = 2;
  auto server = startServer(options);
  const Fd first = connectTo(*server);
  const Fd second = connectTo(*server);
  // Both were taken once they are answered.
  for (const Fd* fd : {&first, &second}) {
    sendText(*fd, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
    char byte;
    EXPECT_EQ(::recv(fd->get(), &byte, 1, 0), 1);
  }
  const Fd third = connectTo(*server);
  EXPECT_EQ(readAll(third), "");
}

TEST(Server, StopsWithClientsConnected) {
  auto server = startServer();
  const Fd idle = connectTo(*server);
  sendText(idle, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
  char byte;
  EXPECT_EQ(::recv(idle.get(), &byte, 1, 0), 1);
  server->stop();
  server->stop();
  server.reset();
  readAll(idle);
}

TEST(Server, SaysThatAPortIsTaken) {
  auto server = startServer();
  ServerOptions options;
  options.address = "127.0.0.1";
  options.port = server->port();
  auto second = Server::start(options, echo);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kUnavailable);
  EXPECT_THAT(second.error().message, HasSubstr("Address already in use"));
}

TEST(Server, ServesManyClientsOnSeveralThreads) {
  ServerOptions options;
  options.threads = 3;
  auto server = startServer(options);
  auto transport = makeCurlTransport();
  std::atomic<int> good = 0;  // counted by the clients' threads
  {
    std::vector<std::jthread> clients;
    for (int i = 0; i < 4; ++i) {
      clients.emplace_back([&] {
        Request request;
        request.url = "http://127.0.0.1:" + std::to_string(server->port()) + "/x";
        for (int n = 0; n < 50; ++n) {
          auto response = transport->send(request, {});
          good += response && response->status == 200 ? 1 : 0;
        }
      });
    }
  }
  EXPECT_EQ(good, 200);
}

}  // namespace
}  // namespace stagewright::http
