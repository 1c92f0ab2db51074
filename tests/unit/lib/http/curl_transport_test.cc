// The client against servers that mean no good.
#include "lib/http/curl_transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "lib/base/file.h"
#include "lib/http/redirect.h"
#include "tests/support/docker_registry.h"
#include "tests/support/script_server.h"

namespace stagewright::http {
namespace {

using ::testing::HasSubstr;
using testing::ScriptServer;

class CurlTransportTest : public ::testing::Test {
 protected:
  /// Every connection: reads the request's head, sends `answer`, then closes.
  static std::unique_ptr<ScriptServer> answering(const std::string& answer) {
    return std::make_unique<ScriptServer>([answer](int socket) {
      ScriptServer::readHead(socket);
      ScriptServer::send(socket, answer);
    });
  }
  Result<Response> get(const std::string& url) {
    Request request;
    request.url = url;
    return transport_->send(request, {});
  }
  std::unique_ptr<Transport> transport_ = makeCurlTransport();
};

TEST_F(CurlTransportTest, CollectsStatusHeadersAndBody) {
  auto server = answering("HTTP/1.1 201 Created\r\nX-One: 1\r\nContent-Length: 5\r\n\r\nhello");
  auto response = get(server->url());
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 201);
  EXPECT_EQ(response->headers.find("x-one"), "1");
  EXPECT_EQ(response->body, "hello");
}

TEST_F(CurlTransportTest, AsksAboutTheAddressBeforeItConnects) {
  std::atomic<int> connections = 0;  // counted on the server's thread
  ScriptServer server([&](int socket) {
    ++connections;
    while (!ScriptServer::readHead(socket).empty()) {
      ScriptServer::send(socket, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
  });
  Request request;
  request.url = server.url("/x");
  ASSERT_TRUE(transport_->send(request, {}));  // leaves an open connection behind
  std::vector<std::string> asked;
  request.checkAddress = [&](const ::sockaddr& address) -> Status {
    asked.push_back(addressText(address));
    return denied("not there");
  };
  auto refused = transport_->send(request, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kDenied);
  EXPECT_EQ(refused.error().message, "GET " + server.url("/x") + ": not there");
  EXPECT_THAT(asked, ::testing::ElementsAre("127.0.0.1"));
  EXPECT_EQ(connections, 1);
}

TEST_F(CurlTransportTest, GoesToAnAddressThatPasses) {
  auto server = answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  Request request;
  request.url = server->url("/x");
  request.checkAddress = [](const ::sockaddr&) { return ok(); };
  auto response = transport_->send(request, {});
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->body, "ok");
}

struct Bad {
  const char* name;
  std::string answer;
  Code code;
};
class BadAnswer : public CurlTransportTest, public ::testing::WithParamInterface<Bad> {};
TEST_P(BadAnswer, IsAnErrorThatNamesTheRequest) {
  auto server = answering(GetParam().answer);
  auto response = get(server->url("/x"));
  ASSERT_FALSE(response) << response->status;
  EXPECT_EQ(response.error().code, GetParam().code) << response.error().message;
  EXPECT_THAT(response.error().message, ::testing::StartsWith("GET " + server->url("/x") + ": "));
}
INSTANTIATE_TEST_SUITE_P(
    Table, BadAnswer,
    ::testing::Values(
        Bad{"NegativeChunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\nx",
            Code::kUnavailable},
        Bad{"ManyHeaders",
            "HTTP/1.1 200 OK\r\n" +
                [] {
                  std::string all;
                  for (int i = 0; i < 3000; ++i) {
                    all += "X-" + std::to_string(i) + ": " + std::string(90, 'a') + "\r\n";
                  }
                  return all;
                }(),
            Code::kInvalid},
        Bad{"BodyOverItsCap", "HTTP/1.1 200 OK\r\n\r\n" + std::string(70'000, 'a'), Code::kInvalid},
        Bad{"CutBody", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", Code::kUnavailable},
        Bad{"Nothing", "", Code::kUnavailable}),
    [](const auto& param) { return param.param.name; });

TEST_F(CurlTransportTest, KeepsTheFirst64KiBOfAnErrorsBody) {
  auto server = answering("HTTP/1.1 500 No\r\n\r\n" + std::string(10'000'000, 'e'));
  auto response = get(server->url());
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 500);
  EXPECT_EQ(response->body.size(), 64U * 1024);
}

TEST_F(CurlTransportTest, GivesASuccessToTheSinkAndAnErrorToTheBody) {
  auto server = answering("HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno");
  Request request;
  request.url = server->url();
  std::string sunk;
  request.sink = [&](std::string_view bytes) {
    sunk += bytes;
    return ok();
  };
  EXPECT_EQ(transport_->send(request, {})->body, "no");
  EXPECT_EQ(sunk, "");
}

TEST_F(CurlTransportTest, ReturnsTheSinksError) {
  auto server = answering("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  Request request;
  request.url = server->url();
  request.sink = [](std::string_view) -> Status { return conflict("disk is full"); };
  auto response = transport_->send(request, {});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().message, "disk is full");
}

TEST_F(CurlTransportTest, SeesAStatusThatComesBeforeTheBodyWasTaken) {
  ScriptServer server([](int socket) {
    ScriptServer::readHead(socket);
    ScriptServer::send(socket,
                       "HTTP/1.1 401 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
    ScriptServer::drain(
        socket);  // as servers do: closing with unread input would reset the connection
  });
  StringSource body(std::string(50'000'000, 'b'));
  Request request;
  request.method = "PUT";
  request.url = server.url();
  request.body = &body;
  auto response = transport_->send(request, {});
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 401);
}

TEST_F(CurlTransportTest, NoticesSilence) {
  ScriptServer server([](int socket) { ScriptServer::drain(socket); });
  Request request;
  request.url = server.url();
  request.timeouts.idle = Millis(60);
  auto response = transport_->send(request, {});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Code::kUnavailable);
  EXPECT_THAT(response.error().message, HasSubstr("nothing was transferred for 60 ms"));
}

TEST_F(CurlTransportTest, StopsWhenAsked) {
  std::stop_source source;
  ScriptServer server([&](int socket) {
    ScriptServer::readHead(socket);
    source.request_stop();
    ScriptServer::drain(socket);
  });
  Request request;
  request.url = server.url();
  auto response = transport_->send(request, source.get_token());
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Code::kCancelled) << "and not the silence of the server";
}

TEST_F(CurlTransportTest, ReusesAConnection) {
  int connections = 0;
  ScriptServer server([&](int socket) {
    ++connections;
    while (!ScriptServer::readHead(socket).empty()) {
      ScriptServer::send(socket, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
  });
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(get(server.url())->body, "ok");
  }
  transport_.reset();
  EXPECT_EQ(connections, 1);
}

TEST_F(CurlTransportTest, RefusesHeadersWithLineBreaks) {
  Request request;
  request.url = "http://127.0.0.1:1/";
  request.headers.add("X", "a\r\nY: b");
  EXPECT_EQ(transport_->send(request, {}).error().code, Code::kInvalid);
}

TEST_F(CurlTransportTest, CallsARefusedConnectionUnavailable) {
  std::string url;
  {
    url = ScriptServer([](int) {}).url();
  }
  EXPECT_EQ(get(url).error().code, Code::kUnavailable);
  EXPECT_EQ(get("file:///etc/passwd").error().code, Code::kInvalid);
}

// --- redirects ---

TEST(PlanRedirect, DropsCredentialsAtAnotherOriginOnly) {
  Request request;
  request.url = "https://reg.example/v2/a";
  request.headers.set("Authorization", "Bearer x");
  request.tls.verify = false;
  auto same = planRedirect(request, {307, {{"Location", "/other"}}, ""}).value();
  ASSERT_TRUE(same);
  EXPECT_EQ(same->url, "https://reg.example/other");
  EXPECT_TRUE(same->headers.find("Authorization"));
  for (const char* location : {"https://reg.example:8443/x", "https://storage.example/x"}) {
    auto other = planRedirect(request, {302, {{"Location", location}}, ""}).value();
    ASSERT_TRUE(other);
    EXPECT_FALSE(other->headers.find("Authorization")) << location;
    EXPECT_TRUE(other->tls.verify);
  }
}

TEST(PlanRedirect, RefusesDowngradesAndUploads) {
  Request request;
  request.url = "https://reg.example/v2/a";
  EXPECT_EQ(planRedirect(request, {307, {{"Location", "http://reg.example/x"}}, ""}).error().code,
            Code::kInvalid);
  EXPECT_EQ(planRedirect(request, {307, {{"Location", "file:///etc/passwd"}}, ""}).error().code,
            Code::kInvalid);
  EXPECT_FALSE(planRedirect(request, {200, {{"Location", "/x"}}, ""}).value());
  request.method = "PUT";
  EXPECT_EQ(planRedirect(request, {307, {{"Location", "/x"}}, ""}).error().code, Code::kInvalid);
}

TEST_F(CurlTransportTest, FollowsAFewRedirectsAndNoLoop) {
  auto server = answering("HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n");
  Request request;
  request.url = server->url();
  auto response = sendFollowing(*transport_, request, {});
  ASSERT_FALSE(response);
  EXPECT_THAT(response.error().message, HasSubstr("more than 5 redirects"));
}

TEST(CurlTransport, NamesAFileOfAuthoritiesWithoutACertificate) {
  const std::string file = ::testing::TempDir() + "no-certificate";
  std::ofstream(file) << "no PEM\n";
  Request request;
  request.url = "https://127.0.0.1:1/";
  const auto response = makeCurlTransport({.caFile = file})->send(request, {});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Code::kInvalid);
  EXPECT_THAT(response.error().message, HasSubstr("no-certificate\" holds no certificate in PEM"));
}

// --- TLS, against docker-registry with a certificate of our own ---

class TlsTest : public CurlTransportTest {
 protected:
  void SetUp() override {
    if (!testing::DockerRegistry::available()) {
      GTEST_SKIP() << "docker-registry is not installed";
    }
    directory_ = ::testing::TempDir() + "tls-XXXXXX";
    ASSERT_NE(::mkdtemp(directory_.data()), nullptr);
    const std::string command =
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test "
        "-addext subjectAltName=IP:127.0.0.1 -keyout " +
        directory_ + "/key -out " + directory_ + "/crt 2>/dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0);
    auto started = testing::DockerRegistry::start({.username = "",
                                                   .password = "",
                                                   .certificate = directory_ + "/crt",
                                                   .key = directory_ + "/key"});
    ASSERT_TRUE(started) << started.error().message;
    registry_ = std::make_unique<testing::DockerRegistry>(std::move(*started));
    request_.url = "https://" + registry_->host() + "/v2/";
  }
  void TearDown() override {
    if (!directory_.empty()) {
      static_cast<void>(std::system(("rm -rf " + directory_).c_str()));
    }
  }
  std::string directory_;
  std::unique_ptr<testing::DockerRegistry> registry_;
  Request request_;
};

TEST_F(TlsTest, NamesTheCauseOfACertificateItDoesNotTrust) {
  auto response = transport_->send(request_, {});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Code::kInvalid);
  EXPECT_EQ(response.error().message, "GET " + request_.url + ": x509: self-signed certificate");
}

TEST_F(TlsTest, TrustsTheAuthoritiesItIsGiven) {
  request_.tls.caFile = directory_ + "/crt";
  auto response = transport_->send(request_, {});
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 200);
}

TEST_F(TlsTest, TrustsTheAuthoritiesOfTheTransportInEveryRequest) {
  transport_ = makeCurlTransport({.caFile = directory_ + "/crt"});
  EXPECT_TRUE(transport_->send(request_, {}));
  std::ofstream(directory_ + "/other") << "-----BEGIN CERTIFICATE-----\n";
  request_.tls.caFile = directory_ + "/other";
  EXPECT_TRUE(transport_->send(request_, {})) << "beside those of a request";
}

TEST_F(TlsTest, SkipsVerificationWhenTold) {
  request_.tls.verify = false;
  auto response = transport_->send(request_, {});
  ASSERT_TRUE(response) << response.error().message;
  request_.tls.verify = true;  // the connection that was not verified must not be used again
  EXPECT_FALSE(transport_->send(request_, {}));
}

TEST_F(TlsTest, NamesAMissingAuthorityFile) {
  request_.tls.caFile = directory_ + "/none";
  auto response = transport_->send(request_, {});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Code::kInvalid);
  EXPECT_THAT(response.error().message, HasSubstr("load certificate authorities: "));
}

TEST_F(TlsTest, SaysThatAServerSpeaksPlainHttp) {
  ScriptServer plain(
      [](int socket) { ScriptServer::send(socket, "HTTP/1.1 400 Bad Request\r\n\r\n"); });
  request_.url = "https" + plain.url().substr(4);
  auto response = transport_->send(request_, {});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Code::kInvalid) << response.error().message;
  EXPECT_THAT(response.error().message, HasSubstr("is it a plain HTTP server?"));
}

}  // namespace
}  // namespace stagewright::http
