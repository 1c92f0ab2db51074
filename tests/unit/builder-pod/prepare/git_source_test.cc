#include "builder-pod/prepare/git_source.h"

#include "fixtures.h"
#include "gmock/gmock.h"

namespace stagewright::prepare {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace stagewright::prepare::testing;  // NOLINT

/// A bare repository `shop.git` with two commits on `main`, tag v1 (annotated) on the first, and a
/// hostile hook.
class FetchGit : public ::testing::Test {
 protected:
  FetchGit() {
    work_ = directory_.directory("work");
    git(work_, {"init", "-q", "-b", "main"});
    writeFile(work_ + "/Dockerfile", "FROM scratch\n");
    writeFile(work_ + "/run.sh", "#!/bin/sh\n", 0755);
    first_ = commit();
    git(work_, {"tag", "-a", "-m", "one", "v1"});
    writeFile(work_ + "/later", "later\n");
    second_ = commit();
    publish();
  }

  std::string commit() {
    git(work_, {"add", "-A"});
    git(work_, {"commit", "-q", "-m", "change"});
    return git(work_, {"rev-parse", "HEAD"});
  }

  void publish() {
    const std::string bare = directory_ / "served/shop.git";
    fs::remove_all(bare);
    directory_.directory("served");
    git(directory_.path(), {"clone", "-q", "--bare", work_, bare});
    git(bare, {"update-server-info"});
  }

  Outcome<GitRevision> fetch(const plan::GitSource& source,
                             std::optional<GitCredentials> credentials = {}) {
    fs::remove_all(checkout());
    directory_.directory("checkout");
    GitOptions options;
    options.timeout = Millis(60'000);
    return fetchGit(source, credentials, checkout(), options);
  }

  plan::Failure failure(const plan::GitSource& source,
                        std::optional<GitCredentials> credentials = {}) {
    const auto outcome = fetch(source, credentials);
    EXPECT_FALSE(outcome);
    return outcome ? plan::Failure{} : outcome.error().failure;
  }

  std::string checkout() const { return directory_ / "checkout"; }
  std::string served() const { return directory_ / "served"; }

  plan::GitSource at(const std::string& url) {
    plan::GitSource source;
    source.url = url;
    return source;
  }

  TemporaryDirectory directory_;
  std::string work_, first_, second_;
};

TEST_F(FetchGit, TakesHeadBranchTagAndCommit) {
  const GitServer server(served());
  plan::GitSource head = at(server.url("shop.git"));
  plan::GitSource branch = head, tag = head, full = head, abbreviated = head;
  branch.branch = "main";
  tag.tag = "v1";
  full.commit = first_;
  abbreviated.commit = first_.substr(0, 9);
  const std::pair<plan::GitSource, std::string> rows[] = {
      {head, second_}, {branch, second_}, {tag, first_}, {full, first_}, {abbreviated, first_}};
  for (const auto& [source, commit] : rows) {
    const auto revision = fetch(source);
    ASSERT_TRUE(revision) << revision.error().failure.message;
    EXPECT_EQ(revision->commit, commit);
    EXPECT_EQ(revision->commitTime, 1700000000);
    EXPECT_EQ(readFile(checkout() + "/Dockerfile"), "FROM scratch\n");
    EXPECT_EQ(fs::exists(checkout() + "/later"), commit == second_);
    EXPECT_NE(fs::status(checkout() + "/run.sh").permissions() & fs::perms::owner_exec,
              fs::perms::none);
  }
}

TEST_F(FetchGit, IsShallow) {
  const GitServer server(served());
  ASSERT_TRUE(fetch(at(server.url("shop.git"))));
  EXPECT_EQ(git(checkout(), {"rev-list", "--count", "HEAD"}), "1");
}

TEST_F(FetchGit, TakesAServerOfPlainFiles) {
  const GitServer server(served());
  const auto revision = fetch(at(server.url("dumb/shop.git")));
  ASSERT_TRUE(revision) << revision.error().failure.message;
  EXPECT_EQ(revision->commit, second_);
}

TEST_F(FetchGit, FollowsARedirectWithoutCredentialsOnly) {
  const GitServer server(served());
  EXPECT_TRUE(fetch(at(server.url("moved/shop.git"))));
  const auto refused =
      failure(at(server.url("moved/shop.git")), GitCredentials{"reader", "secret"});
  EXPECT_EQ(refused.reason, "SourceNotFound");
  EXPECT_THAT(refused.message, HasSubstr("redirects"));
}

TEST_F(FetchGit, SendsTheRightPassword) {
  const GitServer server(served(), "reader:s3cret");
  EXPECT_TRUE(fetch(at(server.url("shop.git")), GitCredentials{"reader", "s3cret"}));
  // Nothing of it stays behind.
  for (const auto& entry : fs::recursive_directory_iterator(checkout())) {
    if (entry.is_regular_file()) {
      EXPECT_THAT(readFile(entry.path()), Not(HasSubstr("s3cret"))) << entry.path();
      EXPECT_THAT(readFile(entry.path()), Not(HasSubstr("Basic"))) << entry.path();
    }
  }
}

TEST_F(FetchGit, SaysWhatIsWrongWithTheCredentials) {
  const GitServer server(served(), "reader:s3cret");
  const auto wrong = failure(at(server.url("shop.git")), GitCredentials{"reader", "guess"});
  EXPECT_EQ(wrong.reason, "SourceAuthFailed");
  EXPECT_THAT(wrong.message, HasSubstr("are refused"));
  EXPECT_THAT(wrong.message, Not(HasSubstr("guess")));
  const auto none = failure(at(server.url("shop.git")));
  EXPECT_EQ(none.reason, "SourceAuthFailed");
  EXPECT_THAT(none.message, HasSubstr("spec.source.git.secretRef"));
  EXPECT_EQ(fetch(at(server.url("shop.git"))).error().exit, plan::Exit::kDenied);
}

TEST_F(FetchGit, SaysWhatDoesNotExist) {
  const GitServer server(served());
  EXPECT_EQ(failure(at(server.url("none.git"))).reason, "SourceNotFound");
  EXPECT_EQ(failure(at(server.url("dumb/"))).reason, "SourceNotFound");
  plan::GitSource source = at(server.url("shop.git"));
  source.branch = "no-such";
  const auto branch = failure(source);
  EXPECT_EQ(branch.reason, "SourceRevisionNotFound");
  EXPECT_THAT(branch.message, HasSubstr("has no branch \"no-such\""));
  for (const std::string& commit : {std::string(40, 'a'), std::string("abcdef12")}) {
    source = at(server.url("shop.git"));
    source.commit = commit;
    EXPECT_EQ(failure(source).reason, "SourceRevisionNotFound") << failure(source).message;
  }
}

TEST_F(FetchGit, TellsAnUnavailableServer) {
  std::string nobody;
  {
    const GitServer server(served());
    nobody = server.url("shop.git");
    const auto outcome = fetch(at(server.url("broken/shop.git")));
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().failure.reason, "SourceUnavailable")
        << outcome.error().failure.message;
    EXPECT_EQ(outcome.error().exit, plan::Exit::kUnavailable);
  }
  EXPECT_EQ(failure(at(nobody)).reason, "SourceUnavailable");
}

TEST_F(FetchGit, RefusesOtherProtocolsAndOddNames) {
  for (const char* url : {"ext::sh -c id", "file:///etc", "ssh://git.example/x", "/etc", "-u",
                          "https://", "https://u:p@git.example/x", "https://git.example/a b"}) {
    const auto refused = failure(at(url));
    EXPECT_EQ(refused.reason, "InvalidSpec") << url;
    EXPECT_THAT(refused.message, Not(HasSubstr("u:p"))) << url;
  }
  for (const char* name : {"--upload-pack=x", "a..b", "a b", "a:b", "+a", "a\n"}) {
    plan::GitSource source = at("https://git.example/x");
    source.branch = name;
    EXPECT_EQ(failure(source).reason, "InvalidSpec") << name;
  }
}

TEST_F(FetchGit, RunsNothingOfTheRepository) {
  writeFile(work_ + "/.gitattributes", "*.txt filter=evil\n");
  writeFile(work_ + "/a.txt", "text\n");
  writeFile(work_ + "/.gitmodules",
            "[submodule \"x\"]\n\tpath = x\n\turl = " + (directory_ / "work") + "\n");
  fs::create_symlink("/etc/passwd", work_ + "/leak");
  commit();
  publish();
  writeFile(served() + "/shop.git/hooks/post-checkout",
            "#!/bin/sh\ntouch " + (directory_ / "owned") + "\n", 0755);
  const GitServer server(served());
  ASSERT_TRUE(fetch(at(server.url("shop.git"))));
  EXPECT_FALSE(fs::exists(directory_ / "owned"));
  EXPECT_FALSE(fs::exists(checkout() + "/.git/hooks"));
  EXPECT_EQ(readFile(checkout() + "/a.txt"), "text\n");
  EXPECT_EQ(fs::read_symlink(checkout() + "/leak"), "/etc/passwd");
}

TEST(LoadGitCredentials, TakesATokenAloneAndTrimsNewlines) {
  TemporaryDirectory directory;
  writeFile(directory / "password", "tok\n");
  auto credentials = loadGitCredentials(directory.path());
  ASSERT_TRUE(credentials);
  EXPECT_EQ(credentials->username, "git");
  EXPECT_EQ(credentials->password, "tok");
  writeFile(directory / "username", "ci");
  EXPECT_EQ(loadGitCredentials(directory.path())->username, "ci");
}

TEST(LoadGitCredentials, AMissingSecretHasItsOwnExitCode) {
  const auto credentials = loadGitCredentials("/nonexistent");
  ASSERT_FALSE(credentials);
  EXPECT_EQ(credentials.error().exit, plan::Exit::kSecretMissing);
  EXPECT_EQ(credentials.error().failure.reason, "CredentialsNotFound");
}

}  // namespace
}  // namespace stagewright::prepare
