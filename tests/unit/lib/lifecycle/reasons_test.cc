// Every reason of api.md: what shows it, what the build says meanwhile, how it ends.
#include <gmock/gmock.h>

#include "tests/unit/lib/lifecycle/fake_cluster.h"

namespace stagewright::lifecycle {
namespace {

using api::Truth;
using std::chrono::seconds;
using testing::FakeCluster;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// What is sealed in a termination message of prepare, stage or publish, and the exit code that
/// goes with it.
struct Sealed {
  const char* part;
  int code;
  const char* reason;
  const char* failureClass;
};

class Terminal : public ::testing::TestWithParam<Sealed> {};

TEST_P(Terminal, FailsAtOnceWithTheWordsOfTheContainer) {
  const Sealed& c = GetParam();
  FakeCluster cluster;
  if (std::string(c.part) == "prepare") {
    cluster.settle();
  } else {
    cluster.toStages({{}});
  }
  cluster.run(c.part);
  cluster.settle();
  cluster.failWith(c.part, c.code, c.reason,
                   "services/api/Dockerfile:7:6: what is wrong\n  7 | COPY");
  cluster.settle();
  EXPECT_EQ(cluster.ready().status, Truth::kFalse);
  EXPECT_EQ(cluster.ready().reason, c.reason);
  const bool ofStage = std::string(c.part) == "0";  // what a step prints stays one line
  EXPECT_EQ(cluster.ready().message,
            ofStage ? "services/api/Dockerfile:7:6: what is wrong   7 | COPY"
                    : "services/api/Dockerfile:7:6: what is wrong\n  7 | COPY");
  EXPECT_EQ(cluster.condition("Stalled").reason, c.reason);
  EXPECT_EQ(cluster.condition("Finished").reason, "Failed");
  const api::FailureStatus failure = *cluster.status().failure;
  EXPECT_EQ(failure.class_, c.failureClass);
  EXPECT_EQ(failure.reason, c.reason);
  EXPECT_EQ(failure.attempt, "1/1");
  EXPECT_EQ(failure.pod, cluster.name(c.part));
  EXPECT_EQ(failure.logCommand, "stagewright logs shop --failed");
  EXPECT_EQ(cluster.status().run->infrastructureRetries, 0);
  EXPECT_EQ(cluster.countEvents("Failed"), 1);
}

INSTANTIATE_TEST_SUITE_P(Reasons, Terminal,
                         ::testing::Values(Sealed{"prepare", 20, "InvalidSpec", "User"},
                                           Sealed{"prepare", 20, "DockerfileNotFound", "User"},
                                           Sealed{"prepare", 20, "DockerfileInvalid", "User"},
                                           Sealed{"prepare", 20, "ContextDirNotFound", "User"},
                                           Sealed{"prepare", 20, "SourceNotFound", "User"},
                                           Sealed{"prepare", 20, "SourceRevisionNotFound", "User"},
                                           Sealed{"prepare", 20, "BaseImageNotFound", "User"},
                                           Sealed{"prepare", 20, "WorkspaceFull", "User"},
                                           Sealed{"0", 10, "StageFailed", "User"},
                                           Sealed{"0", 11, "StageTimeout", "User"},
                                           Sealed{"0", 12, "StageOOMKilled", "User"},
                                           Sealed{"0", 70, "WorkspaceFull", "User"},
                                           Sealed{"0", 70, "EphemeralStorageExceeded", "User"},
                                           Sealed{"0", 70, "WorkspaceIncompatible", "User"}),
                         [](const auto& test) {
                           return std::string(test.param.part) + test.param.reason;
                         });

/// Tried again for two minutes, visible all the time, then terminal.
class Grace : public ::testing::TestWithParam<Sealed> {};

TEST_P(Grace, IsVisibleAtOnceAndTerminalAfterTwoMinutes) {
  const Sealed& c = GetParam();
  FakeCluster cluster;
  const bool prepare = std::string(c.part) == "prepare";
  if (prepare) {
    cluster.settle();
  } else {
    cluster.toStages({{}});
    cluster.run("0");
  }
  const TimePoint begin = cluster.now;
  int attempts = 0;
  while (attempts < 20) {
    const api::RunStatus now = *cluster.status().run;
    const int attempt = prepare ? now.prepare.attempt : now.publish.attempt;
    if (attempt > attempts) {
      attempts = attempt;
      cluster.run(c.part, attempts);
      cluster.settle();
      cluster.failWith(c.part, c.code, c.reason, "no", attempts);
      cluster.settle();
      EXPECT_EQ(cluster.ready().reason, c.reason);
    }
    EXPECT_EQ(cluster.ready().reason, c.reason) << "all the time";
    if (cluster.ready().status == Truth::kFalse) {
      break;
    }
    const Decision decision = cluster.reconcile();
    cluster.now += decision.requeueAfter.value_or(Millis(1000));
    cluster.settle();
  }
  EXPECT_EQ(cluster.ready().reason, c.reason);
  EXPECT_GE(cluster.now - begin, seconds(119));
  EXPECT_LE(cluster.now - begin, seconds(160));
  EXPECT_GE(attempts, 4);
  EXPECT_EQ(cluster.status().run->infrastructureRetries, 0) << "not charged";
  EXPECT_EQ(cluster.status().failure->class_, "User");
}

INSTANTIATE_TEST_SUITE_P(Reasons, Grace,
                         ::testing::Values(Sealed{"prepare", 21, "CredentialsNotFound", ""},
                                           Sealed{"prepare", 31, "SourceAuthFailed", ""},
                                           Sealed{"prepare", 31, "BaseImageUnauthorized", ""},
                                           Sealed{"publish", 21, "CredentialsNotFound", ""},
                                           Sealed{"publish", 31, "PushUnauthorized", ""}),
                         [](const auto& test) {
                           return std::string(test.param.part) + test.param.reason;
                         });

/// Our own status write wakes nobody, so the pass that decides to try again must say when.
TEST(Grace, ThePassThatSeesTheFailureSaysWhyItWaitsAndWhenItComesBack) {
  FakeCluster cluster;
  cluster.settle();
  cluster.run("prepare");
  cluster.settle();
  cluster.failWith("prepare", 31, "BaseImageUnauthorized", "no");
  const Decision decision = cluster.reconcile();
  ASSERT_TRUE(decision.requeueAfter);
  EXPECT_LE(*decision.requeueAfter, seconds(30));
  EXPECT_EQ(cluster.ready().reason, "BaseImageUnauthorized");
}

TEST(Grace, EndsWhenTheSecretComes) {
  FakeCluster cluster;
  cluster.toStages({{}});
  cluster.run("publish");
  cluster.settle();
  cluster.failWith("publish", 21, "CredentialsNotFound", "Secret push is not there");
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "CredentialsNotFound");
  EXPECT_EQ(cluster.ready().status, Truth::kUnknown);
  EXPECT_EQ(cluster.condition("Reconciling").status, Truth::kTrue);
  cluster.pass(seconds(11));
  cluster.settle();
  cluster.run("publish", 2);
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "CredentialsNotFound") << "that it runs proves nothing";
  cluster.say(cluster.pod("publish", 2), {{"type", "push-check"}, {"seq", 1}, {"ok", true}});
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "Progressing");
}

TEST(PushUnauthorized, IsKnownFromTheFrameBeforeAnythingExits) {
  FakeCluster cluster;
  cluster.toStages({{}});
  cluster.run("0");
  cluster.run("publish");
  cluster.settle();
  cluster.say(cluster.pod("publish"), {{"type", "failure"},
                                       {"seq", 1},
                                       {"reason", "PushUnauthorized"},
                                       {"message", "PUT registry.example/shop: 401"}});
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "PushUnauthorized");
  EXPECT_EQ(cluster.condition("Pushed").reason, "PushUnauthorized");
  EXPECT_EQ(cluster.status().stages[0].state, api::AttemptState::kRunning);
}

/// Tried again with backoff, charged, then exhausted.
class Charged : public ::testing::TestWithParam<Sealed> {};

TEST_P(Charged, IsRetriedThreeTimesWithGrowingPauses) {
  const Sealed& c = GetParam();
  FakeCluster cluster;
  const std::string part = c.part;
  if (part == "prepare") {
    cluster.settle();
  } else {
    cluster.toStages({{}});
  }
  for (int attempt = 1; attempt <= 4; ++attempt) {
    cluster.run(part, attempt);
    cluster.settle();
    cluster.failWith(part, c.code, c.reason, "it is down", attempt);
    cluster.settle();
    if (attempt == 4) {
      break;
    }
    EXPECT_EQ(cluster.ready().status, Truth::kUnknown);
    EXPECT_EQ(cluster.ready().reason, c.reason);
    EXPECT_EQ(cluster.condition("Reconciling").reason, c.reason);
    const Decision decision = cluster.reconcile();
    ASSERT_TRUE(decision.requeueAfter);
    EXPECT_LE(*decision.requeueAfter, seconds(10) * (1 << (attempt - 1)));
    EXPECT_GT(*decision.requeueAfter, seconds(10) * (1 << (attempt - 1)) - seconds(2));
    cluster.now += *decision.requeueAfter;
    cluster.settle();
  }
  EXPECT_EQ(cluster.ready().reason, "InfrastructureRetriesExhausted");
  EXPECT_THAT(cluster.ready().message,
              HasSubstr(std::string("the last cause is ") + c.reason + ": it is down"));
  EXPECT_EQ(cluster.status().failure->class_, "Platform");
  EXPECT_EQ(cluster.status().run->infrastructureRetries, 3);
}

INSTANTIATE_TEST_SUITE_P(Reasons, Charged,
                         ::testing::Values(Sealed{"prepare", 30, "SourceUnavailable", ""},
                                           Sealed{"prepare", 30, "RegistryUnavailable", ""},
                                           Sealed{"publish", 30, "RegistryUnavailable", ""},
                                           Sealed{"publish", 30, "PushFailed", ""},
                                           Sealed{"prepare", 70, "InternalError", ""},
                                           Sealed{"0", 70, "InternalError", ""}),
                         [](const auto& test) {
                           const std::string part = test.param.part;
                           return (part == "0" ? "stage" : part) + test.param.reason;
                         });

TEST(RegistryDown, ThirtySecondsAreSurvived) {
  FakeCluster cluster;
  cluster.toStages({{}});
  cluster.run("0");
  cluster.settle();
  cluster.exit("0", 0);
  int attempt = 1;
  for (int second = 0; second < 120 && cluster.ready().status == Truth::kUnknown; ++second) {
    cluster.settle();
    const auto publish = cluster.status().run->publish;
    if (publish.attempt == attempt && publish.state == api::AttemptState::kCreating) {
      cluster.run("publish", attempt);
      cluster.settle();
      if (second <= 30) {
        cluster.failWith("publish", 30, "RegistryUnavailable", "connection refused", attempt++);
      } else {
        cluster.say(cluster.pod("publish", attempt), cluster.imageFrame());
      }
      cluster.settle();
    }
    cluster.pass(seconds(1));
  }
  EXPECT_EQ(cluster.ready().status, Truth::kTrue);
}

// ---- without words: exit codes, forged words, the kubelet's words ----

struct Wordless {
  const char* part;
  int code;
  const char* reason;
};

TEST(ExitCodes, StandInForMissingWords) {
  const Wordless cases[] = {{"prepare", 20, "InvalidSpec"},
                            {"prepare", 21, "CredentialsNotFound"},
                            {"prepare", 30, "SourceUnavailable"},
                            {"prepare", 31, "SourceAuthFailed"},
                            {"prepare", 70, "InternalError"},
                            {"prepare", 78, "PolicyViolation"},
                            {"0", 10, "StageFailed"},
                            {"0", 11, "StageTimeout"},
                            {"0", 12, "StageOOMKilled"},
                            {"0", 20, "StageFailed"},
                            {"0", 78, "PolicyViolation"},
                            {"0", 1, "InternalError"},
                            {"0", 137, "InternalError"},
                            {"publish", 30, "RegistryUnavailable"},
                            {"publish", 31, "PushUnauthorized"},
                            {"publish", 21, "CredentialsNotFound"}};
  for (const Wordless& c : cases) {
    SCOPED_TRACE(std::string(c.part) + " " + std::to_string(c.code));
    FakeCluster cluster;
    if (std::string(c.part) == "prepare") {
      cluster.settle();
    } else {
      cluster.toStages({{}});
    }
    cluster.run(c.part);
    cluster.settle();
    cluster.exit(c.part, c.code);
    cluster.settle();
    EXPECT_EQ(cluster.ready().reason, c.reason);
    EXPECT_NE(cluster.ready().message, "");
  }
}

TEST(Words, OfAStageWithoutASealAreNotBelieved) {
  FakeCluster cluster;
  cluster.toStages({{}});
  cluster.run("0");
  cluster.settle();
  const std::string body = R"({"reason":"SourceUnavailable","message":"retry me for ever"})";
  const SealScope scope{cluster.runId(), "0", 1};
  cluster.exit(cluster.pod("0"), 10, sealText(std::string(32, 'x'), scope, "termination", body));
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "StageFailed");
  EXPECT_THAT(cluster.ready().message, ::testing::Not(HasSubstr("for ever")));
}

TEST(Words, OfAStageMayOnlyBeAboutItself) {
  FakeCluster cluster;
  cluster.toStages({{}});
  cluster.run("0");
  cluster.settle();
  cluster.failWith("0", 10, "RegistryUnavailable", "retry me for ever");
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "StageFailed");
}

TEST(Words, AreCleanedBeforeTheyReachATerminal) {
  FakeCluster cluster;
  cluster.toStages({{}});
  cluster.run("0");
  cluster.settle();
  ObservedPod& pod = cluster.pod("0");
  plan::Failure failure{"StageFailed", "RUN x exited with 3", "RUN x", 17, 3, "tail\x1b[2J\n"};
  cluster.exit(pod, 10, cluster.words(pod, failure));
  cluster.settle();
  const api::FailureStatus got = *cluster.status().failure;
  EXPECT_EQ(got.instruction, "RUN x");
  EXPECT_EQ(got.line, 17);
  EXPECT_EQ(got.exitCode, 3);
  EXPECT_EQ(got.stage, "s0");
  EXPECT_EQ(got.container, "stage");
  EXPECT_EQ(got.logTail.find('\x1b'), std::string::npos);
}

TEST(Words, OfAStageSayWhereAndHowToSeeMore) {
  FakeCluster cluster;
  cluster.toStages({{}});
  plan::Failure failure{"StageFailed", "exit code: 3\nReady=True", "RUN npm ci\n&& x", 17, 3,
                        "a\nb\n"};
  cluster.exit(cluster.pod("0"), 10, cluster.words(cluster.pod("0"), failure));
  cluster.settle();
  EXPECT_EQ(cluster.status().failure->message,
            "stage \"s0\", line 17, RUN npm ci && x: exit code: 3 Ready=True");
  EXPECT_EQ(cluster.status().failure->logTail, "a\nb");
  EXPECT_EQ(
      cluster.ready().message,
      cluster.status().failure->message +
          "; its last lines are in status.failure.logTail, all of them: stagewright logs shop "
          "--failed");
  for (const EventNote& event : cluster.events) {
    EXPECT_EQ(event.note.find('\n'), std::string::npos) << event.note;
  }
}

/// The bounds themselves are checked by FakeCluster::apply, for this and every other status.
TEST(Status, OfAHostileBuildStaysWithinItsBounds) {
  const std::string flood(100'000, '\x1b');
  const std::string wide = [] {
    std::string out;
    for (int i = 0; i < 30'000; ++i) {
      out += "\xF0\x9F\x98\x80\n";
    }
    return out;
  }();
  for (const std::string& text : {flood, wide, std::string(50'000, 'x')}) {
    FakeCluster cluster;
    cluster.annotate(api::kRebuildAnnotation, text);
    cluster.settle();
    cluster.run("prepare");
    Json frame = cluster.planFrame(std::vector<std::vector<int>>(64));
    // As long as prepare may make them; it is our program.
    for (Json& stage : frame["plan"]["stages"]) {
      stage["name"] = std::string(64, 'n');
      stage["baseName"] = std::string(256, 'b');
      stage["image"] =
          "registry.example/" + std::string(200, 'i') + "@" + std::string(testing::kDigest);
    }
    for (int i = 0; i < 32; ++i) {
      frame["plan"]["warnings"].push_back({{"rule", std::string(500, 'r')},
                                           {"line", 1},
                                           {"message", text.substr(0, 2000)},
                                           {"url", std::string(900, 'u')}});
    }
    cluster.say(cluster.pod("prepare"), frame);
    cluster.settle();
    for (auto& [name, pod] : cluster.pods) {
      cluster.wait(pod, "ErrImagePull", text);
    }
    cluster.settle();
    for (auto& [name, pod] : cluster.pods) {
      pod.unschedulable = text;
    }
    cluster.settle();
    ASSERT_TRUE(cluster.has("3"));
    cluster.run("3");
    plan::Failure failure{"StageFailed", text, text, 17, 3, text};
    cluster.exit(cluster.pod("3"), 10, cluster.words(cluster.pod("3"), failure));
    cluster.settle();
    EXPECT_EQ(cluster.ready().reason, "StageFailed");
    EXPECT_LT(cluster.statusJson().dump().size(), 512U * 1024);
  }
}

TEST(OutOfMemory, NamesTheLimit) {
  Json spec = testing::smallSpec();
  spec["execution"]["stages"] =
      Json::array({{{"stage", "s0"}, {"resources", {{"limits", {{"memory", "64Mi"}}}}}}});
  FakeCluster killed(spec);
  killed.toStages({{}});
  killed.run("0");
  killed.settle();
  killed.exit(killed.pod("0"), 137, "", "OOMKilled");
  killed.settle();
  EXPECT_EQ(killed.ready().reason, "StageOOMKilled");
  EXPECT_THAT(killed.ready().message, HasSubstr("the limit is 64Mi"));

  FakeCluster child(spec);
  child.toStages({{}});
  child.run("0");
  child.settle();
  child.failWith("0", 12, "StageOOMKilled", "RUN make was killed for memory");
  child.settle();
  EXPECT_EQ(child.ready().message, "RUN make was killed for memory (the memory limit is 64Mi)");

  FakeCluster survivor(spec);
  survivor.toStages({{}});
  survivor.run("0");
  survivor.settle();
  survivor.exit(survivor.pod("0"), 0, "", "OOMKilled");
  survivor.settle();
  EXPECT_EQ(survivor.status().stages[0].state, api::AttemptState::kSucceeded);
}

TEST(Disrupted, IsRetriedAtOnceAndNotCharged) {
  for (const char* how : {"condition", "Evicted", "NodeShutdown", "OutOfcpu", "deleted", "gone"}) {
    SCOPED_TRACE(how);
    FakeCluster cluster;
    cluster.toStages({{}, {0}});
    cluster.run("0");
    cluster.settle();
    cluster.run("1");
    cluster.settle();
    ObservedPod& pod = cluster.pod("0");
    if (std::string(how) == "gone") {
      cluster.pods.erase(cluster.name("0"));
    } else {
      cluster.exit(pod, 137);
      pod.disruptionTarget = std::string(how) == "condition";
      pod.disruptionReason = "EvictionByEvictionAPI";
      pod.reason = std::string(how) == "condition" || std::string(how) == "deleted" ? "" : how;
      if (std::string(how) == "deleted") {
        pod.deletionTimestamp = cluster.now;
      }
    }
    cluster.settle();
    EXPECT_EQ(cluster.ready().reason, "Disrupted");
    EXPECT_FALSE(cluster.has("1")) << "who waits for the old attempt goes first";
    cluster.pass(seconds(2));
    cluster.settle();
    EXPECT_TRUE(cluster.has("0", 2));
    EXPECT_FALSE(cluster.has("1", 2));
    cluster.run("0", 2);
    cluster.settle();
    ASSERT_TRUE(cluster.has("1", 2));
    EXPECT_EQ(cluster.status().stages[1].upstream, (std::map<int, int>{{0, 2}}));
    EXPECT_EQ(cluster.status().run->infrastructureRetries, 0);
    EXPECT_EQ(cluster.ready().reason, "Progressing");
    EXPECT_EQ(cluster.status().stages[0].attempts.at(0).reason, "Disrupted");
  }
}

TEST(Disrupted, IsBelievedOfAStageOnlyWhenItsPodWasDeleted) {
  for (const bool deleted : {true, false}) {
    FakeCluster cluster;
    cluster.toStages({{}});
    cluster.run("0");
    cluster.settle();
    if (deleted) {
      cluster.pod("0").deletionTimestamp = cluster.now;
    }
    cluster.failWith("0", 70, "Disrupted", "got signal 15");
    cluster.settle();
    EXPECT_EQ(cluster.ready().reason, deleted ? "Disrupted" : "InternalError");
    EXPECT_EQ(cluster.status().run->infrastructureRetries, deleted ? 0 : 1);
  }
}

TEST(PolicyViolation, SaysWhatHelpsWhenTheRuntimeIgnoresHostUsers) {
  FakeCluster cluster;
  cluster.toStages({{}});
  cluster.run("0");
  cluster.settle();
  cluster.failWith("0", 78, "IsolationRefused", "a user namespace was asked for");
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "PolicyViolation");
  EXPECT_THAT(cluster.ready().message, HasSubstr("containerd 2.0 or newer is needed"));
}

TEST(Disrupted, BuildsASuccessAgainThatWasMadeFromTheLostAttempt) {
  FakeCluster cluster;
  cluster.toStages({{}, {0}});
  cluster.run("0");
  cluster.settle();
  cluster.run("1");
  cluster.settle();
  cluster.exit("1", 0);  // it had the sealed artifact of 0, which still ran
  cluster.settle();
  EXPECT_EQ(cluster.status().stages[1].state, api::AttemptState::kSucceeded);
  cluster.exit("0", 137);
  cluster.pod("0").disruptionTarget = true;
  cluster.settle();
  cluster.pass(seconds(2));
  cluster.settle();
  cluster.run("0", 2);
  cluster.settle();
  EXPECT_TRUE(cluster.has("1", 2));
  EXPECT_EQ(cluster.status().progress, "0/2");
}

TEST(Disrupted, EndsAfterEightAttempts) {
  FakeCluster cluster;
  cluster.toStages({{}});
  for (int attempt = 1; attempt <= pods::kMaxAttempts; ++attempt) {
    ASSERT_TRUE(cluster.has("0", attempt));
    cluster.run("0", attempt);
    cluster.settle();
    cluster.exit("0", 137, attempt);
    cluster.pod("0", attempt).disruptionTarget = true;
    cluster.settle();
    cluster.pass(seconds(2));
    cluster.settle();
  }
  EXPECT_EQ(cluster.ready().reason, "InfrastructureRetriesExhausted");
}

TEST(LostPod, IsConfirmedByALiveLookBeforeTheNextAttempt) {
  FakeCluster cluster;
  cluster.toStages({{}});
  cluster.run("0");
  cluster.settle();
  World stale = cluster.world();
  std::erase_if(stale.pods, [&](const ObservedPod& pod) { return pod.name == cluster.name("0"); });
  const Decision decision = planBuild(cluster.build(), stale, cluster.now);
  EXPECT_THAT(decision.confirmAbsent, ::testing::ElementsAre(cluster.name("0")));
  cluster.apply(decision, 100);
  EXPECT_EQ(cluster.status().stages[0].attempt, 1);
  EXPECT_EQ(cluster.status().stages[0].state, api::AttemptState::kRunning);
}

TEST(LostPod, ThatWasNeverToldToRunIsNotCreatedAgainUnderItsName) {
  for (const char* part : {"0", "publish"}) {
    FakeCluster cluster;
    cluster.toStages({{}});
    cluster.pods.erase(cluster.name(part));  // evicted in its first second
    cluster.settle();
    EXPECT_FALSE(cluster.has(part)) << part;
    cluster.pass(seconds(2));
    cluster.settle();
    EXPECT_TRUE(cluster.has(part, 2)) << part;
    EXPECT_EQ(cluster.status().run->infrastructureRetries, 0);
  }
}

TEST(NodeClock, ThatIsBehindEndsNoBuild) {
  FakeCluster cluster;
  cluster.settle();
  Json object = cluster.bodies.at(cluster.name("prepare"));
  object["metadata"]["creationTimestamp"] = "2026-11-28T10:00:00Z";
  object["status"] = Json::parse(R"({"phase": "Succeeded", "startTime": "2026-11-28T09:50:00Z",
    "containerStatuses": [{"name": "prepare", "state": {"terminated": {
      "exitCode": 0, "startedAt": "2026-11-28T09:50:01Z", "finishedAt": "2026-11-28T09:50:03Z"}}}]})");
  const Result<ObservedPod> pod = observePod(object);
  ASSERT_TRUE(pod);
  EXPECT_EQ(formatTime(*pod->container.startedAt), "2026-11-28T10:00:01Z");
  EXPECT_EQ(formatTime(*pod->container.finishedAt), "2026-11-28T10:00:03Z");
}

TEST(EphemeralStorage, OwnLimitIsTheUsersNodePressureIsNot) {
  FakeCluster own;
  own.toStages({{}});
  own.run("0");
  own.settle();
  own.exit("0", 137);
  own.pod("0").reason = "Evicted";
  own.pod("0").message =
      "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ";
  own.settle();
  EXPECT_EQ(own.ready().reason, "EphemeralStorageExceeded");

  FakeCluster node;
  node.toStages({{}});
  node.run("0");
  node.settle();
  node.exit("0", 137);
  node.pod("0").reason = "Evicted";
  node.pod("0").message = "The node was low on resource: ephemeral-storage.";
  node.settle();
  EXPECT_EQ(node.ready().reason, "Disrupted");
}

// ---- images ----

TEST(NodeCannotPull, NamesNodeImageCauseAndCure) {
  FakeCluster cluster;
  cluster.toStages({{}});
  ObservedPod& pod = cluster.pod("0");
  const std::string image = "registry.example/base@" + std::string(testing::kDigest);
  pod.container.image = image;
  const std::string cause = "failed to pull and unpack image \"" + image +
                            "\": failed to resolve reference \"" + image +
                            "\": failed to do request: Head \"https://registry.example/v2/\": "
                            "x509: certificate signed by "
                            "unknown authority";
  cluster.wait(pod, "ErrImagePull", "rpc error: code = Unknown desc = " + cause);
  cluster.settle();
  EXPECT_EQ(cluster.ready().status, Truth::kUnknown) << "the kubelet tries again";
  EXPECT_EQ(cluster.ready().reason, "NodeCannotPull");
  const std::string text = cluster.ready().message;
  EXPECT_EQ(
      text,
      "node w1 cannot pull " + image +
          " (failed to do request: Head \"https://registry.example/v2/\": x509: certificate "
          "signed by unknown authority) although prepare could; nodes have their own registry "
          "configuration: give containerd on the nodes a hosts.toml for registry.example (its "
          "CA, plain HTTP or mirror)");
  const int writes = cluster.statusWrites;
  cluster.pass(seconds(30));
  cluster.wait(pod, "ImagePullBackOff",
               "Back-off pulling image \"" + image + "\": ErrImagePull: " + cause);
  cluster.settle();
  EXPECT_EQ(cluster.statusWrites, writes) << "the kubelet's two words for it are one state";
  cluster.pass(seconds(31));
  cluster.settle();
  EXPECT_EQ(cluster.ready().status, Truth::kFalse);
  EXPECT_EQ(cluster.ready().reason, "NodeCannotPull");
  EXPECT_EQ(cluster.ready().message, text);
  EXPECT_EQ(cluster.status().failure->class_, "Platform");
}

TEST(NodeCannotPull, AsksForCredentialsWhenRefused) {
  FakeCluster cluster;
  cluster.toStages({{}});
  cluster.wait(cluster.pod("0"), "ErrImagePull", "authorization failed: 401 Unauthorized");
  cluster.settle();
  EXPECT_THAT(
      cluster.ready().message,
      HasSubstr("name a Secret with credentials for registry.example in spec.imagePullSecrets"));
}

TEST(NodeCannotPull, PassesWhenThePullDoes) {
  FakeCluster cluster;
  cluster.toStages({{}});
  cluster.wait(cluster.pod("0"), "ErrImagePull", "not found");
  cluster.settle();
  cluster.pass(seconds(40));
  cluster.run("0");
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "Progressing");
  EXPECT_EQ(cluster.status().stages[0].reason, "");
}

struct PullCase {
  const char* message;
  const char* reason;
};

TEST(Pull, ToldApartAreCausesThatPassAndThoseThatDoNot) {
  const PullCase cases[] = {
      {"failed to do request: Head \"https://r/v2/\": dial tcp 1.2.3.4:443: connect: connection "
       "refused",
       "ImagePullBackOff"},
      {"failed to do request: Head \"https://r/v2/\": dial tcp: lookup r: no such host",
       "ImagePullBackOff"},
      {"unexpected status from HEAD request to https://r/v2/x: 503 Service Unavailable",
       "ImagePullBackOff"},
      {"unexpected status from GET request to https://r/v2/x: 429 Too Many Requests",
       "ImagePullBackOff"},
      {"failed to copy: httpReadSeeker: failed open: unexpected EOF", "ImagePullBackOff"},
      {"r/x:1: not found", "NodeCannotPull"},
      {"unexpected status from HEAD request to https://r/v2/x: 401 Unauthorized", "NodeCannotPull"},
      {"tls: failed to verify certificate: x509: certificate signed by unknown authority",
       "NodeCannotPull"},
      {"http: server gave HTTP response to HTTPS client", "NodeCannotPull"}};
  for (const PullCase& c : cases) {
    FakeCluster cluster;
    cluster.toStages({{}});
    cluster.wait(cluster.pod("0"), "ErrImagePull", c.message);
    cluster.settle();
    EXPECT_EQ(cluster.ready().reason, c.reason) << c.message;
    // Older kubelets then tell nothing but that they wait.
    cluster.wait(cluster.pod("0"), "ImagePullBackOff", "Back-off pulling image \"r/x:1\"");
    cluster.settle();
    EXPECT_EQ(cluster.ready().reason, c.reason) << c.message;
  }
}

TEST(ImagePullBackOff, OfABusyRegistryIsWaitedForThenChargedAndRetried) {
  FakeCluster cluster;
  cluster.toStages({{}});
  cluster.wait(cluster.pod("0"), "ErrImagePull", "i/o timeout");
  cluster.settle();
  cluster.pass(seconds(540));
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "ImagePullBackOff") << "the kubelet tries again";
  EXPECT_EQ(cluster.status().run->infrastructureRetries, 0);
  cluster.pass(seconds(61));
  cluster.settle();
  EXPECT_EQ(cluster.status().run->infrastructureRetries, 1);
  cluster.pass(seconds(11));
  cluster.settle();
  EXPECT_TRUE(cluster.has("0", 2));
}

TEST(Mounting, IsToldAfterAMinuteAndChargedAfterTen) {
  FakeCluster cluster;
  cluster.toStages({{}});
  ObservedPod& pod = cluster.pod("0");
  cluster.wait(pod, "ContainerCreating", "");
  pod.isMounting = true;
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "Progressing");
  EXPECT_EQ(cluster.reconcile().requeueAfter, Millis(60'000));
  cluster.pass(seconds(60));
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "WorkspaceProvisioning");
  EXPECT_THAT(cluster.ready().message, HasSubstr("cannot attach or mount the volumes"));
  cluster.pass(seconds(540));
  cluster.settle();
  EXPECT_EQ(cluster.status().run->infrastructureRetries, 1);
  EXPECT_EQ(cluster.ready().status, Truth::kUnknown);
}

TEST(Retry, BudgetIsTheBuildsOwn) {
  for (const int budget : {0, 1, 5}) {
    Json spec = testing::smallSpec();
    spec["retry"]["infrastructure"] = budget;
    FakeCluster cluster(spec);
    cluster.settle();
    int attempts = 0;
    while (cluster.ready().status == Truth::kUnknown && attempts < 20) {
      ++attempts;
      cluster.run("prepare", attempts);
      cluster.settle();
      cluster.failWith("prepare", 30, "RegistryUnavailable", "503", attempts);
      cluster.settle();
      cluster.pass(seconds(61));
      cluster.settle();
    }
    EXPECT_EQ(attempts, budget + 1);
    EXPECT_EQ(cluster.ready().reason, "InfrastructureRetriesExhausted");
    EXPECT_THAT(cluster.ready().message, HasSubstr("503"));
  }
}

TEST(ImagePullBackOff, OfTheBuilderIsChargedAndRetried) {
  FakeCluster cluster;
  cluster.settle();
  cluster.wait(cluster.pod("prepare"), "ImagePullBackOff", "not found");
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "ImagePullBackOff");
  EXPECT_THAT(cluster.ready().message, HasSubstr("builder image"));
  cluster.pass(seconds(181));
  cluster.settle();
  EXPECT_EQ(cluster.status().run->infrastructureRetries, 1);
  EXPECT_THAT(cluster.pods, IsEmpty()) << "the stuck pod goes before the next attempt";
  cluster.pass(seconds(11));
  cluster.settle();
  EXPECT_TRUE(cluster.has("prepare", 2));
}

// ---- workspace ----

TEST(WorkspaceIncompatible, WhenTheRuntimeCannotMapIds) {
  FakeCluster waiting;
  waiting.toStages({{}});
  waiting.wait(waiting.pod("0"), "CreateContainerError",
               "mount_setattr /var/lib/x: invalid argument");
  waiting.settle();
  EXPECT_EQ(waiting.ready().reason, "WorkspaceIncompatible");
  EXPECT_THAT(waiting.ready().message, HasSubstr("spec.execution.isolation: Baseline"));

  FakeCluster started;
  started.toStages({{}});
  started.exit(started.pod("0"), 128,
               "failed to create containerd task: set up idmapped mount: EINVAL", "StartError");
  started.settle();
  EXPECT_EQ(started.ready().reason, "WorkspaceIncompatible");
}

TEST(WorkspaceIncompatible, WhenTheClaimDoesNotAllowBuilds) {
  Json spec = testing::smallSpec();
  spec["workspace"]["claimName"] = "shared";
  FakeCluster cluster(spec);
  ObservedClaim claim;
  claim.name = "shared";
  cluster.claims["shared"] = claim;
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "WorkspaceIncompatible");
  EXPECT_THAT(cluster.ready().message, HasSubstr("build.stagewright.dev/workspace"));
}

TEST(WorkspaceIncompatible, WhenTheClaimIsForOnePodOnly) {
  Json spec = testing::smallSpec();
  spec["workspace"]["claimName"] = "shared";
  FakeCluster cluster(spec);
  ObservedClaim claim;
  claim.name = "shared";
  claim.allowsBuilds = true;
  claim.accessModes = {"ReadWriteOncePod"};
  cluster.claims["shared"] = claim;
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "WorkspaceIncompatible");
}

TEST(WorkspaceProvisioning, IsBounded) {
  FakeCluster cluster;
  cluster.settle();
  cluster.pod("prepare").unschedulable = "pod has unbound immediate PersistentVolumeClaims";
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "WorkspaceProvisioning");
  EXPECT_EQ(cluster.ready().status, Truth::kUnknown);
  EXPECT_EQ(cluster.condition("WorkspaceReady").reason, "WorkspaceProvisioning");
  cluster.pass(seconds(601));
  cluster.settle();
  EXPECT_EQ(cluster.ready().status, Truth::kFalse);
  EXPECT_EQ(cluster.ready().reason, "WorkspaceProvisioning");
}

// ---- nodes ----

TEST(Unschedulable, PrepareWaitsWithoutLimitAndWithoutCharge) {
  FakeCluster cluster;
  cluster.settle();
  cluster.pod("prepare").unschedulable = "0/1 nodes are available: 1 Insufficient cpu.";
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "Unschedulable");
  EXPECT_EQ(cluster.status().phase, "Queued");
  cluster.pass(std::chrono::hours(5));
  cluster.settle();
  EXPECT_EQ(cluster.ready().status, Truth::kUnknown) << "queueing is not in the timeout";
  cluster.run("prepare");
  cluster.settle();
  EXPECT_EQ(cluster.status().phase, "Preparing");
  cluster.pass(seconds(3601));
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "BuildTimeout");
}

TEST(Unschedulable, FullNodeOfTheWorkspaceRestartsTheRunAfterAMinute) {
  FakeCluster cluster;
  cluster.toStages({{}});
  const std::string first = cluster.runId();
  cluster.pod("0").unschedulable = "0/1 nodes are available: 1 node(s) were unschedulable.";
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "Unschedulable");
  cluster.pass(seconds(61));
  cluster.settle();
  EXPECT_NE(cluster.runId(), first);
  EXPECT_EQ(cluster.status().run->trigger, "Restarted");
  EXPECT_EQ(cluster.status().run->restarts, 1);
  EXPECT_TRUE(cluster.has("prepare"));
  EXPECT_THAT(cluster.claims, SizeIs(1)) << "a new claim";
}

TEST(Unschedulable, WaitsWhileAnotherStageRuns) {
  FakeCluster cluster;
  cluster.toStages({{}, {}});
  cluster.run("0");
  const std::string first = cluster.runId();
  cluster.pod("1").unschedulable = "0/1 nodes are available: 1 Insufficient memory.";
  cluster.settle();
  cluster.pass(seconds(600));
  cluster.settle();
  EXPECT_EQ(cluster.runId(), first);
}

TEST(NodeLost, RestartsARunThatIsTiedToIt) {
  FakeCluster cluster;
  cluster.addNode("w2", true);
  cluster.toStages({{}});
  cluster.run("0");
  cluster.settle();
  const std::string first = cluster.runId();
  cluster.cluster.nodes[0].ready = false;
  cluster.cluster.nodes[0].notReadySince = cluster.now;
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "NodeLost");
  EXPECT_EQ(cluster.runId(), first);
  cluster.pass(seconds(61));
  cluster.settle();
  EXPECT_NE(cluster.runId(), first);
}

TEST(NodeLost, RestartsAreCounted) {
  FakeCluster cluster;
  for (int i = 0; i < 4; ++i) {
    cluster.toStages({{}});
    cluster.cluster.nodes[0].name = "w" + std::to_string(i + 2);
    cluster.settle();
    cluster.cluster.nodes[0].name = "w1";
  }
  EXPECT_EQ(cluster.ready().reason, "InfrastructureRetriesExhausted");
  EXPECT_THAT(cluster.ready().message, HasSubstr("restarted 3 times, the last cause is NodeLost"));
}

TEST(NodeLost, TerminatingPodOnItDoesNotBlockTheNextAttempt) {
  Json spec = testing::smallSpec();
  spec["workspace"]["accessMode"] = "ReadWriteMany";
  FakeCluster cluster(spec);
  cluster.addNode("w2", true);
  cluster.toStages({{}});
  cluster.run("0", 1, "w2");
  cluster.settle();
  cluster.pod("0").deletionTimestamp = cluster.now;
  cluster.settle();
  EXPECT_FALSE(cluster.has("0", 2)) << "it may only be slow";
  cluster.cluster.nodes[1].ready = false;
  cluster.cluster.nodes[1].notReadySince = cluster.now;
  cluster.pass(seconds(61));
  cluster.settle();
  cluster.pass(seconds(2));
  cluster.settle();
  EXPECT_TRUE(cluster.has("0", 2));
  EXPECT_EQ(cluster.status().stages[0].attempts.at(0).reason, "NodeLost");
}

TEST(RunKey, LostWithItsPodsRestartsTheRun) {
  FakeCluster cluster;
  cluster.toStages({{}});
  const std::string first = cluster.runId();
  cluster.pods.erase(cluster.name("prepare"));
  cluster.settle();
  EXPECT_EQ(cluster.runId(), first) << "publish still has it";
  cluster.pods.erase(cluster.name("publish"));
  cluster.settle();
  EXPECT_NE(cluster.runId(), first);
}

TEST(Prepare, IsBegunAgainWhenItsPodVanishes) {
  FakeCluster cluster;
  cluster.settle();
  cluster.run("prepare");
  cluster.settle();
  cluster.pods.erase(cluster.name("prepare"));
  cluster.settle();
  cluster.pass(seconds(2));
  cluster.settle();
  EXPECT_TRUE(cluster.has("prepare", 2));
}

TEST(Prepare, WaitsForItsLogBeforeItJudges) {
  FakeCluster cluster;
  cluster.settle();
  cluster.run("prepare");
  cluster.settle();
  cluster.exit("prepare", 0);
  cluster.logs.clear();
  EXPECT_EQ(cluster.reconcile().followLogs, std::vector<std::string>{cluster.name("prepare")});
  EXPECT_EQ(cluster.status().run->prepare.state, api::AttemptState::kRunning);
  cluster.pass(seconds(31));
  cluster.settle();
  EXPECT_EQ(cluster.status().run->prepare.reason, "InternalError");
  EXPECT_EQ(cluster.status().run->infrastructureRetries, 1);
}

TEST(Conditions, SayHowFarAFailedRunCame) {
  FakeCluster cluster;
  cluster.settle();
  cluster.run("prepare");
  cluster.settle();
  cluster.failWith("prepare", 20, "DockerfileInvalid", "Dockerfile:1:1: what");
  cluster.settle();
  EXPECT_EQ(cluster.condition("SourceFetched").status, Truth::kTrue);
  EXPECT_EQ(cluster.condition("Planned").status, Truth::kFalse);
  EXPECT_EQ(cluster.condition("Planned").reason, "DockerfileInvalid");
  EXPECT_EQ(cluster.condition("StagesSucceeded").reason, "Failed");
  EXPECT_EQ(cluster.condition("Pushed").reason, "Failed");
}

TEST(Prepare, WithSealedWordsIsJudgedWithoutItsLog) {
  FakeCluster cluster;
  cluster.settle();
  cluster.run("prepare");
  cluster.settle();
  cluster.failWith("prepare", 20, "DockerfileNotFound", "no Dockerfile");
  cluster.logs.clear();
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "DockerfileNotFound");
}

// ---- the API server refuses ----

CreateError refusal(int status, const std::string& reason, const std::string& message) {
  CreateError out;
  out.httpStatus = status;
  out.reason = reason;
  out.message = message;
  return out;
}

TEST(AdmissionDenied, CarriesTheServersMessage) {
  const CreateError cases[] = {
      refusal(403, "Forbidden",
              "pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\": ..."),
      refusal(400, "BadRequest", "admission webhook \"w\" denied the request: no"),
      refusal(422, "Invalid", "Pod \"x\" is invalid: spec: no")};
  for (const CreateError& error : cases) {
    FakeCluster cluster;
    const Decision decision = planBuild(cluster.build(), cluster.world(), cluster.now);
    cluster.refuse[decision.status.run->prepare.pod] = error;
    cluster.settle();
    EXPECT_EQ(cluster.ready().reason, "AdmissionDenied") << error.message;
    EXPECT_THAT(cluster.ready().message, HasSubstr(error.message));
    EXPECT_EQ(cluster.status().failure->class_, "Policy");
    EXPECT_THAT(cluster.pods, IsEmpty());
    EXPECT_THAT(cluster.claims, IsEmpty());
  }
}

TEST(QuotaExceeded, WaitsWithBackoffAndIsNotCharged) {
  FakeCluster cluster;
  const std::string pod =
      planBuild(cluster.build(), cluster.world(), cluster.now).status.run->prepare.pod;
  cluster.refuse[pod] =
      refusal(403, "Forbidden", "pods is forbidden: exceeded quota: q, used: pods=1");
  Decision decision = cluster.reconcile();
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "QuotaExceeded");
  EXPECT_EQ(cluster.ready().status, Truth::kUnknown);
  EXPECT_THAT(cluster.ready().message, HasSubstr("exceeded quota: q"));
  EXPECT_EQ(cluster.status().phase, "Queued");
  EXPECT_EQ(cluster.createErrors[pod].count, 1) << "not tried again before its time";
  decision = cluster.reconcile();
  EXPECT_EQ(decision.requeueAfter, Millis(10'000));
  cluster.pass(std::chrono::hours(3));
  cluster.settle();
  EXPECT_EQ(cluster.createErrors[pod].count, 2);
  cluster.refuse.clear();
  cluster.pass(seconds(61));
  cluster.settle();
  EXPECT_TRUE(cluster.has("prepare"));
  EXPECT_EQ(cluster.ready().reason, "Progressing");
  EXPECT_EQ(cluster.status().run->infrastructureRetries, 0);
}

TEST(QuotaExceeded, PublishGivesWayToTheOnlyStage) {
  FakeCluster cluster;
  cluster.toStages({{}, {0}});
  cluster.run("publish");
  cluster.run("0");
  cluster.settle();
  cluster.refuse[cluster.name("1")] = refusal(403, "Forbidden", "exceeded quota: pods=2");
  cluster.pods.erase(cluster.name("1"));
  cluster.bodies.erase(cluster.name("1"));  // as if it had been refused from the start
  cluster.settle();
  EXPECT_TRUE(cluster.has("publish")) << "stage 0 gets on";
  cluster.exit("0", 0);
  cluster.settle();
  EXPECT_TRUE(cluster.has("publish")) << "it may be a matter of a moment";
  cluster.pass(seconds(10));
  cluster.settle();
  EXPECT_FALSE(cluster.has("publish"));
  cluster.refuse.clear();
  cluster.pass(seconds(61));
  cluster.settle();
  EXPECT_TRUE(cluster.has("1"));
  cluster.run("1");
  cluster.settle();
  EXPECT_TRUE(cluster.has("publish", 2));
}

TEST(QuotaExceeded, OfTheClaim) {
  FakeCluster cluster;
  const std::string claim =
      planBuild(cluster.build(), cluster.world(), cluster.now).status.run->claim;
  cluster.refuse[claim] = refusal(403, "Forbidden", "exceeded quota: requests.storage=10Gi");
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "QuotaExceeded");
  cluster.refuse.clear();
  cluster.pass(seconds(11));
  cluster.settle();
  EXPECT_THAT(cluster.claims, SizeIs(1));
  EXPECT_EQ(cluster.ready().reason, "Progressing");
}

TEST(NameConflict, NamesTheObject) {
  FakeCluster cluster;
  const std::string pod =
      planBuild(cluster.build(), cluster.world(), cluster.now).status.run->prepare.pod;
  cluster.refuse[pod] = refusal(409, "AlreadyExists", "pods already exists");
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "NameConflict");
  EXPECT_THAT(cluster.ready().message, HasSubstr(pod));
}

TEST(CreateErrors, ThatPassAreTriedAgain) {
  const CreateError cases[] = {
      refusal(0, "", "connection refused"), refusal(500, "InternalError", "failed calling webhook"),
      refusal(429, "TooManyRequests", "slow down"),
      refusal(409, "Conflict", "Operation cannot be fulfilled on resourcequotas"),
      refusal(403, "Forbidden",
              "pods is forbidden: User \"system:serviceaccount:s:o\" cannot create resource \"pods\" "
              "in API group \"\" in the namespace \"a\""),
      refusal(403, "Forbidden",
              "error looking up service account a/default: serviceaccount \"default\" not found")};
  for (const CreateError& error : cases) {
    FakeCluster cluster;
    const std::string pod =
        planBuild(cluster.build(), cluster.world(), cluster.now).status.run->prepare.pod;
    cluster.refuse[pod] = error;
    cluster.settle();
    EXPECT_EQ(cluster.ready().status, Truth::kUnknown) << error.message;
    cluster.refuse.clear();
    cluster.pass(seconds(2));
    cluster.settle();
    EXPECT_TRUE(cluster.has("prepare")) << error.message;
  }
}

TEST(CreateErrors, InALeavingNamespaceStopQuietly) {
  FakeCluster cluster;
  const std::string pod =
      planBuild(cluster.build(), cluster.world(), cluster.now).status.run->prepare.pod;
  cluster.refuse[pod] =
      refusal(403, "Forbidden",
              "unable to create new content in namespace a because it is being terminated");
  cluster.settle();
  cluster.pass(std::chrono::hours(1));
  EXPECT_THAT(cluster.reconcile().actions, IsEmpty());
  EXPECT_EQ(cluster.ready().status, Truth::kUnknown);
}

// ---- spec that only a look at everything shows to be wrong ----

TEST(InvalidSpec, IsToldWithoutAPodWherePossible) {
  Json spec = testing::smallSpec();
  spec["output"] = {{"image", "registry.example/Shop:1"}};
  FakeCluster output(spec);
  output.settle();
  EXPECT_EQ(output.ready().reason, "InvalidSpec");
  EXPECT_THAT(output.ready().message, HasSubstr("spec.output.image"));
  EXPECT_THAT(output.creates, IsEmpty());

  spec = testing::smallSpec();
  for (int i = 0; i < 40; ++i) {
    spec["buildArgs"].push_back(
        {{"name", "A" + std::to_string(i)}, {"value", std::string(4096, 'x')}});
  }
  FakeCluster large(spec);
  large.settle();
  EXPECT_EQ(large.ready().reason, "InvalidSpec");
}

TEST(InvalidSpec, StagesThatContradictEachOtherOnOneNode) {
  Json spec = testing::smallSpec();
  spec["execution"]["stages"] = {{{"stage", "a"}, {"nodeSelector", {{"disk", "ssd"}}}},
                                 {{"stage", "b"}, {"nodeSelector", {{"disk", "hdd"}}}}};
  FakeCluster cluster(spec);
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "InvalidSpec");
  EXPECT_THAT(cluster.pods, IsEmpty());
  spec["workspace"]["accessMode"] = "ReadWriteMany";
  FakeCluster spread(spec);
  spread.settle();
  EXPECT_EQ(spread.ready().status, Truth::kUnknown) << "they may run on different nodes";
}

TEST(PolicyViolation, OfPodMetadataIsToldWithoutAPod) {
  Json spec = testing::smallSpec();
  spec["execution"]["podMetadata"]["labels"]["app.kubernetes.io/name"] = "web";
  FakeCluster cluster(spec);
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "PolicyViolation");
  EXPECT_EQ(cluster.status().failure->class_, "Policy");
  EXPECT_THAT(cluster.pods, IsEmpty());
}

TEST(InvalidSpec, StageSettingsForAStageThatIsNotBuilt) {
  Json spec = testing::smallSpec();
  spec["execution"]["stages"] = Json::array({{{"stage", "tset"}}});
  FakeCluster cluster(spec);
  cluster.toStages({{}, {}});
  EXPECT_EQ(cluster.ready().reason, "InvalidSpec");
  EXPECT_EQ(cluster.ready().message,
            "spec.execution.stages: no stage \"tset\" is built; these are: s0, s1");
  EXPECT_FALSE(cluster.has("0"));
}

TEST(BuildTimeout, SaysWhatWasNotFinished) {
  Json spec = testing::smallSpec();
  spec["timeout"] = "20m";
  FakeCluster cluster(spec);
  cluster.toStages({{}, {}});
  cluster.run("1");
  cluster.settle();
  const Decision decision = cluster.reconcile();
  ASSERT_TRUE(decision.requeueAfter);
  EXPECT_LE(*decision.requeueAfter, std::chrono::minutes(20));
  cluster.pass(seconds(1201));
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "BuildTimeout");
  EXPECT_EQ(cluster.ready().message,
            "the build took longer than 20m (spec.timeout); not finished: s0, s1");
}

TEST(Status, WrittenByAStrangerIsNotTrusted) {
  FakeCluster cluster;
  cluster.toStages({{}, {0}});
  Json status = cluster.statusJson();
  status["stages"][1]["dependsOn"] = {7};
  cluster.setStatus(status);
  cluster.settle();
  EXPECT_EQ(cluster.ready().reason, "InternalError");
}

}  // namespace
}  // namespace stagewright::lifecycle
