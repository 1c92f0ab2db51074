// The agent against OpenSSH's own programs.
#include "builder-pod/stage/ssh_agent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "builder-pod/stage/process_runner.h"
#include "tests/unit/lib/layer/temporary_directory.h"

namespace stagewright::stage {
namespace {

using layer::TemporaryDirectory;
using ::testing::HasSubstr;
using ::testing::Not;

struct KeyKind {
  const char* name;
  const char* options;  ///< of ssh-keygen
};

class SshAgentTest : public ::testing::TestWithParam<KeyKind> {
 protected:
  void SetUp() override {
    if (!dir_.shell("command -v ssh-keygen ssh-add > /dev/null")) {
      GTEST_SKIP() << "SKIPPED: ssh-keygen and ssh-add are not installed";
    }
  }

  void makeKey(const std::string& options) {
    ASSERT_TRUE(
        dir_.shell("rm -f key key.pub && ssh-keygen -q -N '' -C who@where -f key " + options));
  }

  /// What a step sees whose SSH_AUTH_SOCK is the agent.
  RunOutcome run(SshAgent& agent, const std::string& command) {
    output_.clear();
    RunRequest request{{"sh", "-c", command},
                       {std::string("PATH=") + ::getenv("PATH"), "HOME=" + dir_.path(),
                        "SSH_AUTH_SOCK=" + (dir_ / "agent")},
                       dir_.path(),
                       {},
                       false,
                       {},
                       &agent};
    request.identity.uid = ::getuid();
    request.identity.gid = ::getgid();
    ProcessRunner runner("/sys/fs/cgroup");
    const auto stop = Stop::make();
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    const auto outcome = runner.run(
        request, [this](std::string_view bytes) { output_ += bytes; }, deadline, *stop);
    EXPECT_TRUE(outcome) << outcome.error().message;
    return outcome.value_or(RunOutcome{});
  }

  void listen(SshAgent& agent) {
    auto key = SshKey::parse(dir_.read("key"));
    ASSERT_TRUE(key) << key.error().message;
    const Status listening =
        agent.listen(dir_ / "agent", std::move(*key), 0600, ::getuid(), ::getgid());
    ASSERT_TRUE(listening) << listening.error().message;
  }

  TemporaryDirectory dir_;
  std::string output_;
};

TEST_P(SshAgentTest, ListsAndSignsLikeOpenSshsOwn) {
  makeKey(GetParam().options);
  SshAgent agent;
  listen(agent);
  EXPECT_TRUE(run(agent,
                  "ssh-add -L | cut -d' ' -f1,2 > listed; "
                  "cut -d' ' -f1,2 key.pub | cmp - listed")
                  .succeeded())
      << output_;
  // The private key is not there: only the agent can sign.
  EXPECT_TRUE(
      run(agent,
          "mv key hidden && echo text > file && ssh-keygen -q -Y sign -n test -f key.pub file && "
          "echo \"me $(cat key.pub)\" > allowed && "
          "ssh-keygen -q -Y verify -n test -I me -f allowed -s file.sig < file")
          .succeeded())
      << output_;
}

INSTANTIATE_TEST_SUITE_P(Kinds, SshAgentTest,
                         ::testing::Values(KeyKind{"ed25519", "-t ed25519"},
                                           KeyKind{"rsa", "-t rsa -b 2048"},
                                           KeyKind{"rsa_pem", "-t rsa -b 2048 -m PEM"},
                                           KeyKind{"rsa_pkcs8", "-t rsa -b 2048 -m PKCS8"},
                                           KeyKind{"ecdsa256", "-t ecdsa -b 256"},
                                           KeyKind{"ecdsa384", "-t ecdsa -b 384"},
                                           KeyKind{"ecdsa521", "-t ecdsa -b 521"},
                                           KeyKind{"ecdsa_pem", "-t ecdsa -b 256 -m PEM"}),
                         [](const auto& test) { return std::string(test.param.name); });

using SshAgentMore = SshAgentTest;

TEST_F(SshAgentMore, ChangesNothingAndGivesNothingOut) {
  makeKey("-t ed25519");
  SshAgent agent;
  listen(agent);
  for (const char* command : {"ssh-add -D", "ssh-add key", "ssh-add -d key.pub"}) {
    EXPECT_FALSE(run(agent, command).succeeded()) << command;
  }
  // `ssh-add -x` asks for a password on a terminal that a step does not have.
  EXPECT_TRUE(run(agent, "ssh-add -l").succeeded()) << output_;
  EXPECT_THAT(output_, HasSubstr("who@where (ED25519)"));
}

TEST_F(SshAgentMore, AnswersManyStepsOneAfterTheOther) {
  makeKey("-t ed25519");
  SshAgent agent;
  listen(agent);
  EXPECT_TRUE(run(agent, "for i in 1 2 3 4 5 6 7 8 9; do ssh-add -l & done; wait").succeeded());
  EXPECT_EQ(std::count(output_.begin(), output_.end(), '\n'), 9) << output_;
}

TEST_F(SshAgentMore, RefusesWhatIsNoKeyWithoutShowingIt) {
  makeKey("-t ed25519");
  std::string broken = dir_.read("key");
  broken.replace(broken.size() / 2, 8, "AAAAAAAA");
  ASSERT_TRUE(
      dir_.shell("ssh-keygen -q -t ed25519 -N longer-secret -f locked && "
                 "ssh-keygen -q -t rsa -m PEM -N longer-secret -f locked-pem"));
  for (const auto& [text, cause] : std::vector<std::pair<std::string, std::string>>{
           {"", "neither"},
           {"hunter2", "neither"},
           {dir_.read("key.pub"), "neither"},
           {broken.substr(0, broken.size() / 2), "cut off"},
           {dir_.read("locked"), "has a passphrase"},
           {dir_.read("locked-pem"), "has a passphrase"}}) {
    const auto key = SshKey::parse(text);
    ASSERT_FALSE(key) << text;
    EXPECT_EQ(key.error().code, Code::kInvalid);
    EXPECT_THAT(key.error().message, HasSubstr(cause));
    EXPECT_THAT(key.error().message, Not(HasSubstr("hunter2")));
  }
}

TEST_F(SshAgentMore, SurvivesMessagesThatAreNone) {
  makeKey("-t ed25519");
  const auto key = SshKey::parse(dir_.read("key"));
  ASSERT_TRUE(key);
  std::string other = "\x0d";
  putString(other, "another key");
  putString(other, "data");
  putUint32(other, 0);
  for (const std::string& message :
       {std::string(), std::string("\x0d"), std::string("\x0d\xff\xff\xff\xff"), other,
        std::string("\x1b"), std::string("\x11"), std::string("\x16")}) {
    EXPECT_EQ(answerAgentMessage(*key, message), "\x05");
  }
}

}  // namespace
}  // namespace stagewright::stage
