#include "operator/policy_board.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "operator/admission_board.h"
#include "operator/dispatcher.h"
#include "tests/support/fake_api_clock.h"

namespace stagewright::op {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Json ns(const std::string& name, const Json& labels) {
  return {{"metadata", {{"name", name}, {"labels", labels}}},
          {"spec", {{"finalizers", {"kubernetes"}}}}};
}
Json policy(const std::string& name, const Json& spec) {
  return {{"metadata", {{"name", name}, {"resourceVersion", "1"}}}, {"spec", spec}};
}
std::vector<std::string> names(const policy::Policies& policies) {
  std::vector<std::string> out;
  for (const policy::BuildPolicy& one : *policies) {
    out.push_back(one.name);
  }
  return out;
}
const Json kTeamA = {{"namespaceSelector", {{"matchLabels", {{"team", "a"}}}}}};

TEST(PolicyBoard, KnowsWhatCountsForANamespace) {
  PolicyBoard board;
  EXPECT_FALSE(board.policiesOf("x")) << "its labels are not known: nobody can say";
  EXPECT_THAT(board.rulesOf("x").heldBy, HasSubstr("not known yet"));
  const Json x = ns("x", {{"team", "a"}});
  EXPECT_TRUE(board.updateNamespace("x", &x));
  EXPECT_FALSE(board.updateNamespace("x", &x)) << "nothing changed";
  EXPECT_THAT(names(*board.policiesOf("x")), IsEmpty());
  const Json all = policy("all", Json::object());
  const Json teamA = policy("team-a", kTeamA);
  board.updatePolicy("all", &all);
  board.updatePolicy("team-a", &teamA);
  EXPECT_THAT(names(*board.policiesOf("x")), ElementsAre("all", "team-a"));
  const Json moved = ns("x", {{"team", "b"}});
  EXPECT_TRUE(board.updateNamespace("x", &moved));
  EXPECT_THAT(names(*board.policiesOf("x")), ElementsAre("all"));
  board.updatePolicy("all", nullptr);
  EXPECT_THAT(names(*board.policiesOf("x")), IsEmpty());
  EXPECT_TRUE(board.updateNamespace("x", nullptr));
  EXPECT_FALSE(board.policiesOf("x"));
}

TEST(PolicyBoard, APolicyThatCannotBeReadHoldsEverybody) {
  PolicyBoard board;
  const Json x = ns("x", Json::object());
  board.updateNamespace("x", &x);
  const Json broken = policy("broken", {{"allowed", {{"everything", true}}}});
  board.updatePolicy("broken", &broken);
  EXPECT_THAT(board.rulesOf("x").heldBy, HasSubstr("\"broken\" cannot be read"));
  const Json mended = policy("broken", Json::object());
  board.updatePolicy("broken", &mended);
  EXPECT_EQ(board.rulesOf("x").heldBy, "");
}

TEST(TrimNamespace, KeepsTheMetadata) {
  Json object = ns("x", {{"a", "b"}});
  trimNamespace(object);
  EXPECT_FALSE(object.contains("spec"));
  EXPECT_EQ(object["metadata"]["labels"]["a"], "b");
}

/// From a change of a policy to the builds that it concerns.
TEST(PolicyChange, WakesRefusedBuildsAndThoseThatAreAdmitted) {
  kube::FakeApiClock clock;
  Metrics metrics;
  WorkQueue queue(clock);
  ClusterFactsBoard cluster(ImageVolumes::kAuto, 36);
  PolicyBoard policies;
  Progress progress(clock);
  Dispatcher dispatcher(queue, cluster, policies, metrics, progress);
  AdmissionBoard admissions(
      clock, {}, [&](const std::string& of) { return policies.rulesOf(of); },
      [&](const std::string& key) { queue.add(key); });
  dispatcher.setOnRulesChange([&](const std::string& of) { admissions.refreshRules(of); });
  const auto woken = [&] {
    std::vector<std::string> out;
    while (const auto work = queue.tryGet()) {
      queue.done(work->key);
      out.push_back(work->key);
    }
    std::sort(out.begin(), out.end());
    return out;
  };
  const auto see = [&](const std::string& space, const std::string& name, const Json& status) {
    const Json build = {
        {"metadata", {{"name", name}, {"namespace", space}, {"resourceVersion", "1"}}},
        {"status", status}};
    admissions.observe({space + "/" + name, nullptr, &build, true});
  };
  const Json x = ns("x", {{"team", "a"}});
  const Json y = ns("y", Json::object());
  Json hold = policy("p", {{"admission", "Hold"}});
  dispatcher.onNamespace({"x", nullptr, &x, true});
  dispatcher.onNamespace({"y", nullptr, &y, true});
  dispatcher.onPolicy({"p", nullptr, &hold, true});
  see("x", "waits", {{"run", {{"id", "r"}, {"startTime", "2026-11-28T01:00:00Z"}}}});
  see("y", "refused",
      {{"run", {{"id", "r"}, {"result", "Failed"}}}, {"failure", {{"rule", "allowed.outputs"}}}});
  see("y", "failed",
      {{"run", {{"id", "r"}, {"result", "Failed"}}}, {"failure", {{"reason", "StageFailed"}}}});
  admissions.open();
  EXPECT_THAT(woken(), IsEmpty());
  hold["spec"]["admission"] = "Open";
  dispatcher.onPolicy({"p", &hold, &hold, false});
  EXPECT_THAT(woken(), ElementsAre("x/waits", "y/refused"));
  const Json labelled = ns("y", {{"team", "b"}});
  dispatcher.onNamespace({"y", &y, &labelled, false});
  EXPECT_THAT(woken(), ElementsAre("y/refused"));
}

}  // namespace
}  // namespace stagewright::op
