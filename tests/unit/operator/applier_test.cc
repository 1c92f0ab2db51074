#include "operator/applier.h"

#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <nlohmann/json.hpp>

#include "tests/support/fake_api_clock.h"
#include "tests/support/fake_api_transport.h"

namespace stagewright::op {
namespace {

using Answer = kube::FakeApiTransport::Answer;
using Kind = lifecycle::Action::Kind;

class NotedEvents final : public EventSink {
 public:
  void record(const api::ImageBuild&, const lifecycle::EventNote& note) override {
    reasons.push_back(note.reason);
  }
  std::vector<std::string> reasons;
};

std::string failure(int code, const std::string& reason, const std::string& message = "why",
                    const std::string& details = "{}") {
  return R"({"kind":"Status","code":)" + std::to_string(code) + R"(,"reason":")" + reason +
         R"(","message":")" + message + R"(","details":)" + details + "}";
}

class ApplierTest : public testing::Test {
 protected:
  ApplierTest() {
    object_ = {{"apiVersion", "build.stagewright.dev/v1alpha1"},
               {"kind", "ImageBuild"},
               {"metadata",
                {{"name", "shop"},
                 {"namespace", "ns"},
                 {"uid", "u-build"},
                 {"resourceVersion", "100"},
                 {"generation", 1}}},
               {"spec", {{"output", {{"image", "reg/shop:1"}}}}},
               {"status", {{"observedGeneration", -1}}}};
    build_ = *api::parseImageBuild(object_);
    decision_.status = build_.status;
    transport_.answerWith([this](const kube::ApiRequest& request) { return answer(request); });
  }

  /// The first prepared answer whose key is a prefix of `METHOD path`; else an object of version
  /// 200.
  Answer answer(const kube::ApiRequest& request) {
    const std::string line = request.method + " " + request.path;
    for (auto& [prefix, prepared] : answers_) {
      if (line.starts_with(prefix)) {
        return prepared;
      }
    }
    Json body = {{"metadata", {{"name", "x"}, {"resourceVersion", "200"}}}};
    if (request.method == "PATCH") {
      Json kept = object_;
      kept.merge_patch(Json::parse(request.body));
      body["status"] = kept["status"];
    }
    return {.body = body.dump()};
  }

  static Json pod(const std::string& name, const std::string& owner = "u-build") {
    return {
        {"metadata",
         {{"name", name},
          {"namespace", "ns"},
          {"labels", {{"build.stagewright.dev/build", "shop"}, {"build.stagewright.dev/run", "r"}}},
          {"ownerReferences",
           {{{"apiVersion", "build.stagewright.dev/v1alpha1"},
             {"kind", "ImageBuild"},
             {"name", "shop"},
             {"uid", owner},
             {"controller", true}}}}}}};
  }
  void wantPod(const std::string& name) {
    decision_.actions.push_back({Kind::kCreatePod, name, "", pod(name).dump()});
  }
  void wantDelete(const std::string& name, const std::string& uid) {
    decision_.actions.push_back({Kind::kDeletePod, name, uid, ""});
  }
  void wantStatus() { decision_.status.phase = "Preparing"; }

  Outcome apply(Lane lane = Lane::kProgress) {
    return applier_.apply(object_, build_, decision_, lane, {});
  }
  std::vector<std::string> requests() {
    std::vector<std::string> out;
    for (const std::string& line : transport_.log()) {
      out.push_back(line.substr(0, line.find('?')));
    }
    return out;
  }

  bool isOpen(const std::string& key) { return !gate_.wait(key).has_value(); }

  const std::string kStatusPath =
      "/apis/build.stagewright.dev/v1alpha1/namespaces/ns/imagebuilds/shop/status";
  const std::string kPodsPath = "/api/v1/namespaces/ns/pods";
  std::vector<std::pair<std::string, Answer>> answers_;
  kube::FakeApiTransport transport_;
  kube::FakeApiClock clock_;
  kube::ApiClient client_{transport_, clock_, {Millis(1000), Millis(0)}};
  std::string cacheVersion_ = "100";
  WriteGate gate_{clock_, [this](CachedKind, const std::string&) { return cacheVersion_; }};
  CreateErrors errors_;
  NotedEvents events_;
  Applier applier_{client_, clock_, gate_, errors_, events_};
  Json object_;
  api::ImageBuild build_;
  lifecycle::Decision decision_;
};

TEST_F(ApplierTest, LeavesWhatHasTimeForAnotherPass) {
  wantStatus();
  wantDelete("now", "u1");
  wantDelete("later", "u2");
  decision_.actions.back().hasTime = true;
  EXPECT_EQ(apply().kind, Outcome::Kind::kLater);
  EXPECT_EQ(requests(),
            (std::vector<std::string>{"PATCH " + kStatusPath, "DELETE " + kPodsPath + "/now"}));
  decision_.actions.erase(decision_.actions.begin());
  decision_.status = build_.status;
  EXPECT_EQ(apply(Lane::kLater).kind, Outcome::Kind::kDone);
  EXPECT_EQ(requests().back(), "DELETE " + kPodsPath + "/later");
}

/// The answer about the claim comes only when the pod has been asked for.
TEST_F(ApplierTest, CreatesTheClaimAndItsFirstPodAtOnce) {
  std::promise<void> podAsked;
  decision_.actions.push_back({Kind::kCreateClaim, "c", "", pod("c").dump()});
  wantPod("p");
  answers_ = {
      {"POST /api/v1/namespaces/ns/persistentvolumeclaims",
       {.body = pod("c").dump(),
        .before =
            [&] {
              EXPECT_EQ(podAsked.get_future().wait_for(std::chrono::seconds(20)),
                        std::future_status::ready);
            }}},
      {"POST " + kPodsPath, {.body = pod("p").dump(), .before = [&] { podAsked.set_value(); }}}};
  EXPECT_EQ(apply().kind, Outcome::Kind::kDone);
  EXPECT_EQ(requests().size(), 2u);
}

TEST_F(ApplierTest, WritesTheIntentBeforeItCreates) {
  wantStatus();
  wantPod("p");
  decision_.events.push_back({false, "RunStarted", "note"});
  decision_.requeueAfter = Millis(7000);
  const Outcome outcome = apply();
  EXPECT_EQ(outcome.kind, Outcome::Kind::kDone);
  EXPECT_EQ(outcome.after, Millis(7000));
  EXPECT_EQ(requests(), (std::vector<std::string>{"PATCH " + kStatusPath, "POST " + kPodsPath}));
  EXPECT_EQ(events_.reasons, std::vector<std::string>{"RunStarted"});
  const Json patch = Json::parse(transport_.asked()[0].body);
  EXPECT_EQ(patch["metadata"]["resourceVersion"], "100");
  EXPECT_EQ(patch["status"]["phase"], "Preparing");
}

TEST_F(ApplierTest, ClosesTheGateUntilTheCachesHaveSeenItsWrites) {
  wantStatus();
  apply();
  EXPECT_FALSE(isOpen("ns/shop"));
  cacheVersion_ = "200";
  EXPECT_TRUE(isOpen("ns/shop"));
}

TEST_F(ApplierTest, SkipsAStatusThatIsEqual) {
  EXPECT_EQ(apply().kind, Outcome::Kind::kDone);
  EXPECT_TRUE(transport_.asked().empty());
}

TEST_F(ApplierTest, CreatesNothingIfTheStatusCannotBeWritten) {
  struct Case {
    Answer answer;
    Outcome::Kind outcome;
  };
  const Case cases[] = {
      {{.status = 409, .body = failure(409, "Conflict")}, Outcome::Kind::kAgain},
      {{.status = 500, .body = failure(500, "InternalError")}, Outcome::Kind::kError},
      {{.cut = true}, Outcome::Kind::kError},
      {{.status = 404, .body = failure(404, "NotFound")}, Outcome::Kind::kDone},
      {{.status = 422, .body = failure(422, "Invalid")}, Outcome::Kind::kError}};
  wantStatus();
  wantPod("p");
  decision_.events.push_back({false, "RunStarted", "note"});
  for (const Case& c : cases) {
    answers_ = {{"PATCH", c.answer}};
    EXPECT_EQ(apply().kind, c.outcome) << c.answer.status;
    for (const std::string& line : requests()) {
      EXPECT_FALSE(line.starts_with("POST")) << line;
    }
    EXPECT_TRUE(events_.reasons.empty());
  }
}

TEST_F(ApplierTest, DeletesABuildOnlyAsItWasPlannedFrom) {
  decision_.actions.push_back({Kind::kDeleteBuild, "shop", "u-build", "", "100"});
  EXPECT_EQ(apply().kind, Outcome::Kind::kDone);
  const auto request = transport_.asked().back();
  EXPECT_EQ(request.method, "DELETE");
  EXPECT_EQ(request.path, "/apis/build.stagewright.dev/v1alpha1/namespaces/ns/imagebuilds/shop");
  EXPECT_EQ(Json::parse(request.body)["preconditions"],
            (Json{{"uid", "u-build"}, {"resourceVersion", "100"}}));
  answers_ = {{"DELETE", {.status = 409, .body = failure(409, "Conflict")}}};
  EXPECT_EQ(apply().kind, Outcome::Kind::kAgain) << "it was edited in between";
  answers_ = {{"DELETE", {.status = 404, .body = failure(404, "NotFound")}}};
  EXPECT_EQ(apply().kind, Outcome::Kind::kDone);
}

TEST_F(ApplierTest, DropsThePlanIfAPodTakenForGoneIsThere) {
  decision_.confirmAbsent = {"gone-1", "gone-2"};
  wantStatus();
  answers_ = {{"GET " + kPodsPath + "/gone-1", {.status = 404, .body = failure(404, "NotFound")}}};
  EXPECT_EQ(apply().kind, Outcome::Kind::kAgain);
  EXPECT_EQ(requests(), (std::vector<std::string>{"GET " + kPodsPath + "/gone-1",
                                                  "GET " + kPodsPath + "/gone-2"}));
  EXPECT_FALSE(isOpen("ns/shop"));
}

TEST_F(ApplierTest, AdoptsItsOwnChildFromBeforeACrash) {
  wantPod("p");
  Json existing = pod("p");
  existing["metadata"]["resourceVersion"] = "150";
  answers_ = {{"POST", {.status = 409, .body = failure(409, "AlreadyExists")}},
              {"GET", {.body = existing.dump()}}};
  EXPECT_EQ(apply().kind, Outcome::Kind::kDone);
  EXPECT_TRUE(errors_.of("ns/shop").empty());
}

TEST_F(ApplierTest, ReportsAStrangerWithTheSameName) {
  wantPod("p");
  answers_ = {{"POST", {.status = 409, .body = failure(409, "AlreadyExists")}},
              {"GET", {.body = pod("p", "u-other").dump()}}};
  EXPECT_EQ(apply().kind, Outcome::Kind::kAgain);
  EXPECT_EQ(errors_.of("ns/shop").at("p").reason, "AlreadyExists");
}

TEST_F(ApplierTest, KeepsTheSeriesOfRefusalsUntilACreateSucceeds) {
  wantPod("p");
  answers_ = {{"POST", {.status = 403, .body = failure(403, "Forbidden", "exceeded quota: q")}}};
  const TimePoint first = clock_.now();
  apply();
  clock_.advance(Millis(5000));
  EXPECT_EQ(apply().kind, Outcome::Kind::kAgain);
  const lifecycle::CreateError error = errors_.of("ns/shop").at("p");
  EXPECT_EQ(error.count, 2);
  EXPECT_EQ(error.first, first);
  EXPECT_EQ(error.last, clock_.now());
  EXPECT_EQ(error.httpStatus, 403);
  answers_.clear();
  EXPECT_EQ(apply().kind, Outcome::Kind::kDone);
  EXPECT_TRUE(errors_.of("ns/shop").empty());
}

TEST_F(ApplierTest, EachActionIsIndependent) {
  wantPod("a");
  wantPod("b");
  wantDelete("c", "u-c");
  answers_ = {{"POST", {.status = 500, .body = failure(500, "InternalError")}}};
  EXPECT_EQ(apply().kind, Outcome::Kind::kError);
  EXPECT_EQ(requests().size(), 3u);
  EXPECT_TRUE(errors_.of("ns/shop").empty()) << "no answer is not a refusal";
}

TEST_F(ApplierTest, StopsQuietlyInADyingNamespace) {
  wantPod("a");
  answers_ = {{"POST",
               {.status = 403,
                .body = failure(403, "Forbidden", "x",
                                R"({"causes":[{"reason":"NamespaceTerminating"}]})")}}};
  EXPECT_EQ(apply().kind, Outcome::Kind::kDone);
  EXPECT_TRUE(errors_.of("ns/shop").empty());
}

TEST_F(ApplierTest, DeletesExactlyTheObjectItMeans) {
  wantDelete("p", "u-p");
  EXPECT_EQ(apply().kind, Outcome::Kind::kDone);
  const Json body = Json::parse(transport_.asked()[0].body);
  EXPECT_EQ(body["preconditions"]["uid"], "u-p");
  EXPECT_EQ(body["propagationPolicy"], "Background");
  for (const int code : {404, 409}) {
    answers_ = {{"DELETE", {.status = code, .body = failure(code, "x")}}};
    EXPECT_EQ(apply().kind, Outcome::Kind::kDone) << code;
  }
}

class NewsTest : public ApplierTest {
 protected:
  NewsTest() {
    object_["status"] = Json::parse(R"({
      "observedGeneration": 1, "phase": "Building",
      "run": {"id": "r", "sequence": 1, "prepare": {"state": "Succeeded", "attempt": 1},
              "publish": {"state": "Creating", "attempt": 1}},
      "stages": [{"index": 0, "name": "a", "state": "Creating", "attempt": 1}],
      "conditions": [{"type": "Ready", "status": "Unknown", "reason": "Progressing", "message": "",
                      "observedGeneration": 1, "lastTransitionTime": "2026-11-28T00:00:00Z"}]})");
    build_ = *api::parseImageBuild(object_);
    decision_.status = build_.status;
  }
  void runs(api::AttemptStatus& attempt) { attempt.state = api::AttemptState::kRunning; }
};

TEST_F(NewsTest, TheFirstNewsIsWrittenAtOnceAndTheNextOnesTogether) {
  runs(decision_.status.stages[0]);
  EXPECT_EQ(apply().after, std::nullopt);
  runs(decision_.status.run->publish);
  clock_.advance(Millis(500));
  EXPECT_EQ(apply().after, Millis(1500));
  EXPECT_EQ(requests().size(), 1u);
  clock_.advance(Millis(1500));
  EXPECT_EQ(apply().after, std::nullopt);
  EXPECT_EQ(requests().size(), 2u);
}

TEST_F(NewsTest, AnEventIsToldWithTheStatusThatItBelongsTo) {
  runs(decision_.status.stages[0]);
  apply();
  runs(decision_.status.run->publish);
  decision_.events.push_back({false, "StageStarted", "note"});
  apply();
  EXPECT_TRUE(events_.reasons.empty());
}

TEST_F(NewsTest, IntentsFailuresAndEndsDoNotWait) {
  runs(decision_.status.run->publish);
  apply();
  const lifecycle::Decision news = decision_;
  const std::vector<std::function<void()>> pressing = {
      [this] { wantPod("p"); },
      [this] { decision_.confirmAbsent = {"p"}; },
      [this] { decision_.status.stages[0].attempt = 2; },
      [this] { decision_.status.stages[0].state = api::AttemptState::kFailed; },
      [this] { decision_.status.stages[0].reason = "Unschedulable"; },
      [this] { decision_.status.run->result = "Failed"; },
      [this] { decision_.status.run->id = "another"; }};
  answers_ = {{"GET", {.status = 404, .body = failure(404, "NotFound")}}};
  for (const auto& change : pressing) {
    decision_ = news;
    runs(decision_.status.stages[0]);
    const std::size_t before = requests().size();
    change();
    apply();
    EXPECT_GT(requests().size(), before);
    applier_.forget("ns/shop");
    decision_ = news;
    runs(decision_.status.stages[0]);
    apply();
  }
}

}  // namespace
}  // namespace stagewright::op
