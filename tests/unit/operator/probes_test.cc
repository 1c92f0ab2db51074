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

}  // namespace
}  // namespace stagewright::op
