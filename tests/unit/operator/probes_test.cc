#include "operator/probes.h"

#include <gtest/gtest.h>

namespace stagewright::op {
namespace {

TEST(Probes, AnswerWithTheReasonAgainst) {
  ProbeSources sources{[] { return std::string(); },
                       [] { return std::string("caches not synced: pods"); },
                       [] { return std::string("metric 1\n"); }};
  struct Case {
    const char* path;
    int status;
    const char* body;
  };
  const Case cases[] = {{"/healthz", 200, "ok\n"},
                        {"/livez", 200, "ok\n"},
                        {"/readyz", 503, "caches not synced: pods\n"},
                        {"/metrics", 200, "metric 1\n"},
                        {"/", 404, "there are /metrics, /healthz and /readyz\n"}};
  for (const Case& c : cases) {
    const http::ServerResponse response = answerProbe(sources, {"GET", c.path, ""});
    EXPECT_EQ(response.status, c.status) << c.path;
    EXPECT_EQ(response.body, c.body) << c.path;
  }
}

TEST(Probes, MayBeServedApart) {
  ProbeSources sources{[] { return std::string(); }, [] { return std::string(); },
                       [] { return std::string("metric 1\n"); }};
  EXPECT_EQ(answerProbe(sources, {"GET", "/metrics", ""}, Serves::kHealth).status, 404);
  EXPECT_EQ(answerProbe(sources, {"GET", "/readyz", ""}, Serves::kHealth).status, 200);
  EXPECT_EQ(answerProbe(sources, {"GET", "/metrics", ""}, Serves::kMetrics).status, 200);
  EXPECT_EQ(answerProbe(sources, {"GET", "/healthz", ""}, Serves::kMetrics).status, 404);
}

TEST(Probes, RefuseMetricsToWhomTheyAreNotMeant) {
  ProbeSources sources{[] { return std::string(); }, [] { return std::string(); },
                       [] { return std::string("metric 1\n"); },
                       [](const http::ServerRequest& request) {
                         return request.authorization == "Bearer right"
                                    ? std::nullopt
                                    : std::optional(http::ServerResponse{401, "text/plain", "no"});
                       }};
  EXPECT_EQ(answerProbe(sources, {"GET", "/metrics", "", "Bearer wrong"}).status, 401);
  EXPECT_EQ(answerProbe(sources, {"GET", "/metrics", "", "Bearer wrong"}).body, "no");
  EXPECT_EQ(answerProbe(sources, {"GET", "/metrics", "", "Bearer right"}).body, "metric 1\n");
  EXPECT_EQ(answerProbe(sources, {"GET", "/healthz", ""}).status, 200)
      << "the kubelet has no token";
}

}  // namespace
}  // namespace stagewright::op
