#include "lib/kube/client.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/fake_api_clock.h"
#include "tests/support/fake_api_transport.h"

namespace stagewright::kube {
namespace {

std::string statusBody(int code, const std::string& reason, const std::string& message,
                       const std::string& details = "{}") {
  return R"({"kind":"Status","apiVersion":"v1","status":"Failure","code":)" + std::to_string(code) +
         R"(,"reason":")" + reason + R"(","message":")" + message + R"(","details":)" + details +
         "}";
}

class Client : public testing::Test {
 protected:
  FakeApiTransport transport_;
  FakeApiClock clock_;
  ApiClient client_{transport_, clock_};
};

TEST_F(Client, TellsErrorsApart) {
  struct Case {
    int status;
    std::string reason;
    Code code;
  };
  const Case cases[] = {
      {404, "NotFound", Code::kNotFound},         {409, "Conflict", Code::kConflict},
      {401, "Unauthorized", Code::kDenied},       {403, "Forbidden", Code::kDenied},
      {422, "Invalid", Code::kInvalid},           {400, "BadRequest", Code::kInvalid},
      {500, "InternalError", Code::kUnavailable}, {410, "Expired", Code::kConflict}};
  for (const Case& c : cases) {
    transport_.then({.status = c.status, .body = statusBody(c.status, c.reason, "why")});
    const ApiResult<Json> got = client_.get(kPods, "ns", "p", {});
    ASSERT_FALSE(got.has_value());
    EXPECT_EQ(got.error().code, c.code) << c.status;
    EXPECT_EQ(got.error().status, c.status);
    EXPECT_EQ(got.error().isGone(), c.status == 410);
    EXPECT_EQ(got.error().message,
              "get pods \"ns/p\": " + std::to_string(c.status) + " " + c.reason + ": why");
  }
}

TEST_F(Client, ReadsCausesAndQuota) {
  transport_.then({.status = 403,
                   .body = statusBody(403, "Forbidden", "x",
                                      R"({"causes":[{"reason":"NamespaceTerminating"}]})")});
  EXPECT_TRUE(client_.create(kPods, "ns", Json::object(), {}).error().isNamespaceTerminating());
  transport_.then({.status = 403,
                   .body = statusBody(403, "Forbidden", "pods p is forbidden: exceeded quota: q")});
  EXPECT_TRUE(client_.create(kPods, "ns", Json::object(), {}).error().isQuota());
}

TEST_F(Client, QuotesABodyThatIsNoStatus) {
  transport_.then({.status = 502, .body = "<html>"});
  EXPECT_EQ(client_.get(kPods, "ns", "p", {}).error().message, "get pods \"ns/p\": 502 \"<html>\"");
}

TEST_F(Client, WaitsAsTheServerAsks) {
  transport_.then({.status = 429, .retryAfter = std::chrono::seconds(3)});
  transport_.then({.status = 503, .retryAfter = std::chrono::seconds(2)});
  transport_.then({.status = 200, .body = "{}"});
  EXPECT_TRUE(client_.get(kPods, "ns", "p", {}).has_value());
  EXPECT_EQ(clock_.elapsed(), Millis(5000));
}

TEST_F(Client, GivesUpAtTheDeadline) {
  transport_.answerWith([](const ApiRequest&) {
    return FakeApiTransport::Answer{.status = 429, .retryAfter = std::chrono::seconds(20)};
  });
  const ApiResult<Json> got = client_.get(kPods, "ns", "p", {});
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().code, Code::kUnavailable);
  EXPECT_EQ(got.error().retryAfter, Millis(20'000));
  EXPECT_EQ(clock_.elapsed(), Millis(20'000));
}

TEST_F(Client, SendsOnceMoreWhenAKeptConnectionWasStale) {
  transport_.then({.cut = true}).then({.status = 201, .body = "{}"});
  EXPECT_TRUE(client_.create(kPods, "ns", Json::object(), {}).has_value());
  transport_.then({.cut = true}).then({.cut = true});
  EXPECT_EQ(client_.create(kPods, "ns", Json::object(), {}).error().code, Code::kUnavailable);
  EXPECT_EQ(transport_.asked().size(), 4u);
}

TEST_F(Client, SpellsRequests) {
  transport_.answerWith(
      [](const ApiRequest&) { return FakeApiTransport::Answer{.body = R"({"metadata":{}})"}; });
  const std::stop_token none;
  (void)client_.list(
      kPods, "ns", {.labelSelector = "a=b,c", .limit = 500}, [](Json&) {}, none);
  (void)client_.list(
      kNodes, "", {}, [](Json&) {}, none);
  (void)client_.patch(kImageBuilds, "ns", "b", PatchType::kMerge, Json::object(), none,
                      {.subresource = "status"});
  (void)client_.patch(kPods, "ns", "b", PatchType::kApply, Json::object(), none, {.force = true});
  (void)client_.remove(kPods, "ns", "p", {.uid = "u-1"}, none);
  (void)client_.watch(
      kPods, "", {.resourceVersion = "7", .timeoutSeconds = 285},
      [](std::string_view) { return true; }, none);
  (void)client_.log(
      "ns", "p", {.container = "prepare", .follow = true}, [](std::string_view) { return true; },
      none);
  const std::vector<std::string> expected = {
      "GET /api/v1/namespaces/ns/pods?labelSelector=a%3Db%2Cc&limit=500",
      "GET /api/v1/nodes",
      "PATCH "
      "/apis/build.stagewright.dev/v1alpha1/namespaces/ns/imagebuilds/b/"
      "status?fieldManager=stagewright",
      "PATCH /api/v1/namespaces/ns/pods/b?fieldManager=stagewright&force=true",
      "DELETE /api/v1/namespaces/ns/pods/p",
      "GET /api/v1/pods?watch=1&allowWatchBookmarks=true&resourceVersion=7&timeoutSeconds=285",
      "GET /api/v1/namespaces/ns/pods/p/log?container=prepare&follow=true"};
  EXPECT_EQ(transport_.log(), expected);
  EXPECT_EQ(transport_.asked()[2].contentType, "application/merge-patch+json");
  EXPECT_EQ(transport_.asked()[3].contentType, "application/apply-patch+yaml");
  EXPECT_EQ(
      Json::parse(transport_.asked()[4].body),
      Json::parse(
          R"({"apiVersion":"v1","kind":"DeleteOptions","preconditions":{"uid":"u-1"},"propagationPolicy":"Background"})"));
}

TEST_F(Client, ReadsAListItemByItem) {
  transport_.then(
      {.body = R"({"kind":"PodList","metadata":{"resourceVersion":"12","continue":"tok"},
      "items":[{"metadata":{"name":"a"},"spec":{"items":[{"x":1}]}},{"metadata":{"name":"b"}}]})"});
  std::vector<std::string> names;
  const ApiResult<ListMeta> meta = client_.list(kPods, "ns", {},
                                                [&](Json& item) {
                                                  names.push_back(item["metadata"]["name"]);
                                                  if (names.back() == "a") {
                                                    EXPECT_EQ(item["spec"]["items"][0]["x"], 1);
                                                  }
                                                },
                                                {});
  ASSERT_TRUE(meta.has_value()) << meta.error().message;
  EXPECT_EQ(names, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(meta->resourceVersion, "12");
  EXPECT_EQ(meta->continueToken, "tok");
}

TEST(ResourceVersions, AreNumbersWithoutBound) {
  EXPECT_TRUE(isAtLeast("10", "9"));
  EXPECT_TRUE(isAtLeast("9", "9"));
  EXPECT_FALSE(isAtLeast("99999999999999999999", "100000000000000000000"));
  EXPECT_FALSE(isAtLeast("", "1"));
  EXPECT_TRUE(isAtLeast("1", ""));
}

}  // namespace
}  // namespace stagewright::kube
