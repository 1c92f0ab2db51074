#include "operator/admission_keeper.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/support/fake_api_clock.h"
#include "tests/support/fake_api_transport.h"

namespace stagewright::op {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

Json build(const std::string& name, const std::string& version, const Json& run) {
  return {{"metadata", {{"name", name}, {"namespace", "ns"}, {"resourceVersion", version}}},
          {"status", {{"run", run}}}};
}

class Keeper : public testing::Test {
 protected:
  std::string list(const Json& items, const std::string& next = "") {
    return dumpJson({{"kind", "ImageBuildList"},
                     {"apiVersion", "build.stagewright.dev/v1alpha1"},
                     {"metadata", {{"resourceVersion", "9"}, {"continue", next}}},
                     {"items", items}});
  }
  queue::Ticket ticket() const { return {"ns/new", "ns", "", 0, clock_.now()}; }

  kube::FakeApiTransport transport_;
  int sleeps_ = 0;
  std::stop_source stop_;
  kube::FakeApiClock clock_{[this](Millis) {
    if (++sleeps_ > 3) {
      stop_.request_stop();
    }
  }};
  kube::ApiClient client_{transport_, clock_, {Millis(1000), Millis(0)}};
  std::vector<std::string> woken_;
  std::string cacheVersion_ = "1";
  AdmissionBoard board_{clock_,
                        {.running = 1},
                        [](const std::string&) { return queue::NamespaceRules(); },
                        [](const std::string&) {}};
  AdmissionKeeper keeper_{{client_,
                           clock_,
                           {},
                           board_,
                           [this] { return cacheVersion_; },
                           [this](const std::string& key) { woken_.push_back(key); }}};
};

TEST_F(Keeper, LearnsEveryPageOfWhatIsUnfinishedFromTheQuorum) {
  const Json admitted = {{"startTime", "2026-11-28T01:00:00Z"},
                         {"admittedTime", "2026-11-28T01:00:00Z"}};
  transport_.then({.body = list(Json::array(), "more")})
      .then({.body = list(Json::array({build("old", "5", admitted)}))});
  ASSERT_TRUE(keeper_.learn(stop_.get_token()));
  ASSERT_THAT(transport_.log(), SizeIs(2));
  EXPECT_THAT(transport_.log()[0], HasSubstr("fieldSelector=status.phase%21%3DSucceeded"));
  EXPECT_EQ(transport_.log()[0].find("resourceVersion"), std::string::npos);
  EXPECT_THAT(transport_.log()[1], HasSubstr("continue=more"));
  board_.open();
  EXPECT_FALSE(board_.ask(ticket())->granted) << "the place of ns/old is taken";
}

TEST_F(Keeper, DoesWithoutTheSelectorWhereTheServerHasNone) {
  transport_
      .then({.status = 400,
             .body = R"({"kind":"Status","status":"Failure","reason":"BadRequest","code":400,
                         "message":"field label not supported: status.phase"})"})
      .then({.body = list(Json::array())});
  ASSERT_TRUE(keeper_.learn(stop_.get_token()));
  ASSERT_THAT(transport_.log(), SizeIs(2));
  EXPECT_EQ(transport_.log()[1].find("fieldSelector"), std::string::npos);
}

TEST_F(Keeper, OpensOnlyAfterAListThatWorked) {
  bool wasClosed = false;
  transport_.then({.status = 500, .body = "{}"}).then({.body = list(Json::array()), .before = [&] {
                                                         wasClosed = !board_.ask(ticket());
                                                       }});
  keeper_.run(stop_.get_token());
  EXPECT_TRUE(wasClosed);
  EXPECT_TRUE(board_.ask(ticket())->granted);
}

TEST_F(Keeper, WakesBuildsWhosePositionMoved) {
  board_.open();
  const Json running =
      build("run", "1",
            {{"startTime", "2026-11-28T01:00:00Z"}, {"admittedTime", "2026-11-28T01:00:00Z"}});
  const Json waits = build("w", "1", {{"startTime", "2026-11-28T01:00:00Z"}, {"queuePosition", 4}});
  board_.observe({"ns/run", nullptr, &running, true});
  board_.observe({"ns/w", nullptr, &waits, true});
  keeper_.refresh(stop_.get_token());
  EXPECT_THAT(woken_, ElementsAre("ns/w"));
}

}  // namespace
}  // namespace stagewright::op
