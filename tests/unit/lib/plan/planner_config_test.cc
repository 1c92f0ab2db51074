// Config, history and variables (reference sections 4.4, 5, 7.1 to 7.3, 9).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/lib/plan/plan_fixture.h"

namespace stagewright::plan {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* kPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

struct HistoryCase {
  std::string what;
  std::string text;  ///< after FROM scratch
  std::vector<std::string> history;
};

TEST(History, IsWordForWordAsBuildKitWritesIt) {  // section 9.1
  const std::vector<HistoryCase> cases = {
      {"run", "RUN echo  a   b", {"RUN /bin/sh -c echo  a   b # buildkit"}},
      {"run exec", "RUN [\"/a\", \"b c\"]", {"RUN /a b c # buildkit"}},
      {"run with arguments",
       "ARG a=v\nARG b\nARG a=w\nRUN x",
       {"-ARG a=v", "-ARG b", "-ARG a=w", "RUN |2 a=w b= /bin/sh -c x # buildkit"}},
      {"run shows what ENV made of an ARG",
       "ARG a=v\nENV a=e\nRUN x",
       {"-ARG a=v", "-ENV a=e", "RUN |1 a=e /bin/sh -c x # buildkit"}},
      {"run exec with arguments", "ARG a=v\nRUN [\"b\"]", {"-ARG a=v", "RUN |1 a=v b # buildkit"}},
      {"copy",
       "COPY --from=scratch --chown=1:2 --chmod=755 --link a b /d/",
       {"COPY --chown=1:2 --chmod=755 a b /d/ # buildkit"}},
      {"copy parents, exclude",
       "COPY --parents --exclude=*.o a/./b d",
       {"COPY --parents a/./b d # buildkit"}},
      {"copy expands", "ENV D=/x\nCOPY $D/a ${D}b/", {"-ENV D=/x", "COPY /x/a /xb/ # buildkit"}},
      {"copy heredoc", "COPY a <<F <<G /d/\n1\nF\n2\nG", {"COPY a <<F <<G /d/ # buildkit"}},
      {"add",
       "ADD --checksum=sha256:" + std::string(64, 'a') + " https://h/x /d",
       {"ADD https://h/x /d # buildkit"}},
      {"workdir",
       "WORKDIR /a/\nWORKDIR b\nWORKDIR /",
       {"WORKDIR /a/", "WORKDIR /a/b", "-WORKDIR /"}},
      {"env", "ENV k=v k2=\"v 2\"\nENV l legacy value", {"-ENV k=v k2=v 2", "-ENV l=legacy value"}},
      {"arg", "ARG k=v j", {"-ARG k=v j"}},
      {"label", "LABEL k=v \"a b\"=c", {"-LABEL k=v a b=c"}},
      {"cmd", "CMD x \"y\"", {"-CMD [\"/bin/sh\" \"-c\" \"x \\\"y\\\"\"]"}},
      {"cmd exec", "CMD [\"a\",\"b\"]\nCMD []", {"-CMD [\"a\" \"b\"]", "-CMD []"}},
      {"entrypoint", "ENTRYPOINT [\"x\", \"y\"]", {"-ENTRYPOINT [\"x\" \"y\"]"}},
      {"expose", "EXPOSE 80 53/UDP", {"-EXPOSE [53/udp 80/tcp]"}},
      {"volume", "VOLUME /a /b\nVOLUME [\"/c d\"]", {"-VOLUME [/a /b]", "-VOLUME [/c d]"}},
      {"user", "USER x:y", {"-USER x:y"}},
      {"stop signal", "STOPSIGNAL SIGINT", {"-STOPSIGNAL SIGINT"}},
      {"shell",
       "SHELL [\"/bin/bash\", \"-c\"]\nRUN x\nCMD y",
       {"-SHELL [/bin/bash -c]", "RUN /bin/bash -c x # buildkit",
        "-CMD [\"/bin/bash\" \"-c\" \"y\"]"}},
      {"healthcheck",
       "HEALTHCHECK --interval=5m CMD x",
       {"-HEALTHCHECK {Test:[CMD-SHELL x] Interval:5m0s Timeout:0s StartPeriod:0s StartInterval:0s "
        "Retries:0}"}},
      {"no healthcheck",
       "HEALTHCHECK NONE",
       {"-HEALTHCHECK {Test:[NONE] Interval:0s Timeout:0s StartPeriod:0s StartInterval:0s "
        "Retries:0}"}},
      {"maintainer", "MAINTAINER a b", {"-MAINTAINER a b"}},
      {"onbuild", "ONBUILD RUN x", {}},
      {"heredoc script", "RUN <<E\na\nb\nE", {"RUN /bin/sh -c a\nb\n # buildkit"}},
      {"heredoc with #!", "RUN <<E\n#!/bin/x\nb\nE", {"RUN /bin/sh -c /dev/pipes/E # buildkit"}},
      {"heredoc of the shell",
       "RUN cat <<E 3<<-F\na\nE\n\tb\nF",
       {"RUN /bin/sh -c cat <<E 3<<-F\na\nE\n\tb\nF # buildkit"}},
  };
  for (const HistoryCase& c : cases) {
    const auto plan = planOf("FROM scratch\n" + c.text + "\n");
    ASSERT_TRUE(plan) << c.what << ": " << plan.error().message;
    EXPECT_EQ(historyOf(*plan), c.history) << c.what;
    for (const oci::HistoryEntry& entry : targetOf(*plan).config.history) {
      EXPECT_EQ(entry.comment, "buildkit.dockerfile.v0");
    }
  }
}

TEST(Config, OfScratchHasThePathAndTheRoot) {  // section 9.3
  const auto plan = planOf("FROM scratch\nLABEL a=b\n");
  ASSERT_TRUE(plan);
  EXPECT_THAT(targetOf(*plan).config.env, ElementsAre(kPath));
  EXPECT_EQ(targetOf(*plan).config.workingDir, "/");
  EXPECT_EQ(targetOf(*plan).base.kind, Base::Kind::kScratch);
  EXPECT_EQ(rootImage(*plan, plan->target), "");
}

TEST(Config, TakesEffectAsSection91Says) {
  const auto plan = planOf(
      "FROM scratch\nENV A=1 B=2\nENV A=3\nLABEL l=1\nLABEL l=2\nUSER u\nVOLUME /v\nEXPOSE "
      "8000-8001 1:90/udp\n"
      "STOPSIGNAL 9\nSHELL [\"s\"]\nCMD c\nENTRYPOINT [\"e\"]\nMAINTAINER me\nONBUILD RUN x\n"
      "HEALTHCHECK --retries=2 --timeout=1s --start-period=2s --start-interval=3s CMD "
      "[\"h\"]\nWORKDIR w\n");
  ASSERT_TRUE(plan) << plan.error().message;
  const oci::ImageConfig& c = targetOf(*plan).config;
  EXPECT_THAT(c.env, ElementsAre(kPath, "A=3", "B=2"));
  EXPECT_EQ(c.labels, (std::map<std::string, std::string>{{"l", "2"}}));
  EXPECT_EQ(c.user, "u");
  EXPECT_THAT(c.volumes, ElementsAre("/v"));
  EXPECT_THAT(c.exposedPorts, ElementsAre("8000/tcp", "8001/tcp", "90/udp"));
  EXPECT_EQ(c.stopSignal, "9");
  EXPECT_THAT(c.shell, ElementsAre("s"));
  EXPECT_EQ(c.cmd, (std::vector<std::string>{"s", "c"}));
  EXPECT_EQ(c.entrypoint, (std::vector<std::string>{"e"}));
  EXPECT_TRUE(c.argsEscaped);
  EXPECT_EQ(c.author, "me");
  EXPECT_THAT(c.onBuild, ElementsAre("RUN x"));
  EXPECT_EQ(c.healthcheck,
            (oci::HealthConfig{{"CMD", "h"}, 0, 1000000000, 2000000000, 3000000000, 2}));
  EXPECT_EQ(c.workingDir, "/w");
  EXPECT_TRUE(c.created.empty());
}

struct CommandCase {
  std::string text;
  std::optional<std::vector<std::string>> cmd;
  std::optional<std::vector<std::string>> entrypoint;
};

TEST(Config, EntrypointClearsAnInheritedCmdOnly) {  // section 5.3, trap 40
  using List = std::vector<std::string>;
  const std::vector<CommandCase> cases = {
      {"FROM base\n", List{"inherited"}, List{"base"}},
      {"FROM base\nENTRYPOINT [\"e\"]\n", std::nullopt, List{"e"}},
      {"FROM base\nENTRYPOINT []\n", std::nullopt, std::nullopt},
      {"FROM base\nCMD [\"c\"]\nENTRYPOINT [\"e\"]\n", List{"c"}, List{"e"}},
      {"FROM base\nENTRYPOINT [\"e\"]\nCMD [\"c\"]\n", List{"c"}, List{"e"}},
      {"FROM base\nCMD []\nENTRYPOINT [\"e\"]\n", List{}, List{"e"}},
      {"FROM base\nCMD [\"c\"]\nFROM 0\n", List{"inherited"}, List{"base"}},
      {"FROM base AS a\nCMD [\"c\"]\nFROM a\nENTRYPOINT [\"e\"]\n", std::nullopt, List{"e"}},
      {"FROM base\nHEALTHCHECK NONE\n", List{"inherited"}, List{"base"}},
  };
  for (const CommandCase& c : cases) {
    oci::ImageConfig base;
    base.cmd = List{"inherited"};
    base.entrypoint = List{"base"};
    const auto plan = planOf(c.text, {.images = {{"base", base}, {"0", base}}});
    ASSERT_TRUE(plan) << c.text << plan.error().message;
    EXPECT_EQ(targetOf(*plan).config.cmd, c.cmd) << c.text;
    EXPECT_EQ(targetOf(*plan).config.entrypoint, c.entrypoint) << c.text;
  }
}

TEST(Config, InheritsFromTheBaseImage) {
  oci::ImageConfig base;
  base.author = "them";
  base.created = "2020-01-01T00:00:00Z";
  base.env = {"X=1", "PATH=/p", "Y=2"};
  base.workingDir = "/base";
  base.user = "app";
  base.labels = {{"a", "1"}};
  base.healthcheck = oci::HealthConfig{{"CMD", "x"}, 1, 2, 3, 4, 5};
  base.diffIds = {oci::Digest::ofBytes("1")};
  base.history = {{"2020-01-01T00:00:00Z", "theirs", "", "", false}, {"", "ENV X=1", "", "", true}};
  const auto plan = planOf("FROM base\nENV Y=3\nWORKDIR d\nRUN x\n", {.images = {{"base", base}}});
  ASSERT_TRUE(plan) << plan.error().message;
  const oci::ImageConfig& c = targetOf(*plan).config;
  EXPECT_THAT(c.env, ElementsAre("X=1", "PATH=/p", "Y=3"));
  EXPECT_EQ(c.workingDir, "/base/d");
  EXPECT_EQ(c.author, "them");
  EXPECT_TRUE(c.created.empty());
  EXPECT_EQ(c.labels, base.labels);
  EXPECT_EQ(c.healthcheck, base.healthcheck);
  EXPECT_EQ(c.diffIds, base.diffIds);
  EXPECT_THAT(historyOf(*plan), ElementsAre("theirs", "-ENV X=1", "-ENV Y=3", "WORKDIR /base/d",
                                            "RUN /bin/sh -c x # buildkit"));
  EXPECT_EQ(c.history[0].created, "2020-01-01T00:00:00Z");
  const auto& run = stepOf<RunStep>(*plan, 1);
  EXPECT_EQ(run.workdir, "/base/d");
  EXPECT_EQ(run.user, "app");
  EXPECT_THAT(run.env, ElementsAre("X=1", "PATH=/p", "Y=3"));
  EXPECT_EQ(stepOf<WorkdirStep>(*plan, 0).user, "app");
}

TEST(Config, MakesHistoryAndLayersOfTheBaseAgree) {  // section 9.2
  oci::ImageConfig base;
  base.diffIds = {oci::Digest::ofBytes("1"), oci::Digest::ofBytes("2")};
  base.history = {{"", "one", "", "", false}};
  auto plan = planOf("FROM base\n", {.images = {{"base", base}}});
  ASSERT_TRUE(plan);
  EXPECT_THAT(historyOf(*plan), ElementsAre("one", ""));
  base.history = {{"", "1", "", "", false}, {"", "2", "", "", false}, {"", "3", "", "", false}};
  plan = planOf("FROM base\nRUN x\n", {.images = {{"base", base}}});
  EXPECT_THAT(historyOf(*plan), ElementsAre("1", "2", "-3", "RUN /bin/sh -c x # buildkit"));
}

TEST(Config, OfAStageIsADeepCopy) {  // trap 39
  const auto plan = planOf(
      "FROM scratch AS a\nLABEL a=1\nFROM a AS b\nLABEL b=1\nFROM a AS c\nLABEL c=1\nFROM scratch\n"
      "COPY --from=b / /b\nCOPY --from=c / /c\n");
  ASSERT_TRUE(plan);
  using Labels = std::map<std::string, std::string>;
  EXPECT_EQ(plan->stages[0].config.labels, (Labels{{"a", "1"}}));
  EXPECT_EQ(plan->stages[1].config.labels, (Labels{{"a", "1"}, {"b", "1"}}));
  EXPECT_EQ(plan->stages[2].config.labels, (Labels{{"a", "1"}, {"c", "1"}}));
  EXPECT_EQ(plan->stages[2].config.history.size(), 2U);
}

TEST(Config, TakesLabelsOfTheRequestWithoutHistory) {
  const auto plan = planOf("FROM scratch\nLABEL a=1 b=1\n", {.labels = {{"b", "2"}, {"c", "3"}}});
  ASSERT_TRUE(plan);
  EXPECT_EQ(targetOf(*plan).config.labels,
            (std::map<std::string, std::string>{{"a", "1"}, {"b", "2"}, {"c", "3"}}));
  EXPECT_THAT(historyOf(*plan), ElementsAre("-LABEL a=1 b=1"));
}

TEST(Config, HasThePlatformOfTheTarget) {
  const auto plan = planOf("FROM scratch\n", {.platform = "linux/arm/v7"});
  ASSERT_TRUE(plan);
  EXPECT_EQ(targetOf(*plan).config.platform.str(), "linux/arm/v7");
}

/// The value of X that the last RUN sees, `(unset)` without one.
std::string valueOf(const std::string& text, const Given& given = {}) {
  const auto plan = planOf(text, given);
  if (!plan) {
    return plan.error().message;
  }
  const auto& run = std::get<RunStep>(targetOf(*plan).steps.back().action);
  for (const std::string& assignment : run.env) {
    if (assignment.compare(0, 2, "X=") == 0) {
      return assignment.substr(2);
    }
  }
  return "(unset)";
}

struct ValueCase {
  std::string what;
  std::string text;
  std::vector<std::pair<std::string, std::string>> args;
  std::string value;
};

TEST(Variables, FollowTheLastWriter) {  // sections 4.4, 5.6, 7.1; traps 32, 33
  const std::vector<ValueCase> cases = {
      {"default", "FROM scratch\nARG X=d\nRUN x\n", {}, "d"},
      {"given", "FROM scratch\nARG X=d\nRUN x\n", {{"X", "g"}}, "g"},
      {"given twice", "FROM scratch\nARG X\nRUN x\n", {{"X", "1"}, {"X", "2"}}, "2"},
      {"given empty", "FROM scratch\nARG X=d\nRUN x\n", {{"X", ""}}, ""},
      {"no value", "FROM scratch\nARG X\nRUN x\n", {}, "(unset)"},
      {"not declared", "FROM scratch\nRUN x\n", {{"X", "g"}}, "(unset)"},
      {"global, not declared", "ARG X=g\nFROM scratch\nRUN x\n", {}, "(unset)"},
      {"global, declared", "ARG X=g\nFROM scratch\nARG X\nRUN x\n", {}, "g"},
      {"global with default", "ARG X=g\nFROM scratch\nARG X=s\nRUN x\n", {}, "s"},
      {"global given", "ARG X=g\nFROM scratch\nARG X\nRUN x\n", {{"X", "a"}}, "a"},
      {"global chain", "ARG A=1\nARG X=$A-$A\nFROM scratch\nARG X\nRUN x\n", {{"A", "2"}}, "2-2"},
      {"within one ARG", "FROM scratch\nARG A=1 X=$A\nRUN x\n", {}, "1"},
      {"within one ENV", "FROM scratch\nENV A=0\nENV A=1 X=$A\nRUN x\n", {}, "0"},
      {"arg after env", "FROM scratch\nENV X=e\nARG X=a\nRUN x\n", {}, "a"},
      {"env after arg", "FROM scratch\nARG X=a\nENV X=e\nRUN x\n", {{"X", "g"}}, "e"},
      {"arg is inherited", "FROM scratch AS b\nARG X=a\nFROM b\nRUN x\n", {}, "a"},
      // What BuildKit does at the start of a stage: the image's variables are set again.
      {"env wins in the child", "FROM scratch AS b\nENV X=e\nARG X=a\nFROM b\nRUN x\n", {}, "e"},
      {"default uses earlier", "FROM scratch\nENV E=e\nARG X=${E:-n}${N:-n}\nRUN x\n", {}, "en"},
      {"quotes", "FROM scratch\nARG X='a b'\"c\"\nRUN x\n", {}, "a bc"},
      {"given is not expanded", "FROM scratch\nENV E=e\nARG X\nRUN x\n", {{"X", "$E"}}, "$E"},
      {"a default that fails does not count if given",
       "FROM scratch\nARG X=${A:?no}\nRUN x\n",
       {{"X", "g"}},
       "g"},
      {"platform", "FROM scratch\nARG TARGETARCH\nENV X=$TARGETARCH\nRUN x\n", {}, "arm64"},
      {"platform not declared", "FROM scratch\nENV X=$TARGETARCH\nRUN x\n", {}, ""},
      {"platform overridden",
       "FROM scratch\nARG TARGETOS\nENV X=$TARGETOS\nRUN x\n",
       {{"TARGETOS", "o"}},
       "o"},
      {"build platform",
       "FROM scratch\nARG BUILDPLATFORM\nENV X=$BUILDPLATFORM\nRUN x\n",
       {},
       "linux/amd64"},
      {"variant", "FROM scratch\nARG TARGETVARIANT\nENV X=v$TARGETVARIANT\nRUN x\n", {}, "v"},
      {"target stage",
       "FROM scratch AS Last\nARG TARGETSTAGE\nENV X=$TARGETSTAGE\nRUN x\n",
       {},
       "last"},
      {"target stage without a name",
       "FROM scratch\nARG TARGETSTAGE\nENV X=$TARGETSTAGE\nRUN x\n",
       {},
       "default"},
      {"epoch",
       "FROM scratch\nARG SOURCE_DATE_EPOCH\nENV X=$SOURCE_DATE_EPOCH\nRUN x\n",
       {{"SOURCE_DATE_EPOCH", "007"}},
       "7"},
      {"hidden",
       "FROM scratch\nARG BUILDKIT_SBOM_SCAN_STAGE=1\nENV X=v$BUILDKIT_SBOM_SCAN_STAGE\nRUN x\n",
       {},
       "v"},
  };
  for (const ValueCase& c : cases) {
    EXPECT_EQ(valueOf(c.text, {.args = c.args, .platform = "linux/arm64"}), c.value) << c.what;
  }
}

TEST(Variables, OfAnArgStayOutOfTheConfig) {
  const auto plan = planOf("FROM scratch\nENV X=e\nARG X=a\nARG Y=b\nRUN x\n");
  ASSERT_TRUE(plan);
  EXPECT_THAT(targetOf(*plan).config.env, ElementsAre(kPath, "X=e"));
}

TEST(Variables, OfProxiesReachRunAndNothingElse) {  // section 7.2, trap 50
  const Given given{.args = {{"http_proxy", "http://p"}}};
  const auto with = planOf("FROM scratch\nRUN x\nENV A=b$http_proxy\n", given);
  const auto without = planOf("FROM scratch\nRUN x\nENV A=b$http_proxy\n");
  ASSERT_TRUE(with && without);
  const auto& run = stepOf<RunStep>(*with, 0);
  EXPECT_THAT(run.env, ElementsAre(kPath, "HTTP_PROXY=http://p", "http_proxy=http://p"));
  EXPECT_EQ(targetOf(*with).steps[0].cacheKey, targetOf(*without).steps[0].cacheKey);
  EXPECT_EQ(historyOf(*with), historyOf(*without));
  EXPECT_THAT(historyOf(*with), ElementsAre("RUN /bin/sh -c x # buildkit", "-ENV A=b"));

  const auto declared = planOf("FROM scratch\nARG http_proxy\nRUN x\n", given);
  ASSERT_TRUE(declared);
  EXPECT_THAT(historyOf(*declared),
              ElementsAre("-ARG http_proxy=http://p",
                          "RUN |1 http_proxy=http://p /bin/sh -c x # buildkit"));
  EXPECT_NE(targetOf(*declared).steps[0].cacheKey, targetOf(*without).steps[0].cacheKey);
}

TEST(Variables, OfAProxyThatIsNoBuildArgumentCountNowhereEvenIfDeclared) {
  const std::string text = "FROM scratch\nARG http_proxy\nRUN x\nENV A=b$http_proxy\n";
  const auto with = planOf(
      text, {.proxies = {{"HTTP_PROXY", "http://p"}, {"NO_PROXY", "a"}, {"no_proxy", "a"}}});
  const auto without = planOf(text);
  ASSERT_TRUE(with && without);
  EXPECT_THAT(stepOf<RunStep>(*with, 0).env,
              ElementsAre(kPath, "HTTP_PROXY=http://p", "http_proxy=http://p", "NO_PROXY=a",
                          "no_proxy=a"));
  EXPECT_EQ(targetOf(*with).steps[0].cacheKey, targetOf(*without).steps[0].cacheKey);
  EXPECT_EQ(targetOf(*with).steps[0].ownKey, targetOf(*without).steps[0].ownKey);
  EXPECT_EQ(historyOf(*with), historyOf(*without));
  EXPECT_EQ(targetOf(*with).config.env, targetOf(*without).config.env);
}

TEST(Variables, OfACertificateReachRunAndNothingElse) {
  const std::string text =
      "FROM scratch AS a\nRUN x\nFROM scratch\nENV CURL_CA_BUNDLE=/mine\nCOPY --from=a /x /\nRUN y\n";
  const auto with = planOf(text, {.authorities = "/.stagewright/fetched/ca.crt"});
  const auto without = planOf(text);
  ASSERT_TRUE(with && without);
  EXPECT_THAT(std::get<RunStep>(with->stages[0].steps[0].action).env,
              ElementsAre(kPath, "SSL_CERT_FILE=/.stagewright/fetched/ca.crt",
                          "NODE_EXTRA_CA_CERTS=/.stagewright/fetched/ca.crt",
                          "REQUESTS_CA_BUNDLE=/.stagewright/fetched/ca.crt",
                          "GIT_SSL_CAINFO=/.stagewright/fetched/ca.crt",
                          "CURL_CA_BUNDLE=/.stagewright/fetched/ca.crt"));
  EXPECT_THAT(stepOf<RunStep>(*with, 1).env, ::testing::Contains("CURL_CA_BUNDLE=/mine"));
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(with->stages[i].steps.back().cacheKey, without->stages[i].steps.back().cacheKey);
    EXPECT_EQ(with->stages[i].config.env, without->stages[i].config.env);
  }
  EXPECT_EQ(historyOf(*with), historyOf(*without));
  const auto read = parsePlan(serializePlan(*with));
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->authorities);
  EXPECT_TRUE(summarize(*read, oci::Digest(), "").stages[0].usesFetched) << "it is mounted with what ADD names";
  EXPECT_FALSE(summarize(*without, oci::Digest(), "").stages[0].usesFetched);
}

TEST(Variables, OfAProxyGiveWayToBuildArgumentsAndEnv) {
  const auto argument = planOf("FROM scratch\nRUN x\n", {.args = {{"HTTP_PROXY", "http://mine"}},
                                                        .proxies = {{"http_proxy", "http://p"}}});
  const auto emptied = planOf("FROM scratch\nRUN x\n", {.args = {{"http_proxy", ""}},
                                                       .proxies = {{"HTTP_PROXY", "http://p"}}});
  const auto env = planOf("FROM scratch\nENV http_proxy=http://env\nRUN x\n",
                          {.proxies = {{"http_proxy", "http://p"}}});
  ASSERT_TRUE(argument && emptied && env);
  EXPECT_THAT(stepOf<RunStep>(*argument, 0).env,
              ElementsAre(kPath, "HTTP_PROXY=http://mine", "http_proxy=http://mine"));
  EXPECT_THAT(stepOf<RunStep>(*emptied, 0).env, ElementsAre(kPath));
  EXPECT_THAT(stepOf<RunStep>(*env, 0).env,
              ElementsAre(kPath, "http_proxy=http://env", "HTTP_PROXY=http://p"));
}

TEST(Variables, ThatDoubleEndInAnError) {
  std::string text = "FROM scratch\nENV A=" + std::string(1000, 'x') + "\n";
  for (int i = 0; i < 60; ++i) {
    text += "ENV A=$A$A\n";
  }
  EXPECT_THAT(errorOf(text), ::testing::HasSubstr("the value of \"A\" is longer than 1 MiB"));
  EXPECT_THAT(errorOf(text), ::testing::StartsWith("Dockerfile:"));
}

TEST(SourceDateEpoch, IsTheNumberOrNothing) {  // section 7.3
  const auto epochOf = [](const std::string& text,
                          std::vector<std::pair<std::string, std::string>> args) {
    const auto plan = planOf(text, {.args = std::move(args)});
    return plan ? (plan->sourceDateEpoch ? std::to_string(*plan->sourceDateEpoch) : "none")
                : plan.error().message;
  };
  EXPECT_EQ(epochOf("FROM scratch\n", {}), "none");
  EXPECT_EQ(epochOf("FROM scratch\n", {{"SOURCE_DATE_EPOCH", "0"}}), "0");
  EXPECT_EQ(epochOf("FROM scratch\n", {{"SOURCE_DATE_EPOCH", ""}}), "none");
  EXPECT_EQ(epochOf("ARG SOURCE_DATE_EPOCH=12\nFROM scratch\n", {}), "12");
  EXPECT_EQ(epochOf("ARG SOURCE_DATE_EPOCH\nFROM scratch\n", {}), "none");
  EXPECT_EQ(epochOf("FROM scratch\n", {{"SOURCE_DATE_EPOCH", "1e9"}}),
            "invalid SOURCE_DATE_EPOCH: 1e9");
  EXPECT_EQ(
      epochOf("FROM scratch\n", {{"SOURCE_DATE_EPOCH", "context"}}),
      "SOURCE_DATE_EPOCH=context is not supported yet: give the number of seconds since 1970");
}

TEST(Workdir, FollowsTheChain) {  // section 5.8, trap 31
  struct Case {
    std::string text;
    std::string config;
    std::string path;  ///< where steps run
  };
  const std::vector<Case> cases = {
      {"WORKDIR a\nWORKDIR b\n", "/a/b", "/a/b"},
      {"WORKDIR /a/../b/./c//\n", "/a/../b/./c//", "/b/c"},
      {"WORKDIR /a/../b/\nWORKDIR c/\n", "/b/c", "/b/c"},
      {"WORKDIR ../../x\n", "/x", "/x"},
      {"ENV D=/d\nWORKDIR $D/e\n", "/d/e", "/d/e"},
      {"WORKDIR /a\nWORKDIR /\n", "/", "/"},
      {"WORKDIR /a b\n", "/a b", "/a b"},
      {"WORKDIR \"/q\"\n", "/q", "/q"},
  };
  for (const Case& c : cases) {
    const auto plan = planOf("FROM scratch\n" + c.text + "RUN x\n");
    ASSERT_TRUE(plan) << c.text << plan.error().message;
    EXPECT_EQ(targetOf(*plan).config.workingDir, c.config) << c.text;
    EXPECT_EQ(std::get<RunStep>(targetOf(*plan).steps.back().action).workdir, c.path) << c.text;
  }
}

TEST(Workdir, OfARootMakesNoStep) {
  const auto plan = planOf("FROM scratch\nWORKDIR /\nWORKDIR /a\nUSER u\nWORKDIR /a\n");
  ASSERT_TRUE(plan);
  ASSERT_EQ(targetOf(*plan).steps.size(), 2U);
  EXPECT_EQ(stepOf<WorkdirStep>(*plan, 0).user, "");
  EXPECT_EQ(stepOf<WorkdirStep>(*plan, 1).user, "u");
}

TEST(Plan, OfAStageWithoutInstructionsIsItsBase) {
  const auto plan = planOf("FROM golang:1.22\n");
  ASSERT_TRUE(plan);
  EXPECT_THAT(targetOf(*plan).steps, IsEmpty());
  EXPECT_EQ(targetOf(*plan).base.name, "golang:1.22");
  EXPECT_THAT(historyOf(*plan), ElementsAre("base"));
}

}  // namespace
}  // namespace stagewright::plan
