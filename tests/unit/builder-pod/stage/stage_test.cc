// The whole flow in process, on a directory, as the local engine uses it.
#include "builder-pod/stage/stage.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "builder-pod/stage/environment.h"
#include "builder-pod/stage/process_runner.h"
#include "lib/base/file.h"
#include "lib/layer/tar_reader.h"
#include "tests/unit/lib/layer/temporary_directory.h"

namespace stagewright::stage {
namespace {

using layer::TemporaryDirectory;
using ::testing::ElementsAre;

/// Runs a step as a function on the root directory, and remembers what it was asked.
class FakeRunner final : public StepRunner {
 public:
  explicit FakeRunner(const TemporaryDirectory& dir) : dir_(dir) {}
  Result<RunOutcome> run(const RunRequest& request, const OutputSink& output,
                         std::optional<SteadyPoint>, const Stop&) override {
    requests.push_back(request);
    output("output of " + request.argv.back());
    RunOutcome outcome = next;
    if (!dir_.shell("cd root && " + request.argv.back())) {
      outcome.exitCode = 3;
    }
    return outcome;
  }

  std::vector<RunRequest> requests;
  RunOutcome next;

 private:
  const TemporaryDirectory& dir_;
};

class StageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) {
      GTEST_SKIP() << "SKIPPED: owners need root";
    }
    ASSERT_TRUE(dir_.shell(
        "mkdir -p root/etc out context from; echo app:x:7:8::/home/app: > root/etc/passwd"));
    options_.runId = "r";
    options_.key = "key of 0";
    options_.root = dir_ / "root";
    options_.out = dir_ / "out";
    options_.context = dir_ / "context";
    options_.from = dir_ / "from";
    options_.stash = dir_ / "stash";
    plan_.stages.resize(1);
    plan_.stages[0].name = "main";
    plan_.stages[0].base.kind = plan::Base::Kind::kImage;
    plan_.stages[0].base.reference = "x@sha256:1";
  }

  void addRun(const std::string& command, const std::string& user = "") {
    plan::RunStep run;
    run.argv = {"sh", "-c", command};
    run.env = {"A=b"};
    run.workdir = "/work";
    run.user = user;
    plan_.stages.back().steps.push_back({"RUN " + command, 5, "", run});
  }

  StageResult run() {
    Fd log(::open((dir_ / "log").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    StageLog stageLog(log.get(), options_.key, options_.scope());
    return runStage(plan_, options_, runner_, stageLog, *stop_);
  }

  /// Where a local is called run.
  StageResult runAll() { return run(); }

  std::vector<std::string> layer(int step) {
    const std::string bytes = dir_.read("out/layers/" + std::to_string(step) + ".tar");
    layer::StringSource source(bytes);
    layer::TarReader reader(source);
    std::vector<std::string> names;
    for (auto entry = reader.next(); entry && *entry; entry = reader.next()) {
      names.push_back((*entry)->name);
    }
    return names;
  }

  TemporaryDirectory dir_;
  FakeRunner runner_{dir_};
  Result<Stop> stop_ = Stop::make();
  StageOptions options_;
  plan::BuildPlan plan_;
};

TEST_F(StageTest, WritesOneLayerPerStepAndASealedReport) {
  addRun("echo x > f; rm etc/passwd", "app");
  plan_.stages[0].steps.push_back({"WORKDIR /w", 6, "", plan::WorkdirStep{"/w", "5"}});
  addRun("true");
  plan_.stages[0].exports = {{"/f"}};
  const StageResult result = run();
  ASSERT_EQ(result.exit, plan::Exit::kSuccess) << result.report.failure->message;
  EXPECT_THAT(layer(0), ElementsAre("etc", "etc/.wh.passwd", "f", "work"));
  EXPECT_THAT(layer(1), ElementsAre("w"));
  EXPECT_THAT(layer(2), ElementsAre());
  const auto body =
      unsealText(options_.key, options_.scope(), "report", dir_.read("out/report.json"));
  ASSERT_TRUE(body);
  const auto report = plan::parseStageReport(*body);
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->succeeded);
  EXPECT_EQ(report->layers.size(), 3u);
  EXPECT_THAT(report->artifacts[0].matches, ElementsAre("/f"));
  EXPECT_THAT(runner_.requests[0].env, ElementsAre("A=b", "HOME=/home/app"));
  EXPECT_EQ(runner_.requests[0].identity.uid, 7u);
  EXPECT_EQ(runner_.requests[1].identity.uid, 0u);
}

TEST_F(StageTest, SourceDateEpochMakesLayersEqual) {
  plan_.sourceDateEpoch = 1000000000;
  addRun("rm -rf f d; echo x > f; mkdir d; touch -d @5 d/old");
  plan::CopyStep copy;
  copy.destination = "/new/";
  plan::CopySource source;
  source.from = plan::CopySource::From::kInline;
  source.path = "EOF";
  source.content = "text";
  copy.sources = {source};
  source.from = plan::CopySource::From::kContext;
  source.path = "young";
  copy.sources.push_back(source);
  plan_.stages[0].steps.push_back({"COPY", 6, "", copy});
  plan_.stages[0].exports = {{"/f"}};
  ASSERT_TRUE(dir_.shell("touch -d @1500000000 context/young"));
  const StageResult first = run();
  ASSERT_EQ(first.exit, plan::Exit::kSuccess) << first.report.failure->message;
  ASSERT_TRUE(dir_.shell("rm -rf root/new root/work root/f root/d"));
  const StageResult second = run();
  ASSERT_EQ(second.exit, plan::Exit::kSuccess);
  for (int i : {0, 1}) {
    EXPECT_EQ(first.report.layers[static_cast<std::size_t>(i)].diffId,
              second.report.layers[static_cast<std::size_t>(i)].diffId);
  }
  EXPECT_EQ(first.report.artifacts[0].digest, second.report.artifacts[0].digest);
  EXPECT_TRUE(
      dir_.shell("tar --full-time -tvf out/layers/1.tar | grep young | grep -q 2017 && "
                 "tar --full-time -tvf out/layers/0.tar | grep old | grep -q 1970"));
}

TEST_F(StageTest, AFailedStepIsReported) {
  addRun("exit 1");
  addRun("touch never");
  const StageResult result = run();
  EXPECT_EQ(result.exit, plan::Exit::kStepFailed);
  EXPECT_EQ(result.report.failure->reason, "StageFailed");
  EXPECT_EQ(result.report.failure->exitCode, 3);
  EXPECT_EQ(result.report.failure->line, 5);
  EXPECT_EQ(result.report.failure->instruction, "RUN exit 1");
  EXPECT_EQ(result.report.failure->logTail, "output of exit 1");
  EXPECT_EQ(result.report.failure->message,
            "process \"sh -c exit 1\" did not complete successfully: exit code: 3");
  EXPECT_EQ(runner_.requests.size(), 1u);
}

TEST_F(StageTest, OutcomesHaveTheirExitCodes) {
  struct Case {
    RunOutcome::Kind kind;
    bool outOfMemory;
    plan::Exit exit;
    const char* reason;
  };
  for (const Case& c :
       {Case{RunOutcome::Kind::kKilled, true, plan::Exit::kOutOfMemory, "StageOOMKilled"},
        Case{RunOutcome::Kind::kKilled, false, plan::Exit::kStepFailed, "StageFailed"},
        Case{RunOutcome::Kind::kTimedOut, false, plan::Exit::kStageTimeout, "StageTimeout"},
        Case{RunOutcome::Kind::kStopped, false, plan::Exit::kInternal, "Disrupted"}}) {
    plan_.stages[0].steps.clear();
    addRun("true");
    runner_.next.kind = c.kind;
    runner_.next.outOfMemory = c.outOfMemory;
    const StageResult result = run();
    EXPECT_EQ(result.exit, c.exit) << c.reason;
    EXPECT_EQ(result.report.failure->reason, c.reason);
  }
}

TEST_F(StageTest, AMissingKeyOfAnotherStageIsOurFault) {
  plan_.stages.resize(2);
  plan_.stages[1] = plan_.stages[0];
  plan_.stages[1].index = 1;
  plan_.stages[1].base.kind = plan::Base::Kind::kStage;
  plan_.stages[1].base.stage = 0;
  options_.stage = 1;
  EXPECT_EQ(run().exit, plan::Exit::kInternal);
}

TEST(ProcessRunner, RunsStepsWithoutInheritance) {
  TemporaryDirectory dir;
  ::setenv("STAGEWRIGHT_SECRET", "leak", 1);
  ProcessRunner runner(dir.path());
  const auto stop = Stop::make();
  std::string output;
  const auto run = [&](const std::string& command) {
    RunRequest request{{"sh", "-c", command}, {"PATH=/bin:/usr/bin"}, dir.path(), {}, false, {}};
    request.identity.uid = ::geteuid();
    request.identity.gid = ::getegid();
    request.identity.groups = {};
    output.clear();
    return runner.run(
        request, [&](std::string_view bytes) { output += bytes; }, std::nullopt, *stop);
  };
  if (::geteuid() != 0) {
    GTEST_SKIP() << "SKIPPED: setting groups needs root";
  }
  auto outcome = run("env; pwd; cat; umask; ls /proc/self/fd | wc -l; echo err >&2; exit 7");
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->exitCode, 7);
  EXPECT_EQ(output.find("STAGEWRIGHT"), std::string::npos) << output;
  EXPECT_NE(output.find(dir.path() + "\n0022\n4\nerr\n"), std::string::npos) << output;
  outcome = run("kill -9 $$");
  EXPECT_EQ(outcome->kind, RunOutcome::Kind::kKilled);
  EXPECT_EQ(outcome->exitCode, 137);
  outcome = run("sleep 1000 & echo left");
  EXPECT_TRUE(outcome->succeeded());
  EXPECT_EQ(output, "left\n");
  RunRequest missing{{"/no/such"}, {}, dir.path(), {}, false, {}};
  outcome = runner.run(
      missing, [](std::string_view) {}, std::nullopt, *stop);
  EXPECT_EQ(outcome->kind, RunOutcome::Kind::kNotStarted);
  EXPECT_EQ(outcome->exitCode, 127);
  const auto soon = std::chrono::steady_clock::now() + Millis(50);
  RunRequest slow{{"sleep", "1000"}, {}, "/", {}, false, {}};
  outcome = runner.run(
      slow, [](std::string_view) {}, soon, *stop);
  EXPECT_EQ(outcome->kind, RunOutcome::Kind::kTimedOut);
  stop->request();
  outcome = runner.run(
      slow, [](std::string_view) {}, std::nullopt, *stop);
  EXPECT_EQ(outcome->kind, RunOutcome::Kind::kStopped);
}

TEST(StageLog, BreaksLinesAndKeepsTheTail) {
  TemporaryDirectory dir;
  Fd fd(::open((dir / "log").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  StageLog log(fd.get(), "k", {"r", "0", 1});
  log.output("partial");
  log.line("[s 1/1] RUN x");
  log.output("a\n\nb\n");
  log.output(std::string(150000, 'z'));
  log.line("end");
  std::string expected = "partial\n[s 1/1] RUN x\na\n\nb\n";
  expected += std::string(65536, 'z') + "\n" + std::string(65536, 'z') + "\n" +
              std::string(150000 - 131072, 'z') + "\nend\n";
  EXPECT_TRUE(dir.read("log") == expected);
  EXPECT_EQ(log.tail(), std::string(2048, 'z'));
}

TEST(StageLog, CopiesWhatIsForPeopleWithItsBeginningAndItsEnd) {
  TemporaryDirectory dir;
  Fd null(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  const auto copyOf = [&](const std::function<void(StageLog&)>& speak) {
    StageLog log(null.get(), "k", {"r", "0", 1});
    log.copyTo(Fd(::open((dir / "copy").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)));
    speak(log);
    log.finishCopy();
    return dir.read("copy");
  };
  EXPECT_EQ(copyOf([](StageLog& log) {
              log.line("[s 1/1] RUN x");
              log.frame({{"type", "step"}});
              log.output("out");
              log.line("ERROR: y");
            }),
            "[s 1/1] RUN x\nout\nERROR: y\n")
      << "frames are not for people";
  const std::string line = std::string(1023, 'x') + "\n";
  const std::string large = copyOf([&](StageLog& log) {
    log.line("first");
    for (int i = 0; i < 16 * 1024; ++i) {
      log.output(line);
    }
    log.line("last");
  });
  EXPECT_TRUE(large.starts_with("first\n"));
  EXPECT_TRUE(large.ends_with("x\nlast\n"));
  EXPECT_LT(large.size(), plan::kMaxLogBytes);
  EXPECT_GT(large.size(), 3U * 1024 * 1024);
  const std::size_t gap = large.find("[");
  const std::size_t leftOut = std::stoul(large.substr(gap + 1));
  EXPECT_EQ(large.substr(gap).rfind(" bytes are left out here]\n", 40),
            std::string("[").size() + std::to_string(leftOut).size());
  const std::size_t note =
      std::string("\n[] bytes are left out here]\n").size() - 1 + std::to_string(leftOut).size();
  EXPECT_EQ(large.size() - note + leftOut, 6U + 16 * 1024 * 1024 + 5);
}

TEST(StageLog, HidesWhatItIsToldWhereverItIsBroken) {
  TemporaryDirectory dir;
  Fd fd(::open((dir / "log").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  StageLog log(fd.get(), "k", {"r", "0", 1});
  log.hide({"hunter2-longer", "hunter2", "swordfish"});
  for (const char* piece : {"a hun", "ter", "2 b hunter2-", "longer c\n", "sword", "less hunter"}) {
    log.output(piece);
  }
  EXPECT_EQ(log.tail(), "a *** b *** c\nswordless hunter");
  log.output("2\n");
  log.line("end");
  // What was shown stays shown: the tail was asked for in the middle of a word.
  EXPECT_EQ(dir.read("log"), "a *** b *** c\nswordless hunter2\nend\n");
}

TEST_F(StageTest, ASecretIsThereOnlyInTheStepThatNamesIt) {
  options_.secretsDir = dir_ / "secrets";
  options_.secrets.values = {{"npm", "t0ken\nline2\n"}, {"other", "never"}};
  ASSERT_TRUE(dir_.shell("mkdir secrets; mkdir -p root/home; echo mine > root/home/.npmrc"));
  plan::RunStep run;
  run.argv = {"sh", "-c",
              "test $(cat run/secrets/npm | wc -l) = 2 && grep -q t0ken home/.npmrc && "
              "stat -L -c %u:%g:%a home/.npmrc > seen && ls ../secrets | wc -l >> seen && "
              "echo planted > ../secrets/planted"};
  run.workdir = "/work";
  plan::Mount mount;
  mount.type = plan::Mount::Type::kSecret;
  mount.id = "npm";
  mount.target = "/run/secrets/npm";
  run.mounts.push_back(mount);
  mount.target = "/home/.npmrc";
  mount.uid = 7;
  mount.gid = 8;
  mount.mode = 0440;
  mount.env = "TOKEN";
  mount.required = true;
  run.mounts.push_back(mount);
  mount.id = "absent";
  mount.target = "/run/secrets/absent";
  mount.env = "ABSENT";
  mount.required = false;
  run.mounts.push_back(mount);
  plan_.stages[0].steps.push_back({"RUN", 5, "", run});
  addRun("test ! -e run && grep -q mine home/.npmrc && test -z \"$(ls ../secrets)\"");
  const StageResult result = runAll();
  ASSERT_EQ(result.exit, plan::Exit::kSuccess) << result.report.failure->message;
  EXPECT_THAT(runner_.requests[0].env, ElementsAre("HOME=/", "TOKEN=t0ken\nline2\n"));
  EXPECT_THAT(runner_.requests[1].env, ElementsAre("A=b", "HOME=/"));
  EXPECT_EQ(dir_.read("root/seen"), "7:8:440\n2\n");
  EXPECT_THAT(layer(0), ElementsAre("seen", "work"));
  EXPECT_THAT(layer(1), ElementsAre());
  // The log holds what the fake runner says of its command, which names a part of the secret.
  EXPECT_TRUE(dir_.shell("! grep -r --exclude=log t0ken out root"));
}

TEST_F(StageTest, AFailedStepLeavesNoSecret) {
  options_.secretsDir = dir_ / "secrets";
  options_.secrets.values = {{"npm", "t0ken"}};
  ASSERT_TRUE(dir_.shell("mkdir secrets"));
  plan::RunStep run;
  run.argv = {"sh", "-c", "test -e run/secrets/npm && exit 3"};
  run.workdir = "/";
  plan::Mount mount;
  mount.type = plan::Mount::Type::kSecret;
  mount.id = "npm";
  mount.target = "/run/secrets/npm";
  run.mounts.push_back(mount);
  plan_.stages[0].steps.push_back({"RUN", 5, "", run});
  EXPECT_EQ(runAll().exit, plan::Exit::kStepFailed);
  EXPECT_TRUE(dir_.shell("test -z \"$(ls secrets)\""));
}

TEST_F(StageTest, ARequiredSecretThatNobodyGivesFailsTheStep) {
  plan::RunStep run;
  run.argv = {"true"};
  run.workdir = "/";
  plan::Mount mount;
  mount.type = plan::Mount::Type::kSecret;
  mount.id = "npm";
  mount.target = "/run/secrets/npm";
  mount.required = true;
  run.mounts.push_back(mount);
  plan_.stages[0].steps.push_back({"RUN", 5, "", run});
  const StageResult result = runAll();
  EXPECT_EQ(result.exit, plan::Exit::kStepFailed);
  EXPECT_EQ(result.report.failure->message, "secret npm: not found");
}

TEST(IsIdentityMap, KnowsTheInitialNamespace) {
  EXPECT_TRUE(isIdentityMap("         0          0 4294967295\n"));
  EXPECT_FALSE(isIdentityMap("         0     100000      65536\n"));
  EXPECT_FALSE(isIdentityMap("         0          0      65536\n"));
  EXPECT_FALSE(isIdentityMap(""));
}

}  // namespace
}  // namespace stagewright::stage
