#include "builder-pod/prepare/content_keys.h"

#include <functional>
#include <set>

#include "fixtures.h"
#include "gmock/gmock.h"
#include "lib/base/hash.h"

namespace stagewright::prepare {
namespace {

using namespace stagewright::prepare::testing;  // NOLINT

class ContentKeys : public ::testing::Test {
 protected:
  ContentKeys() {
    writeFile(context() + "/a.go", "a");
    writeFile(context() + "/b.go", "b");
    writeFile(context() + "/readme", "r");
    writeFile(context() + "/dir/x", "x");
    fs::create_symlink("dir", context() + "/link");
    plan_.stages.resize(2);
    plan_.stages[0].index = 0;
    plan_.stages[0].base.kind = plan::Base::Kind::kImage;
    plan_.stages[0].base.reference = "r.example/x@sha256:" + std::string(64, 'a');
    plan_.stages[1].index = 1;
    plan_.stages[1].base.kind = plan::Base::Kind::kStage;
    plan_.stages[1].base.stage = 0;
    plan_.target = 1;
    inputs_.scope = "team-a gzip";
  }

  std::string context() const { return directory_ / "context"; }

  static plan::Step step(plan::Step made, const std::string& key) {
    made.cacheKey = sha256Hex(key);
    return made;
  }
  static plan::Step copy(const std::string& path) {
    plan::CopyStep copy;
    copy.sources.resize(1);
    copy.sources[0].path = path;
    copy.destination = "/";
    return step({"COPY", 1, "", copy}, "copy " + path);
  }
  static plan::Step run(const std::string& command) {
    plan::RunStep run;
    run.argv = {command};
    return step({"RUN", 1, "", run}, command);
  }

  std::vector<std::string> keys() {
    const Fd root = openRoot(context());
    inputs_.context = root.get();
    plan::BuildPlan plan = plan_;
    const Status set = setContentKeys(plan, inputs_);
    EXPECT_TRUE(set) << set.error().message;
    std::vector<std::string> out;
    for (const plan::Stage& stage : plan.stages) {
      for (const plan::Step& made : stage.steps) {
        EXPECT_EQ(made.contentKey.size(), 64U);
        out.push_back(made.contentKey);
      }
    }
    return out;
  }

  /// How many keys at the end of the list `change` changes.
  std::size_t changedBy(const std::function<void()>& change) {
    const std::vector<std::string> before = keys();
    change();
    const std::vector<std::string> after = keys();
    std::size_t same = 0;
    while (same < before.size() && before[same] == after[same]) {
      ++same;
    }
    for (std::size_t i = same; i < before.size(); ++i) {
      EXPECT_NE(before[i], after[i]) << "a step after a changed one";
    }
    return before.size() - same;
  }

  TemporaryDirectory directory_;
  plan::BuildPlan plan_;
  KeyInputs inputs_;
};

TEST_F(ContentKeys, AChangedFileChangesTheStepThatCopiesItAndAllBehind) {
  plan_.stages[0].steps = {run("one"), copy("*.go"), run("two")};
  plan_.stages[1].steps = {copy("dir"), run("three")};
  EXPECT_EQ(changedBy([&] { writeFile(context() + "/readme", "R"); }), 0U);
  EXPECT_EQ(changedBy([&] { writeFile(context() + "/b.go", "B"); }), 4U);
  EXPECT_EQ(changedBy([&] { writeFile(context() + "/c.go", "c"); }), 4U);
  EXPECT_EQ(changedBy([&] { writeFile(context() + "/dir/x", "y"); }), 2U);
  EXPECT_EQ(changedBy([&] { ::chmod((context() + "/dir/x").c_str(), 0755); }), 2U);
  EXPECT_EQ(changedBy([&] { fs::rename(context() + "/dir/x", context() + "/dir/z"); }), 2U);
}

TEST_F(ContentKeys, TimesDoNotCount) {
  plan_.stages[0].steps = {copy(".")};
  const auto touch = [&] {
    const timespec times[2] = {{1, 0}, {1, 0}};
    ::utimensat(AT_FDCWD, (context() + "/a.go").c_str(), times, 0);
  };
  EXPECT_EQ(changedBy(touch), 0U);
}

TEST_F(ContentKeys, ALinkCountsWithWhatItPointsTo) {
  plan_.stages[0].steps = {copy("link")};
  EXPECT_EQ(changedBy([&] { writeFile(context() + "/dir/x", "y"); }), 1U);
}

TEST_F(ContentKeys, TheWholeWorldBelowCounts) {
  plan_.stages[0].steps = {run("one")};
  plan_.stages[1].steps = {run("two")};
  EXPECT_EQ(changedBy([&] { inputs_.scope = "team-b gzip"; }), 2U);
  EXPECT_EQ(changedBy([&] { plan_.sourceDateEpoch = 5; }), 2U);
  EXPECT_EQ(changedBy([&] {
              plan_.stages[0].base.reference = "r.example/x@sha256:" + std::string(64, 'b');
            }),
            2U);
  EXPECT_EQ(changedBy([&] {
              plan_.stages[0].base.reference = "other.example/x@sha256:" + std::string(64, 'b');
            }),
            0U);
  EXPECT_EQ(changedBy([&] { plan_.stages[1].steps[0].cacheKey = sha256Hex("other"); }), 1U);
}

TEST_F(ContentKeys, AStageThatIsReadCountsByItsOwnKeys) {
  plan_.stages[0].steps = {copy("dir")};
  plan::CopyStep from;
  from.sources.resize(1);
  from.sources[0].from = plan::CopySource::From::kStage;
  from.sources[0].stage = 0;
  plan_.stages[1].base = plan_.stages[0].base;
  plan_.stages[1].steps = {step({"COPY", 1, "", from}, "from")};
  EXPECT_EQ(changedBy([&] { writeFile(context() + "/dir/x", "y"); }), 2U);
}

TEST_F(ContentKeys, WhatWasFetchedCountsByItsDigest) {
  plan::CopyStep add;
  add.sources.resize(1);
  add.sources[0].from = plan::CopySource::From::kFetched;
  add.sources[0].fetchIndex = 0;
  plan_.stages[0].steps = {step({"ADD", 1, "", add}, "add")};
  inputs_.fetched = {"sha256:1"};
  EXPECT_EQ(changedBy([&] { inputs_.fetched = {"sha256:2"}; }), 1U);
}

}  // namespace
}  // namespace stagewright::prepare
