// RUN, COPY and ADD as steps; cache keys; feature gate; uses of the context (reference sections
// 3, 5.2, 6).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "lib/plan/context_use.h"
#include "lib/plan/supported.h"
#include "tests/unit/lib/plan/plan_fixture.h"

namespace stagewright::plan {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr const char* kStepsPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

Result<Mount> mountOf(const std::string& flag, const std::string& before = "WORKDIR /w\n") {
  TRY(const BuildPlan plan, planOf("FROM scratch\n" + before + "RUN --mount=" + flag + " x\n"));
  return std::get<RunStep>(targetOf(plan).steps.back().action).mounts.at(0);
}

TEST(RunMount, HasTheDefaultsOfItsType) {  // table of section 5.2
  auto m = mountOf("target=b");
  ASSERT_TRUE(m) << m.error().message;
  EXPECT_EQ(m->type, Mount::Type::kBind);
  EXPECT_EQ(m->target, "/w/b");
  EXPECT_EQ(m->source, ".");
  EXPECT_TRUE(m->readOnly);
  EXPECT_EQ(m->fromStage, -1);

  m = mountOf("type=bind,source=/a/../s/,dst=/d/,rw");
  ASSERT_TRUE(m) << m.error().message;
  EXPECT_EQ(m->source, "s");
  EXPECT_EQ(m->target, "/d");
  EXPECT_FALSE(m->readOnly);

  EXPECT_EQ(mountOf("type=bind")->target, "/w") << "an omitted target is the working directory";

  m = mountOf("type=cache,target=c/.");
  ASSERT_TRUE(m) << m.error().message;
  EXPECT_EQ(m->target, "/w/c");
  EXPECT_EQ(m->id, "c") << "the cleaned target as written";
  EXPECT_EQ(m->sharing, "shared");
  EXPECT_EQ(m->mode, 0755U);
  EXPECT_FALSE(m->readOnly);

  m = mountOf("type=cache,target=/c,id=i,sharing=locked,mode=0700,uid=5,gid=6");
  ASSERT_TRUE(m) << m.error().message;
  EXPECT_EQ(m->id, "i");
  EXPECT_EQ(m->sharing, "locked");
  EXPECT_EQ(m->mode, 0700U);
  EXPECT_EQ(m->uid, 5U);
  EXPECT_EQ(m->gid, 6U);

  m = mountOf("type=tmpfs,target=/t,size=2m");
  ASSERT_TRUE(m) << m.error().message;
  EXPECT_EQ(m->size, 2 << 20);

  m = mountOf("type=secret,id=dir/tok");
  ASSERT_TRUE(m) << m.error().message;
  EXPECT_EQ(m->target, "/run/secrets/tok");
  EXPECT_EQ(m->id, "dir/tok");
  EXPECT_EQ(m->mode, 0400U);
  EXPECT_FALSE(m->required);

  m = mountOf("type=secret,target=/etc/tok,required");
  ASSERT_TRUE(m) << m.error().message;
  EXPECT_EQ(m->id, "tok");
  EXPECT_TRUE(m->required);

  m = mountOf("type=secret,id=i,env=TOK");
  ASSERT_TRUE(m) << m.error().message;
  EXPECT_TRUE(m->envOnly);
  EXPECT_EQ(m->env, "TOK");
  EXPECT_EQ(m->target, "");

  m = mountOf("type=secret,id=i,env=TOK,target=/t");
  ASSERT_TRUE(m) << m.error().message;
  EXPECT_FALSE(m->envOnly);
  EXPECT_EQ(m->target, "/t");

  m = mountOf("type=ssh");
  ASSERT_TRUE(m) << m.error().message;
  EXPECT_EQ(m->id, "default");
  EXPECT_EQ(m->target, "/run/buildkit/ssh_agent.0");
  EXPECT_EQ(m->mode, 0600U);
}

TEST(RunMount, ValuesAreExpanded) {
  const auto m = mountOf("type=cache,id=$ID,target=$T", "ENV ID=i T=/x\n");
  ASSERT_TRUE(m) << m.error().message;
  EXPECT_EQ(m->id, "i");
  EXPECT_EQ(m->target, "/x");
}

TEST(RunMount, NamespacesCaches) {
  const auto plan = planOf("FROM scratch\nRUN --mount=type=cache,target=/c x\n",
                           {.args = {{"BUILDKIT_CACHE_MOUNT_NS", "ns"}}});
  ASSERT_TRUE(plan);
  EXPECT_EQ(stepOf<RunStep>(*plan, 0).mounts[0].id, "ns//c");
}

TEST(RunMount, OfSshSetsTheVariable) {
  const auto plan = planOf(
      "FROM scratch\nRUN --mount=type=ssh --mount=type=ssh,id=b x\nENV SSH_AUTH_SOCK=/s\n"
      "RUN --mount=type=ssh x\n");
  ASSERT_TRUE(plan);
  EXPECT_THAT(stepOf<RunStep>(*plan, 0).env, Contains("SSH_AUTH_SOCK=/run/buildkit/ssh_agent.0"));
  EXPECT_EQ(stepOf<RunStep>(*plan, 0).mounts[1].target, "/run/buildkit/ssh_agent.1");
  EXPECT_THAT(stepOf<RunStep>(*plan, 1).env, ElementsAre(kStepsPath, "SSH_AUTH_SOCK=/s"));
}

TEST(RunMount, MistakesAreThoseOfSection52) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"target=/", "invalid mount target \"/\""},
      {"type=bind,target=/t,uid=1", "uid not allowed for \"bind\" type mounts"},
      {"type=tmpfs,target=/t,mode=1", "mode not allowed for \"tmpfs\" type mounts"},
      {"type=secret,id=a,source=b", "both source and id can't be set"},
      {"type=secret", "invalid secret mount. one of source, target required"},
      {"type=ssh,source=/a", "ssh does not support source"},
      {"type=moon,target=/t", "unsupported mount type \"moon\""},
      {"type=secret,id=/", "secret id \"/\" names no file: give a target"},
  };
  for (const auto& [flag, message] : cases) {
    const auto m = mountOf(flag, "");
    ASSERT_FALSE(m) << flag;
    EXPECT_THAT(m.error().message, StartsWith("Dockerfile:2:")) << flag;
    EXPECT_NE(m.error().message.find(": " + message), std::string::npos)
        << flag << ": " << m.error().message;
  }
}

TEST(Run, HoldsAllThatTheProcessGets) {
  const auto plan = planOf(
      "FROM scratch\nENV A=1\nUSER u:g\nWORKDIR /w\nARG B=2\nRUN --network=none "
      "--security=insecure echo $A\n"
      "RUN --network=host [\"/x\", \"$A\"]\n");
  ASSERT_TRUE(plan) << plan.error().message;
  const auto& run = stepOf<RunStep>(*plan, 1);
  EXPECT_THAT(run.argv, ElementsAre("/bin/sh", "-c", "echo $A"));
  EXPECT_THAT(run.env, ElementsAre(kStepsPath, "A=1", "B=2"));
  EXPECT_EQ(run.user, "u:g");
  EXPECT_EQ(run.workdir, "/w");
  EXPECT_TRUE(run.networkNone);
  EXPECT_TRUE(run.insecure);
  EXPECT_FALSE(run.networkHost);
  EXPECT_THAT(stepOf<RunStep>(*plan, 2).argv, ElementsAre("/x", "$A"));
  EXPECT_TRUE(stepOf<RunStep>(*plan, 2).networkHost);
  EXPECT_EQ(targetOf(*plan).steps[1].line, 6);
  EXPECT_THAT(targetOf(*plan).steps[1].text, StartsWith("RUN "));
}

TEST(Run, TakesHereDocuments) {  // section 3.3, trap 51
  const auto plan = planOf(
      "FROM scratch\nRUN <<-\"E\"\n\ta $x\n\tE\nRUN <<F\n#!/usr/bin/env python\nprint()\nF\nRUN a "
      "<<G\nb\nG\n");
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_THAT(stepOf<RunStep>(*plan, 0).argv, ElementsAre("/bin/sh", "-c", "a $x\n"));
  EXPECT_THAT(stepOf<RunStep>(*plan, 1).argv, ElementsAre("/bin/sh", "-c", "/dev/pipes/F"));
  ASSERT_EQ(stepOf<RunStep>(*plan, 1).pipes.size(), 1U);
  EXPECT_EQ(stepOf<RunStep>(*plan, 1).pipes[0].name, "F");
  EXPECT_EQ(stepOf<RunStep>(*plan, 1).pipes[0].content, "#!/usr/bin/env python\nprint()\n");
  EXPECT_THAT(stepOf<RunStep>(*plan, 2).argv, ElementsAre("/bin/sh", "-c", "a <<G\nb\nG"));
}

TEST(Run, RefusesWhatNoProcessCanGet) {
  EXPECT_THAT(errorOf(std::string("FROM scratch\nRUN a\0b\n", 21)),
              StartsWith("Dockerfile:2:1: the command or its"));
  EXPECT_THAT(errorOf("FROM scratch\nRUN a\xff\n"),
              StartsWith("Dockerfile:2:1: the command or its environment is not valid UTF-8"));
}

struct PathCase {
  std::string text;
  std::string source;
  std::string destination;
};

TEST(Copy, HasCleanPaths) {  // sections 6.1, 6.2, 6.9; traps 3, 6, 7
  const std::vector<PathCase> cases = {
      {"COPY a /b", "a", "/b"},
      {"COPY /a/ b/", "a", "/w/b/"},
      {"COPY ../../etc/passwd .", "etc/passwd", "/w/"},
      {"COPY . .", ".", "/w/"},
      {"COPY ./ ./", ".", "/w/"},
      {"COPY / /", ".", "/"},
      {"COPY a /b/.", "a", "/b/"},
      {"COPY a /b/..", "a", "/"},
      {"COPY a ../../../c", "a", "/c"},
      {"COPY a*/b? /c", "a*/b?", "/c"},
      {"COPY [\"a b\", \"\"]", "a b", "/w/"},
      {"COPY --parents a/./b/**/c /d/", "a/./b/**/c", "/d/"},
      {"COPY --parents ./a/./../b /d/", "a/./b", "/d/"},
      {"COPY --parents /./b /d/", "b", "/d/"},
      {"COPY a/./b /d/", "a/b", "/d/"},
      {"ADD a /b", "a", "/b"},
      {"ADD github.com/a/b.git /b", "github.com/a/b.git", "/b"},
  };
  for (const PathCase& c : cases) {
    const auto plan = planOf("FROM scratch\nWORKDIR /w\n" + c.text + "\n");
    ASSERT_TRUE(plan) << c.text << ": " << plan.error().message;
    const auto& copy = stepOf<CopyStep>(*plan, 1);
    EXPECT_EQ(copy.sources.at(0).path, c.source) << c.text;
    EXPECT_EQ(copy.sources.at(0).from, CopySource::From::kContext) << c.text;
    EXPECT_EQ(copy.destination, c.destination) << c.text;
    const auto read = parsePlan(serializePlan(*plan));
    EXPECT_TRUE(read) << c.text << ": " << read.error().message;
  }
}

TEST(Copy, KeepsItsFlags) {
  const auto plan = planOf(
      "FROM a AS s\nFROM scratch\nENV M=755 O=u:g\n"
      "COPY --from=s --chown=$O --chmod=$M --link --parents --exclude=*.o --exclude=!a.o x/./y z "
      "/d/\n"
      "COPY --link q /q\nADD --unpack=false r /r\n");
  ASSERT_TRUE(plan) << plan.error().message;
  const auto& copy = stepOf<CopyStep>(*plan, 0);
  EXPECT_EQ(copy.chown, "u:g");
  EXPECT_EQ(copy.chmod, "755");
  EXPECT_FALSE(copy.link) << "with --chmod it is an ordinary copy (section 6.8)";
  EXPECT_TRUE(copy.parents);
  EXPECT_THAT(copy.excludes, ElementsAre("*.o", "!a.o"));
  EXPECT_EQ(copy.sources[0].path, "/x/./y");
  EXPECT_EQ(plan->stages[0].exports[0].path, "/x/y");
  EXPECT_TRUE(stepOf<CopyStep>(*plan, 1).link);
  EXPECT_FALSE(copy.unpack);
  EXPECT_EQ(stepOf<CopyStep>(*plan, 2).unpack, false);
  EXPECT_TRUE(stepOf<CopyStep>(*plan, 2).isAdd);
}

TEST(Copy, ExpandsHereDocumentsUnlessQuoted) {  // section 3.2, trap 51
  const auto plan = planOf(
      "FROM scratch\nENV x=1\nCOPY <<a <<\"b\" <<-c /d/\n$x ${y:-2} \\$x "
      "\"q\"\na\n$x\nb\n\t\t$x\nc\n");
  ASSERT_TRUE(plan) << plan.error().message;
  const auto& copy = stepOf<CopyStep>(*plan, 0);
  ASSERT_EQ(copy.sources.size(), 3U);
  EXPECT_EQ(copy.sources[0].path, "a");
  EXPECT_EQ(copy.sources[0].content, "1 2 $x \"q\"\n");
  EXPECT_EQ(copy.sources[1].content, "$x\n");
  EXPECT_EQ(copy.sources[2].content, "1\n");
  EXPECT_FALSE(targetOf(*plan).usesContext);
}

TEST(Add, FetchesUrlsAndRepositories) {  // sections 6.12, 6.13; trap 45
  const auto plan =
      planOf("FROM scratch\nARG V=2\nADD --checksum=sha256:" + std::string(64, 'a') +
             " https://h/a/f-$V.tgz?x=1#y /d/\n"
             "ADD --keep-git-dir https://h/r.git#v1:sub/dir git@h:o/r.git https://h/ /e/\n"
             "ADD https://h/r.git?branch=main&submodules=0&commit=abc&mtime=commit /f/\n");
  ASSERT_TRUE(plan) << plan.error().message;
  ASSERT_EQ(plan->fetches.size(), 5U);
  EXPECT_EQ(plan->fetches[0].url, "https://h/a/f-2.tgz?x=1#y");
  EXPECT_EQ(plan->fetches[0].checksum, "sha256:" + std::string(64, 'a'));
  EXPECT_EQ(plan->fetches[0].line, 3);
  EXPECT_FALSE(plan->fetches[0].git);
  EXPECT_EQ(stepOf<CopyStep>(*plan, 0).sources[0].path, "f-2.tgz");
  EXPECT_EQ(stepOf<CopyStep>(*plan, 0).sources[0].from, CopySource::From::kFetched);
  EXPECT_TRUE(plan->fetches[1].git);
  EXPECT_TRUE(plan->fetches[1].keepGitDir);
  EXPECT_EQ(plan->fetches[1].remote, "https://h/r.git");
  EXPECT_EQ(plan->fetches[1].ref, "v1");
  EXPECT_EQ(plan->fetches[1].subdir, "sub/dir");
  EXPECT_EQ(plan->fetches[2].remote, "git@h:o/r.git");
  EXPECT_EQ(stepOf<CopyStep>(*plan, 1).sources[1].fetchIndex, 2);
  EXPECT_EQ(stepOf<CopyStep>(*plan, 1).sources[2].path, "__unnamed__");
  EXPECT_EQ(plan->fetches[4].ref, "refs/heads/main");
  EXPECT_EQ(plan->fetches[4].checksum, "abc");
  EXPECT_FALSE(plan->fetches[4].submodules);
  EXPECT_TRUE(plan->fetches[4].commitTime);
  EXPECT_FALSE(plan->fetches[1].commitTime);
  EXPECT_FALSE(targetOf(*plan).usesContext);
  EXPECT_TRUE(parsePlan(serializePlan(*plan)));
}

TEST(CopyAndAdd, MistakesSayWhereAndWhat) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"COPY https://h/x /", "Dockerfile:2:6: source can't be a URL for COPY"},
      {"COPY https://h/x.git /", "Dockerfile:2:6: source can't be a git ref for COPY"},
      {"COPY git@h:x /", "Dockerfile:2:6: source can't be a git ref for COPY"},
      {"ADD --checksum=sha256:" + std::string(64, 'a') + " a b /",
       "Dockerfile:2:5: checksum can't be specified for multiple sources"},
      {"ADD --checksum=sha256:" + std::string(64, 'a') + " a /",
       "Dockerfile:2:5: checksum requires HTTP(S) or Git sources"},
      {"ADD --checksum=md5:1 https://h/x /",
       "Dockerfile:2:5: unsupported digest algorithm \"md5\""},
      {"COPY --parents a/./ /d/",
       "Dockerfile:2:16: failed to calculate checksum of ref: \"/a\": not found"},
      {"COPY --parents . /d/",
       "Dockerfile:2:16: failed to calculate checksum of ref: \"/\": not found"},
      {"COPY --from=$X a /",
       "Dockerfile:2:6: variable expansion is not supported for --from, define a new stage"},
      {"COPY --link --chown=app a /",
       "Dockerfile:2:13: --chown=app: user and group names can't be resolved when used with --link"},
      {"COPY --chmod=08888 a /",
       "Dockerfile:2:6: invalid chmod parameter: '08888'. it should be octal string and "
       "between 0 and 07777"},
      {"ADD --keep-git-dir=false https://h/x.git?keep-git-dir=1 /",
       "Dockerfile:2:5: inconsistent keep-git-dir configuration"},
      {"ADD --checksum=a https://h/x.git?checksum=b /",
       "Dockerfile:2:5: checksum mismatch \"a\" != \"b\""},
      {"ADD https://h/x.git?bogus=1 /", "Dockerfile:2:5: unexpected query \"bogus\""},
      {"ADD https://h/x.git?ref= /", "Dockerfile:2:5: query \"ref\" has no value"},
      {"ADD https://h/x.git?ref=a&ref=b /", "Dockerfile:2:5: query \"ref\" has multiple values"},
      {"ADD https://h/x.git?ref=a#b /", "Dockerfile:2:5: ref conflicts: \"b\" vs \"a\""},
      {"ADD https://h/x.git?subdir=a#b:c /", "Dockerfile:2:5: subdir conflicts: \"c\" vs \"a\""},
      {"ADD https://h/x.git?tag=a&branch=b /", "Dockerfile:2:5: branch conflicts with tag"},
      {"ADD https://h/x.git?submodules=maybe /",
       "Dockerfile:2:5: invalid submodules value: \"maybe\""},
      {"COPY <<a/b /d/\nx\na/b",
       "Dockerfile:2:1: here-document \"a/b\" needs a name that a file can have"},
      {"VOLUME [\"$X\"]", "Dockerfile:2:1: VOLUME specified can not be an empty string"},
      {"STOPSIGNAL SIGNO", "Dockerfile:2:1: invalid signal: SIGNO"},
      {"EXPOSE 99999", "Dockerfile:2:1: invalid containerPort: 99999"},
      {"ENV A=${B:?no}", "Dockerfile:2:1: failed to process \"${B:?no}\": B: no"},
      {"ARG A=${B:?no}", "Dockerfile:2:1: failed to process \"${B:?no}\": B: no"},
  };
  for (const auto& [text, message] : cases) {
    const auto plan = planOf("FROM scratch\n" + text + "\n");
    ASSERT_FALSE(plan) << text;
    EXPECT_THAT(plan.error().message, StartsWith(message)) << text;
    EXPECT_TRUE(plan.error().where);
  }
}

TEST(UnusedStages, MayHoldWhatCannotBeBuilt) {  // trap 42
  EXPECT_EQ(
      errorOf("FROM a AS u\nCOPY https://h/x /\nENV A=${B:?no}\nSTOPSIGNAL SIGNO\nFROM scratch\n"),
      "(no error)");
}

std::string keyOf(const std::string& text, const Given& given = {}) {
  const auto plan = planOf(text, given);
  return plan ? targetOf(*plan).steps.back().cacheKey : plan.error().message;
}

TEST(CacheKey, ChangesWithWhatAStepDependsOn) {  // trap 49
  const std::string base = "FROM a\nRUN x\n";
  std::set<std::string> keys = {keyOf(base)};
  EXPECT_EQ(keys.begin()->size(), 64U);
  const std::vector<std::string> others = {
      "FROM b\nRUN x\n",
      "FROM scratch\nRUN x\n",
      "FROM a\nRUN y\n",
      "FROM a\nRUN [\"/bin/sh\", \"-c\", \"x\", \"\"]\n",
      "FROM a\nENV A=1\nRUN x\n",
      "FROM a\nENV A=1 B=\nRUN x\n",
      "FROM a\nARG C=1\nRUN x\n",
      "FROM a\nUSER u\nRUN x\n",
      "FROM a\nWORKDIR /w\nRUN x\n",
      "FROM a\nRUN y\nRUN x\n",
      "FROM a\nSHELL [\"/bin/bash\", \"-c\"]\nRUN x\n",
      "FROM a\nRUN --network=none x\n",
      "FROM a\nRUN --mount=target=/m x\n",
      "FROM a\nRUN --mount=target=/m,rw x\n",
      "FROM a\nRUN --mount=target=/m,source=s x\n",
      "FROM a\nRUN --mount=target=/m,from=i x\n",
      "FROM a\nRUN --mount=target=/m,from=j x\n",
      "FROM a\nRUN --mount=type=cache,target=/m x\n",
      "FROM a\nRUN --mount=type=secret,id=m x\n",
      "FROM a\nRUN --mount=type=secret,id=m,required x\n",
      "FROM a\nRUN <<x\n#!1\nx\n",
      "FROM a\nRUN <<x\n#!2\nx\n",
      "FROM a\nCOPY a b /\n",
      "FROM a\nCOPY [\"a b\", \"/\"]\n",
      "FROM a\nADD a b /\n",
      "FROM a\nCOPY a b /d\n",
      "FROM a\nCOPY a b /d/\n",
      "FROM a\nCOPY --chown=1 a b /\n",
      "FROM a\nCOPY --chmod=1 a b /\n",
      "FROM a\nCOPY --link a b /\n",
      "FROM a\nCOPY --parents a b /\n",
      "FROM a\nCOPY --exclude=x a b /\n",
      "FROM a\nCOPY --exclude=x --exclude=y a b /\n",
      "FROM a\nCOPY --from=i a b /\n",
      "FROM a\nCOPY --from=j a b /\n",
      "FROM i AS s\nRUN z\nFROM a\nCOPY --from=s a b /\n",
      "FROM a\nCOPY <<f /\n1\nf\n",
      "FROM a\nCOPY <<f /\n2\nf\n",
      "FROM a\nADD https://h/a /\n",
      "FROM a\nADD https://h/b /\n",
      "FROM a\nADD --unpack=true a b /\n",
      "FROM a\nWORKDIR /w\n",
      "FROM a\nWORKDIR /v\n",
      "FROM a\nUSER u\nWORKDIR /w\n",
  };
  for (const std::string& text : others) {
    const std::string key = keyOf(text);
    EXPECT_EQ(key.size(), 64U) << text << key;
    EXPECT_TRUE(keys.insert(key).second) << text;
  }
}

TEST(CacheKey, DoesNotChangeWithWhatDoesNotMatter) {
  const std::string key = keyOf("FROM a\nCOPY x /\n");
  EXPECT_EQ(
      keyOf("# comment\nFROM a AS named\n\nLABEL l=1\nEXPOSE 80\nCMD z\nENV A=1\nCOPY ./x /\n"),
      key);
  EXPECT_EQ(keyOf("FROM u AS unused\nFROM a\nCOPY x /\n"), key);
  EXPECT_EQ(keyOf("FROM a\nARG UNRELATED=1\nCOPY x /\n"), key) << "only RUN sees every argument";
  EXPECT_EQ(keyOf("FROM a AS p\nFROM p\nCOPY x /\n"), key);
  EXPECT_EQ(keyOf("FROM a\nRUN x\n", {.args = {{"NOT_DECLARED", "1"}}}), keyOf("FROM a\nRUN x\n"));
}

TEST(RefuseUnsupported, PointsAtTheFirstThingThatIsLacking) {
  struct Case {
    std::string text;
    std::function<void(Supported&)> change;
    std::string message;
  };
  const std::vector<Case> cases = {
      {"RUN --mount=target=/m x", [](Supported& s) { s.bindMounts = false; },
       "Dockerfile:3:5: RUN --mount=type=bind is not supported yet\n  3 | RUN --mount=target=/m "
       "x\n    |     ^"},
      {"RUN --mount=type=cache,target=/m x", [](Supported& s) { s.cacheMounts = false; },
       "Dockerfile:3:5: RUN --mount=type=cache is not supported yet"},
      {"RUN --mount=type=tmpfs,target=/m x", [](Supported& s) { s.tmpfsMounts = false; },
       "Dockerfile:3:5: RUN --mount=type=tmpfs is not supported yet"},
      {"RUN --mount=type=secret,id=m x", [](Supported& s) { s.secretMounts = false; },
       "Dockerfile:3:5: RUN --mount=type=secret is not supported yet"},
      {"RUN --mount=type=ssh x", [](Supported& s) { s.sshMounts = false; },
       "Dockerfile:3:5: RUN --mount=type=ssh is not supported yet"},
      {"RUN <<E\n#!x\nE", [](Supported& s) { s.heredocs = false; },
       "Dockerfile:3:5: a here-document with #! is not supported yet"},
      {"COPY <<E /\nx\nE", [](Supported& s) { s.heredocs = false; },
       "Dockerfile:3:6: a here-document is not supported yet"},
      {"COPY --link a /", [](Supported& s) { s.link = false; },
       "Dockerfile:3:6: COPY --link is not supported yet"},
      {"COPY --parents a /", [](Supported& s) { s.parents = false; },
       "Dockerfile:3:6: COPY --parents is not supported yet"},
      {"ADD --exclude=x a /", [](Supported& s) { s.exclude = false; },
       "Dockerfile:3:5: ADD --exclude is not supported yet"},
      {"COPY --chmod=u=r a /", [](Supported& s) { s.symbolicChmod = false; },
       "Dockerfile:3:6: a symbolic COPY --chmod is not supported yet"},
      {"ADD --unpack a /", [](Supported& s) { s.unpackFlag = false; },
       "Dockerfile:3:5: ADD --unpack is not supported yet"},
      {"ADD https://h/x /", [](Supported& s) { s.addUrl = false; },
       "Dockerfile:3:5: ADD of a URL is not supported yet"},
      {"ADD https://h/x.git /", [](Supported& s) { s.addGit = false; },
       "Dockerfile:3:5: ADD of a git repository is not supported yet"},
      {"RUN --network=none x", [](Supported& s) { s.networkNone = false; },
       "Dockerfile:3:5: RUN --network=none is not supported yet"},
      {"RUN --network=host x", [](Supported&) {},
       "Dockerfile:3:5: RUN --network=host is not supported yet"},
      {"RUN --security=insecure x", [](Supported&) {},
       "Dockerfile:3:5: RUN --security=insecure is not supported yet"},
  };
  for (const Case& c : cases) {
    const auto input = makeInput("FROM scratch\nRUN fine\n" + c.text + "\n");
    ASSERT_TRUE(input) << c.text;
    const auto plan = planBuild(*input, {});
    ASSERT_TRUE(plan) << plan.error().message;
    Supported supported;
    c.change(supported);
    const Status status = refuseUnsupported(*input, *plan, supported);
    ASSERT_FALSE(status) << c.text;
    EXPECT_THAT(status.error().message, StartsWith(c.message));
    EXPECT_EQ(status.error().code, Code::kInvalid);
  }
}

TEST(RefuseUnsupported, LooksAtWhatTheTargetNeeds) {
  const auto input = makeInput("FROM scratch AS u\nRUN --network=host x\nFROM scratch\nRUN x\n");
  ASSERT_TRUE(input);
  EXPECT_TRUE(refuseUnsupported(*input, *planBuild(*input, {}), {}));
}

TEST(ContextUses, AreThePathsOfCopiesAndMounts) {
  const auto plan = planOf(
      "FROM scratch AS u\nCOPY unused /\nFROM scratch\nCOPY go.mod b/*.go /\nADD go.mod /\n"
      "COPY --parents d/./**/*.c /\nRUN --mount=target=/m,source=e[1] x\nCOPY --from=i f /\nCOPY "
      "<<g /\ng\nADD "
      "https://h/i /\n");
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(contextUses(*plan), (std::vector<ContextUse>{{"b/*.go", true, false},
                                                         {"d/**/*.c", true, true},
                                                         {"e[1]", false, false},
                                                         {"go.mod", false, false}}));
  EXPECT_EQ(contextUses(*planOf("FROM scratch\nCOPY a /\nCOPY . /\n")),
            (std::vector<ContextUse>{{".", false, false}}));
  EXPECT_THAT(contextUses(*planOf("FROM scratch\nRUN x\n")), IsEmpty());
  EXPECT_EQ(contextUses(*planOf("FROM scratch\nCOPY --from=docs a /\n",
                                {.contexts = {{"docs", NamedContext::Kind::kDirectory, ""}}}),
                        "docs"),
            (std::vector<ContextUse>{{"a", false, false}}));
}

}  // namespace
}  // namespace stagewright::plan
