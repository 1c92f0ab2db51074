#include "builder-pod/prepare/fetched_sources.h"

#include <netinet/in.h>

#include "fixtures.h"
#include "gmock/gmock.h"
#include "lib/base/hash.h"
#include "lib/http/curl_transport.h"
#include "tests/support/script_server.h"

namespace stagewright::prepare {
namespace {

using stagewright::testing::ScriptServer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace stagewright::prepare::testing;  // NOLINT

class FetchSource : public ::testing::Test {
 protected:
  FetchSource() { rules_.retry.budget = Millis(0); }

  static std::unique_ptr<ScriptServer> answering(const std::string& head,
                                                 const std::string& body = "") {
    const std::string answer = "HTTP/1.1 " + head +
                               "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
                               body;
    return std::make_unique<ScriptServer>([answer](int socket) {
      ScriptServer::readHead(socket);
      ScriptServer::send(socket, answer);
    });
  }

  Outcome<FetchedSource> fetch(const plan::Fetch& fetch) {
    fs::remove_all(target());
    SourceFetcher fetcher(rules_, *transport_, clock_, {});
    return fetcher.fetch(fetch, target());
  }

  plan::Failure failure(const plan::Fetch& wanted) {
    const auto outcome = fetch(wanted);
    EXPECT_FALSE(outcome);
    exit_ = outcome ? plan::Exit::kSuccess : outcome.error().exit;
    return outcome ? plan::Failure{} : outcome.error().failure;
  }

  static plan::Fetch url(const std::string& text, const std::string& checksum = "") {
    plan::Fetch out;
    out.url = text;
    out.checksum = checksum;
    return out;
  }

  std::string target() const { return directory_ / "fetched"; }

  TemporaryDirectory directory_;
  std::unique_ptr<http::Transport> transport_ = http::makeCurlTransport();
  SystemClock clock_;
  FetchRules rules_;
  plan::Exit exit_ = plan::Exit::kSuccess;
};

TEST_F(FetchSource, KeepsTheServersTimeAndGivesThePlainMode) {
  const auto server = answering("200 OK\r\nLast-Modified: Wed, 21 Oct 2015 07:28:00 GMT", "hello");
  const auto fetched = fetch(url(server->url("/a"), "sha256:" + sha256Hex("hello")));
  ASSERT_TRUE(fetched) << fetched.error().failure.message;
  EXPECT_EQ(fetched->identity, "sha256:" + sha256Hex("hello"));
  EXPECT_EQ(readFile(target()), "hello");
  struct stat st {};
  ASSERT_EQ(::stat(target().c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777U, 0600U);
  EXPECT_EQ(st.st_mtime, 1445412480);
}

TEST_F(FetchSource, WithoutLastModifiedTheTimeIs1970) {
  const auto server = answering("200 OK", "hello");
  ASSERT_TRUE(fetch(url(server->url("/a"))));
  struct stat st {};
  ASSERT_EQ(::stat(target().c_str(), &st), 0);
  EXPECT_EQ(st.st_mtime, 0);
}

TEST_F(FetchSource, RefusesAnotherDigest) {
  const auto server = answering("200 OK", "hello");
  const auto refused = failure(url(server->url("/a"), "sha256:" + sha256Hex("other")));
  EXPECT_EQ(refused.reason, "DockerfileInvalid");
  EXPECT_EQ(refused.message,
            "digest mismatch sha256:" + sha256Hex("hello") + ": sha256:" + sha256Hex("other"));
}

TEST_F(FetchSource, TheStatusSaysWhatTheUserCanDo) {
  const std::tuple<const char*, const char*, plan::Exit> rows[] = {
      {"404 Not Found", "SourceNotFound", plan::Exit::kUserInput},
      {"410 Gone", "SourceNotFound", plan::Exit::kUserInput},
      {"403 Forbidden", "SourceAuthFailed", plan::Exit::kDenied},
      {"503 Busy", "SourceUnavailable", plan::Exit::kUnavailable},
      {"429 Slow", "SourceUnavailable", plan::Exit::kUnavailable}};
  for (const auto& [status, reason, exit] : rows) {
    const auto server = answering(status);
    const auto refused = failure(url(server->url("/a")));
    EXPECT_EQ(refused.reason, reason) << status;
    EXPECT_EQ(exit_, exit) << status;
    EXPECT_THAT(refused.message, HasSubstr("failed to load " + server->url("/a"))) << status;
  }
}

TEST_F(FetchSource, StopsAtTheSizeLimit) {
  rules_.sizeLimit = 4;
  const auto server = answering("200 OK", "hello");
  const auto refused = failure(url(server->url("/a")));
  EXPECT_EQ(refused.reason, "DockerfileInvalid");
  EXPECT_THAT(refused.message, HasSubstr("larger than 4 bytes"));
}

TEST_F(FetchSource, StartsAgainAfterABrokenTransfer) {
  rules_.retry.base = Millis(1);
  rules_.retry.budget = Millis(60'000);
  int calls = 0;
  ScriptServer server([&](int socket) {
    ScriptServer::readHead(socket);
    // The first answer ends in the middle.
    ScriptServer::send(socket, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" +
                                   std::string(calls++ == 0 ? "he" : "hello"));
  });
  const auto fetched = fetch(url(server.url("/a")));
  ASSERT_TRUE(fetched) << fetched.error().failure.message;
  EXPECT_EQ(readFile(target()), "hello");
}

TEST_F(FetchSource, APodDoesNotReachItsOwnMachine) {
  rules_.checkAddress = podAddressCheck({});
  const auto server = answering("200 OK", "secret");
  const auto refused = failure(url(server->url("/a")));
  EXPECT_EQ(refused.reason, "PolicyViolation");
  EXPECT_THAT(refused.message, HasSubstr("127.0.0.1, a loopback address"));
  EXPECT_EQ(readFile(target()), "");
}

TEST_F(FetchSource, ARedirectIsCheckedLikeTheFirstAddress) {
  const auto inside = answering("200 OK", "secret");
  const auto outside = answering("302 Found\r\nLocation: " + inside->url("/in"));
  int connections = 0;
  rules_.checkAddress = [&](const ::sockaddr&) -> Status {
    return ++connections == 1 ? ok() : Status(denied("not there"));
  };
  const auto refused = failure(url(outside->url("/a")));
  EXPECT_EQ(refused.reason, "PolicyViolation");
  EXPECT_THAT(refused.message, HasSubstr(inside->url("/in") + ": not there"));
}

TEST(PodAddressCheck, RefusesTheApiServer) {
  TemporaryDirectory directory;
  ::sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(0x0a600001);
  const auto& any = reinterpret_cast<const ::sockaddr&>(address);
  EXPECT_TRUE(podAddressCheck({})(any));
  const Status refused = podAddressCheck({"10.96.0.1"})(any);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("10.96.0.1, the API server"));
}

class FetchRepository : public FetchSource {
 protected:
  FetchRepository() {
    const std::string work = directory_.directory("work");
    git(work, {"init", "-q", "-b", "main"});
    writeFile(work + "/top", "1\n");
    writeFile(work + "/sub/dir/file", "x\n");
    fs::create_symlink("/etc", work + "/out");
    fs::create_symlink("sub/dir", work + "/in");
    git(work, {"add", "-A"});
    git(work, {"commit", "-q", "-m", "one"});
    first_ = git(work, {"rev-parse", "HEAD"});
    git(work, {"tag", "v1"});
    writeFile(work + "/top", "2\n");
    git(work, {"commit", "-q", "-a", "-m", "two"});
    second_ = git(work, {"rev-parse", "HEAD"});
    serve(work);
  }

  void serve(const std::string& work) {
    server_.reset();
    const std::string bare = directory_ / "served/shop.git";
    fs::remove_all(bare);
    directory_.directory("served");
    git(directory_.path(), {"clone", "-q", "--bare", work, bare});
    server_.emplace(directory_ / "served");
  }

  plan::Fetch repository(const std::string& ref = "", const std::string& subdir = "") const {
    plan::Fetch out;
    out.git = true;
    out.url = out.remote = server_->url("shop.git");
    out.ref = ref;
    out.subdir = subdir;
    return out;
  }

  std::string first_, second_;
  std::optional<GitServer> server_;
};

TEST_F(FetchRepository, TakesHeadBranchTagFullNameAndCommit) {
  const std::pair<std::string, std::string> rows[] = {{"", second_},
                                                      {"main", second_},
                                                      {"refs/heads/main", second_},
                                                      {"v1", first_},
                                                      {"refs/tags/v1", first_},
                                                      {first_, first_},
                                                      {first_.substr(0, 8), first_}};
  for (const auto& [ref, commit] : rows) {
    const auto fetched = fetch(repository(ref));
    ASSERT_TRUE(fetched) << ref << ": " << fetched.error().failure.message;
    EXPECT_EQ(fetched->identity, commit) << ref;
    EXPECT_EQ(readFile(target() + "/top"), commit == first_ ? "1\n" : "2\n") << ref;
    EXPECT_FALSE(fs::exists(target() + "/.git")) << ref;
    EXPECT_FALSE(fs::exists(target() + ".tmp")) << ref;
  }
}

TEST_F(FetchRepository, TimesAreTheCheckoutsOrOnRequestTheCommits) {
  plan::Fetch wanted = repository();
  ASSERT_TRUE(fetch(wanted));
  struct stat top {};
  ASSERT_EQ(::lstat((target() + "/top").c_str(), &top), 0);
  EXPECT_GT(top.st_mtime, 1700000000);
  fs::remove_all(target());
  wanted.commitTime = true;
  ASSERT_TRUE(fetch(wanted));
  for (const char* path : {"", "/top", "/sub/dir/file", "/out"}) {
    struct stat st {};
    ASSERT_EQ(::lstat((target() + path).c_str(), &st), 0);
    EXPECT_EQ(st.st_mtime, 1700000000) << path;
  }
}

TEST_F(FetchRepository, KeepsTheGitDirectoryWhenAsked) {
  plan::Fetch wanted = repository();
  wanted.keepGitDir = true;
  ASSERT_TRUE(fetch(wanted));
  EXPECT_EQ(git(target(), {"rev-parse", "HEAD"}), second_);
}

TEST_F(FetchRepository, TakesASubdirectoryAndNeverLeaves) {
  for (const char* subdir : {"sub/dir", "/sub/./dir", "in"}) {
    const auto fetched = fetch(repository("", subdir));
    ASSERT_TRUE(fetched) << subdir << fetched.error().failure.message;
    EXPECT_THAT(treeOf(target()), ElementsAre("file")) << subdir;
  }
  for (const char* subdir : {"none", "top", "out"}) {
    const auto refused = failure(repository("", subdir));
    EXPECT_EQ(refused.reason, "SourceNotFound") << subdir;
    EXPECT_THAT(refused.message, HasSubstr("invalid subdir " + std::string(subdir) + ": no")) << subdir;
  }
}

TEST_F(FetchRepository, ChecksTheCommit) {
  plan::Fetch wanted = repository("v1");
  wanted.checksum = first_.substr(0, 12);
  EXPECT_TRUE(fetch(wanted));
  wanted.checksum = second_;
  EXPECT_EQ(failure(wanted).message, "expected checksum to match " + second_ + ", got " + first_);
}

TEST_F(FetchRepository, SaysWhatIsNotThere) {
  const auto refused = failure(repository("no-such"));
  EXPECT_EQ(refused.reason, "SourceRevisionNotFound");
  EXPECT_THAT(refused.message, HasSubstr("repository does not contain ref no-such"));
  plan::Fetch ssh = repository();
  ssh.remote = "git@git.example:x.git";
  EXPECT_THAT(failure(ssh).message, HasSubstr("only http and https are supported"));
}

TEST_F(FetchRepository, SubmodulesAreRefusedUnlessDoneWithout) {
  const std::string work = directory_ / "work";
  writeFile(work + "/.gitmodules", "[submodule \"x\"]\n\tpath = x\n\turl = ../x.git\n");
  git(work, {"add", "-A"});
  git(work, {"commit", "-q", "-m", "modules"});
  serve(work);
  EXPECT_THAT(failure(repository()).message, HasSubstr("submodules=false"));
  plan::Fetch without = repository();
  without.submodules = false;
  EXPECT_TRUE(fetch(without));
}

TEST_F(FetchRepository, APodDoesNotReachItsOwnMachine) {
  rules_.checkAddress = podAddressCheck({});
  const auto refused = failure(repository());
  EXPECT_EQ(refused.reason, "PolicyViolation");
  EXPECT_THAT(refused.message, HasSubstr("127.0.0.1, a loopback address"));
}

/// Or an entry of NO_PROXY would open what the check closes.
TEST_F(FetchRepository, AProxyDoesNotSwitchTheCheckOff) {
  rules_.checkAddress = podAddressCheck({});
  rules_.gitEnvironment = {"http_proxy=http://127.0.0.1:1", "no_proxy=127.0.0.1"};
  EXPECT_EQ(failure(repository()).reason, "PolicyViolation");
}

TEST_F(FetchRepository, ANameThatOnlyTheProxyKnowsIsLeftToIt) {
  rules_.checkAddress = [](const ::sockaddr&) { return ok(); };
  rules_.gitEnvironment = {"http_proxy=" + server_->url("")};
  plan::Fetch inside = repository();
  inside.remote = "http://git.invalid/shop.git";
  EXPECT_TRUE(fetch(inside)) << "the server takes requests for any host";
}

TEST_F(FetchRepository, GitIsBoundToTheCheckedAddressAndFollowsNoRedirect) {
  rules_.checkAddress = [](const ::sockaddr&) { return ok(); };
  EXPECT_TRUE(fetch(repository()));
  plan::Fetch moved = repository();
  moved.remote = server_->url("moved/shop.git");
  EXPECT_THAT(failure(moved).message, HasSubstr("redirects"));
}

}  // namespace
}  // namespace stagewright::prepare
