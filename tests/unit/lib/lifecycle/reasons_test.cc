// Reasons of api.md that containers give: what shows each, what the build says meanwhile, how it ends.
#include <gmock/gmock.h>

#include "tests/unit/lib/lifecycle/fake_cluster.h"

namespace stagewright::lifecycle {
namespace {

using api::Truth;
using std::chrono::seconds;
using testing::FakeCluster;
using ::testing::HasSubstr;

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

}  // namespace
}  // namespace stagewright::lifecycle
