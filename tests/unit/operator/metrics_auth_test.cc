#include "operator/metrics_auth.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/fake_api_clock.h"
#include "tests/support/fake_api_transport.h"

namespace stagewright::op {
namespace {

using Verdict = MetricsAuth::Verdict;
using kube::FakeApiTransport;

const char* const kKnown =
    R"({"status":{"authenticated":true,"user":{"username":"prom","uid":"7","groups":["g"]}}})";
const char* const kAllowed = R"({"status":{"allowed":true}})";

class MetricsAuthTest : public testing::Test {
 protected:
  void answer(const std::string& body, int status = 200) {
    transport_.then({.status = status, .body = body});
  }
  Verdict judge(const std::string& header) { return auth_.judge(header, "/metrics", {}); }

  FakeApiTransport transport_;
  kube::FakeApiClock clock_;
  kube::ApiClient client_{transport_, clock_, {Millis(1000), Millis(0)}};
  MetricsAuth auth_{client_, clock_};
};

TEST_F(MetricsAuthTest, AsksWhoItIsAndWhetherHeMay) {
  answer(kKnown);
  answer(kAllowed);
  EXPECT_EQ(judge("Bearer t0ken"), Verdict::kAllowed);
  EXPECT_EQ(transport_.asked()[0].path.substr(0, 46),
            "/apis/authentication.k8s.io/v1/tokenreviews?fi");
  const Json asked = Json::parse(transport_.asked()[1].body);
  EXPECT_EQ(asked["spec"], Json::parse(R"({"user":"prom","uid":"7","groups":["g"],
      "nonResourceAttributes":{"path":"/metrics","verb":"get"}})"));
}

TEST_F(MetricsAuthTest, RefusesWithoutAskingWhatIsNoToken) {
  EXPECT_EQ(judge(""), Verdict::kUnauthenticated);
  EXPECT_EQ(judge("Basic dXNlcjpwdw=="), Verdict::kUnauthenticated);
  EXPECT_EQ(judge("Bearer " + std::string(9000, 'x')), Verdict::kUnauthenticated);
  EXPECT_TRUE(transport_.asked().empty());
}

TEST_F(MetricsAuthTest, RefusesStrangersAndThoseWithoutTheRight) {
  answer(R"({"status":{"authenticated":false,"error":"invalid"}})");
  EXPECT_EQ(judge("Bearer stranger"), Verdict::kUnauthenticated);
  answer(kKnown);
  answer(R"({"status":{"allowed":false}})");
  EXPECT_EQ(judge("Bearer guest"), Verdict::kForbidden);
}

TEST_F(MetricsAuthTest, AnAnswerWithoutSenseAllowsNothing) {
  answer("{}");
  EXPECT_EQ(judge("Bearer a"), Verdict::kUnauthenticated);
  answer(kKnown);
  answer(R"({"status":{"allowed":"true"}})");
  EXPECT_EQ(judge("Bearer b"), Verdict::kForbidden);
  answer("", 403);
  EXPECT_EQ(judge("Bearer c"), Verdict::kUnavailable);
}

TEST_F(MetricsAuthTest, RemembersForAMinute) {
  answer(kKnown);
  answer(kAllowed);
  EXPECT_EQ(judge("Bearer t"), Verdict::kAllowed);
  clock_.advance(Millis(59'000));
  EXPECT_EQ(judge("Bearer t"), Verdict::kAllowed);
  EXPECT_EQ(transport_.asked().size(), 2U);
  clock_.advance(Millis(2'000));
  answer(R"({"status":{"authenticated":false}})");
  EXPECT_EQ(judge("Bearer t"), Verdict::kUnauthenticated) << "a token that was revoked";
}

}  // namespace
}  // namespace stagewright::op
