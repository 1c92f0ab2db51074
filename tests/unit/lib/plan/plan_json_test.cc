#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "lib/plan/plan.h"
#include "lib/plan/summary.h"

namespace stagewright::plan {
namespace {

const std::string kKey(64, 'a');
const std::string kPinned = "docker.io/library/golang@sha256:" + std::string(64, 'b');

Stage makeBuilder() {
  Stage out;
  out.index = 0;
  out.name = "builder";
  out.line = 1;
  out.base.kind = Base::Kind::kImage;
  out.base.name = "golang:1.22";
  out.base.reference = kPinned;
  out.base.layers = {
      {std::string(oci::kMediaLayerGzip), oci::Digest::ofBytes("l"), 3, std::nullopt, {}}};
  out.base.diffIds = {oci::Digest::ofBytes("d")};
  RunStep run;
  run.argv = {"/bin/sh", "-c", "go build"};
  run.env = {"PATH=/bin"};
  run.workdir = "/src";
  run.user = "app";
  Mount bind;
  bind.target = "/src/x";
  bind.source = ".";
  bind.readOnly = true;
  Mount secret;
  secret.type = Mount::Type::kSecret;
  secret.id = "token";
  secret.env = "TOKEN";
  secret.envOnly = true;
  secret.mode = 0400;
  secret.uid = 4294967295U;
  Mount tmpfs;
  tmpfs.type = Mount::Type::kTmpfs;
  tmpfs.target = "/t";
  tmpfs.size = 1 << 20;
  run.mounts = {bind, secret, tmpfs};
  run.pipes = {{"EOF", std::string("#!/bin/sh\n\xff\0", 12)}};
  run.networkNone = true;
  run.insecure = true;
  out.steps = {{"RUN go build", 2, kKey, run}, {"WORKDIR /a", 3, kKey, WorkdirStep{"/a", "app"}}};
  out.exports = {{"/out/*"}, {"/"}};
  out.usesContext = true;
  out.config.env = {"PATH=/bin"};
  out.config.diffIds = out.base.diffIds;
  return out;
}

Stage makeTarget() {
  Stage out;
  out.index = 1;
  out.name = "1";
  out.line = 5;
  out.dependsOn = {0};
  CopyStep copy;
  copy.isAdd = true;
  copy.destination = "/d/";
  copy.chown = "1:2";
  copy.chmod = "u=rwX";
  copy.link = true;
  copy.excludes = {"**/*.o"};
  copy.unpack = false;
  CopySource stage;
  stage.from = CopySource::From::kStage;
  stage.path = "/out/*";
  stage.stage = 0;
  stage.exportIndex = 0;
  CopySource text;
  text.from = CopySource::From::kInline;
  text.path = "EOF";
  text.content = std::string("\0\xff", 2);
  CopySource fetched;
  fetched.from = CopySource::From::kFetched;
  fetched.path = "x.tar";
  fetched.fetchIndex = 0;
  CopySource named;
  named.from = CopySource::From::kNamedContext;
  named.context = "docs";
  named.path = "a/b";
  copy.sources = {stage, text, fetched, named};
  out.steps = {{"ADD x", 6, "", copy}};
  return out;
}

BuildPlan makePlan() {
  BuildPlan out;
  out.platform = {"linux", "arm", "v7"};
  out.target = 1;
  out.stages = {makeBuilder(), makeTarget()};
  out.fetches = {{"https://h/x.tar", "sha256:" + kKey, false, true, 6, "r", "main", "d", false}};
  out.warnings = {
      {"UndefinedVar", 3, "Usage of undefined variable '$x'", "docs/checks.md#undefined-var"}};
  out.sourceDateEpoch = 0;
  return out;
}

TEST(Plan, RoundTripsToTheSameBytes) {
  const std::string text = serializePlan(makePlan());
  const auto read = parsePlan(text);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(serializePlan(*read), text);
  ASSERT_EQ(read->stages.size(), 2U);
  const auto& run = std::get<RunStep>(read->stages[0].steps[0].action);
  EXPECT_EQ(run.pipes[0].content, std::string("#!/bin/sh\n\xff\0", 12));
  EXPECT_EQ(run.mounts[1].mode, 0400U);
  EXPECT_EQ(run.mounts[1].uid, 4294967295U);
  EXPECT_FALSE(run.mounts[0].mode);
  const auto& copy = std::get<CopyStep>(read->stages[1].steps[0].action);
  EXPECT_EQ(copy.sources[1].content, std::string("\0\xff", 2));
  EXPECT_EQ(copy.unpack, false);
  EXPECT_EQ(read->sourceDateEpoch, 0);
  EXPECT_EQ(read->stages[0].base.layers, makePlan().stages[0].base.layers);
}

TEST(Plan, SaysThatItIsOneLine) {
  EXPECT_EQ(serializePlan(makePlan()).find('\n'), std::string::npos);
}

struct Hostile {
  std::string what;
  std::function<void(Json&)> change;
  std::string message;
};

std::vector<Hostile> hostileIndexes() {
  return {
      {"version", [](Json& p) { p["version"] = 2; }, "plan version 2 is not known to this builder"},
      {"no version", [](Json& p) { p.erase("version"); }, "version: required, but missing"},
      {"no stages", [](Json& p) { p["stages"] = Json::array(); }, "stages: expected 1 to 64"},
      {"target", [](Json& p) { p["target"] = 2; }, "target: 2 is not within 0 and 1"},
      {"negative", [](Json& p) { p["target"] = -1; }, "target: -1 is not within 0 and 1"},
      {"index", [](Json& p) { p["stages"][1]["index"] = 0; },
       "stages[1]: index is not its position"},
      {"cycle", [](Json& p) { p["stages"][0]["dependsOn"] = {1}; },
       "stages[0]: dependsOn must ascend and name earlier stages"},
      {"itself", [](Json& p) { p["stages"][0]["dependsOn"] = {0}; },
       "stages[0]: dependsOn must ascend and name earlier stages"},
      {"negative edge", [](Json& p) { p["stages"][1]["dependsOn"] = {-1}; },
       "stages[1]: dependsOn must ascend and name earlier stages"},
      {"twice",
       [](Json& p) {
         p["stages"][1]["dependsOn"] = {0, 0};
       },
       "stages[1]: dependsOn must ascend and name earlier stages"},
      {"huge edge", [](Json& p) { p["stages"][1]["dependsOn"] = {1e18}; },
       "stages[1].dependsOn[0]: expected a small integer"},
      {"base",
       [](Json& p) {
         p["stages"][0]["base"] = {{"kind", "stage"}, {"stage", 7}};
       },
       "stages[0]: its base is not among dependsOn"},
      {"no edge", [](Json& p) { p["stages"][1]["dependsOn"] = Json::array(); },
       "stages[1]: steps[0] refers to what is not there"},
      {"export",
       [](Json& p) { p["stages"][1]["steps"][0]["copy"]["sources"][0]["exportIndex"] = 2; },
       "stages[1]: steps[0] refers to what is not there"},
      {"fetch", [](Json& p) { p["fetches"] = Json::array(); },
       "stages[1]: steps[0] refers to what is not there"},
      {"context", [](Json& p) { p["stages"][0]["usesContext"] = false; },
       "stages[0]: steps[0] refers to what is not there"},
  };
}

std::vector<Hostile> hostileValues() {
  const auto source = [](Json& p, int i) -> Json& {
    return p["stages"][1]["steps"][0]["copy"]["sources"][i];
  };
  const auto run = [](Json& p) -> Json& { return p["stages"][0]["steps"][0]["run"]; };
  const std::string sourceAt = "stages[1].steps[0].copy.sources";
  const std::string runAt = "stages[0].steps[0].run";
  return {
      {"stage path", [=](Json& p) { source(p, 0)["path"] = "/out/../etc"; },
       sourceAt + "[0]: path: not a clean path of this kind of source"},
      {"relative", [=](Json& p) { source(p, 0)["path"] = "out"; },
       sourceAt + "[0]: path: not a clean path of this kind of source"},
      {"inline", [=](Json& p) { source(p, 1)["path"] = ".."; },
       sourceAt + "[1]: path: not a clean path of this kind of source"},
      {"fetched", [=](Json& p) { source(p, 2)["path"] = "a/b"; },
       sourceAt + "[2]: path: not a clean path of this kind of source"},
      {"named", [=](Json& p) { source(p, 3)["path"] = "../b"; },
       sourceAt + "[3]: path: not a clean path of this kind of source"},
      {"base64", [=](Json& p) { source(p, 1)["content"] = "*"; },
       sourceAt + "[1]: content: not base64"},
      {"kind", [=](Json& p) { source(p, 0)["from"] = "moon"; },
       sourceAt + "[0]: from: unknown kind of source \"moon\""},
      {"destination", [](Json& p) { p["stages"][1]["steps"][0]["copy"]["destination"] = "/a//"; },
       "stages[1].steps[0].copy: destination: expected an absolute, clean path"},
      {"argv", [=](Json& p) { run(p)["argv"] = Json::array(); },
       runAt + ": argv: must not be empty"},
      {"nul", [=](Json& p) { run(p)["env"] = {std::string("A=\0B", 4)}; },
       runAt + ": env: holds a NUL byte"},
      {"workdir", [=](Json& p) { run(p)["workdir"] = "/a/"; },
       runAt + ": workdir: expected an absolute, clean path"},
      {"mount target", [=](Json& p) { run(p)["mounts"][0]["target"] = "/a/../b"; },
       runAt + ".mounts[0]: target: expected an absolute, clean path"},
      {"mount source", [=](Json& p) { run(p)["mounts"][0]["source"] = "/etc"; },
       runAt + ".mounts[0]: source: expected a clean path"},
      {"mode", [=](Json& p) { run(p)["mounts"][1]["mode"] = 010000; },
       runAt + ".mounts[1]: mode: 4096 is not within 0 and 4095"},
      {"uid", [=](Json& p) { run(p)["mounts"][1]["uid"] = 4294967296; },
       runAt + ".mounts[1]: uid: out of range"},
      {"sharing", [=](Json& p) { run(p)["mounts"][1]["sharing"] = "x"; },
       runAt + ".mounts[1]: sharing: unknown value \"x\""},
      {"pipe", [=](Json& p) { run(p)["pipes"][0]["name"] = "../x"; },
       runAt + ".pipes[0]: name: expected a file name"},
      {"two actions", [](Json& p) { p["stages"][0]["steps"][0]["workdir"] = Json::object(); },
       "stages[0].steps[0]: expected one of run, copy, workdir, layer"},
      {"cache key", [](Json& p) { p["stages"][0]["steps"][0]["cacheKey"] = "../x"; },
       "stages[0].steps[0]: cacheKey: expected 64 hexadecimal digits"},
      {"unpinned", [](Json& p) { p["stages"][0]["base"]["reference"] = "golang:1.22"; },
       "stages[0].base: reference: expected repository@digest"},
      {"layers", [](Json& p) { p["stages"][0]["base"]["diffIds"] = Json::array(); },
       "stages[0].base: layers and diffIds differ in number"},
      {"export path", [](Json& p) { p["stages"][0]["exports"][0]["path"] = "out"; },
       "stages[0].exports[0]: path: expected an absolute, clean path"},
      {"config", [](Json& p) { p["stages"][0]["config"]["config"]["Env"] = 1; },
       "stages[0].config: config.Env: expected array, got number"},
      {"platform", [](Json& p) { p["platform"] = "x/y/z/w"; },
       "platform: invalid platform \"x/y/z/w\": expected os/architecture[/variant]"},
  };
}

TEST(ParsePlan, RefusesWhatAReaderMustNotTrust) {
  std::vector<Hostile> cases = hostileIndexes();
  for (Hostile& c : hostileValues()) {
    cases.push_back(std::move(c));
  }
  for (const Hostile& c : cases) {
    Json json = Json::parse(serializePlan(makePlan()));
    c.change(json);
    const auto result = parsePlan(json.dump());
    ASSERT_FALSE(result) << c.what;
    EXPECT_EQ(result.error().code, Code::kInvalid) << c.what;
    EXPECT_EQ(result.error().message, c.message) << c.what;
  }
}

TEST(ParsePlan, RefusesMoreStagesThanTheOperatorDrives) {
  Json json = Json::parse(serializePlan(makePlan()));
  while (json["stages"].size() <= kMaxStages) {
    json["stages"].push_back(json["stages"][0]);
  }
  EXPECT_EQ(parsePlan(json.dump()).error().message, "stages: expected 1 to 64");
}

TEST(ParsePlan, AllowsThePivotOnlyWithParents) {
  BuildPlan plan = makePlan();
  auto& copy = std::get<CopyStep>(plan.stages[1].steps[0].action);
  copy.sources[3].path = "a/./b";
  EXPECT_FALSE(parsePlan(serializePlan(plan)));
  copy.parents = true;
  EXPECT_TRUE(parsePlan(serializePlan(plan)));
  copy.sources[3].path = "a/./../b";
  EXPECT_FALSE(parsePlan(serializePlan(plan)));
}

TEST(Plan, ChainsLeadToTheRootImage) {
  BuildPlan plan = makePlan();
  Stage child;
  child.index = 2;
  child.base.kind = Base::Kind::kStage;
  child.base.stage = 0;
  child.dependsOn = {0};
  plan.stages.push_back(child);
  EXPECT_EQ(baseChain(plan, 2), (std::vector<int>{0, 2}));
  EXPECT_EQ(rootImage(plan, 2), kPinned);
  EXPECT_EQ(rootImage(plan, 1), "");
}

TEST(PlanSummary, HoldsWhatTheOperatorNeeds) {
  const PlanSummary summary = summarize(makePlan(), oci::Digest::ofBytes("p"), "abc");
  ASSERT_EQ(summary.stages.size(), 2U);
  EXPECT_EQ(summary.stages[0].image, kPinned);
  EXPECT_EQ(summary.stages[0].baseName, "golang:1.22");
  EXPECT_EQ(summary.stages[0].baseDigest, "sha256:" + std::string(64, 'b'));
  EXPECT_EQ(summary.stages[0].steps, 2);
  EXPECT_TRUE(summary.stages[0].usesContext);
  EXPECT_FALSE(summary.stages[0].usesFetched);
  EXPECT_TRUE(summary.stages[1].usesFetched);
  const Json json = toJson(summary);
  const auto read = parsePlanSummary(JsonReader(json));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(toJson(*read), json);
}

TEST(PlanSummary, FitsItsFrameWhateverTheWarningsSay) {
  BuildPlan plan = makePlan();
  plan.stages.clear();
  const std::string image = "h/" + std::string(240, 'a') + "@sha256:" + std::string(64, 'b');
  for (int i = 0; i < static_cast<int>(kMaxStages); ++i) {
    Stage stage = makeBuilder();
    stage.index = i;
    stage.name = std::string(70000, 'n');
    stage.base.reference = image;
    stage.base.name = std::string(5000, 'b');
    stage.dependsOn.clear();
    for (int d = 0; d < i; ++d) {
      stage.dependsOn.push_back(d);
    }
    plan.stages.push_back(stage);
  }
  plan.warnings.assign(100, {"Rule", 1, std::string(5000, '\x01') + "\"\\\xff", "url"});
  const PlanSummary summary = summarize(plan, oci::Digest::ofBytes("p"), std::string(1000, 'r'));
  const Json json = toJson(summary);
  EXPECT_LE(dumpJson(json).size(), 128U * 1024);
  EXPECT_TRUE(parsePlanSummary(JsonReader(json)));
}

TEST(ParsePlanSummary, RefusesWhatTheOperatorMustNotActOn) {
  const std::vector<Hostile> cases = {
      {"image", [](Json& s) { s["stages"][0]["image"] = "golang"; },
       "stages[0]: image: expected repository@digest"},
      {"edge", [](Json& s) { s["stages"][0]["dependsOn"] = {0}; },
       "stages[0]: dependsOn: must ascend and name earlier stages"},
      {"base", [](Json& s) { s["stages"][1]["baseStage"] = 1; },
       "stages[1]: baseStage: not among dependsOn"},
      {"image of base", [](Json& s) { s["stages"][1]["baseStage"] = 0; },
       "stages[1]: image: differs from that of its base stage"},
      {"index", [](Json& s) { s["stages"][1]["index"] = 3; },
       "stages[1]: index: expected its position"},
      {"name", [](Json& s) { s["stages"][1]["name"] = "a\x1b[31m"; },
       "stages[1]: name: too long or not printable"},
      {"digest", [](Json& s) { s["planDigest"] = "x"; },
       "planDigest: invalid digest \"x\": expected sha256:<64 hexadecimal digits>"},
      {"target", [](Json& s) { s["target"] = 2; }, "target: 2 is not within 0 and 1"},
      {"steps", [](Json& s) { s["stages"][0]["steps"] = -1; },
       "stages[0]: steps: -1 is not within 0 and 10000"},
  };
  for (const Hostile& c : cases) {
    Json json = toJson(summarize(makePlan(), oci::Digest::ofBytes("p"), ""));
    c.change(json);
    const auto result = parsePlanSummary(JsonReader(json));
    ASSERT_FALSE(result) << c.what;
    EXPECT_EQ(result.error().message, c.message) << c.what;
  }
}

}  // namespace
}  // namespace stagewright::plan
