#include "lib/http/retry.h"

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace stagewright::http {
namespace {

TEST(BackoffDelay, DoublesUpToItsCapAndHonoursTheServer) {
  const RetryPolicy policy{
      .base = Millis(200), .longest = Millis(10'000), .budget = Millis(60'000)};
  EXPECT_EQ(backoffDelay(policy, 1, 0.5, Millis(0)), Millis(100));
  EXPECT_EQ(backoffDelay(policy, 3, 0.5, Millis(0)), Millis(400));
  EXPECT_EQ(backoffDelay(policy, 50, 0.5, Millis(0)), Millis(5'000));
  EXPECT_EQ(backoffDelay(policy, 1, 0.5, Millis(3'000)), Millis(3'000));
  EXPECT_EQ(backoffDelay(policy, 1, 0.5, Millis(3'600'000)), Millis(10'000));
}

TEST(RetryAfter, IsSecondsOrADate) {
  const TimePoint now = parseTime("2026-11-24T08:00:00Z").value();
  EXPECT_EQ(parseRetryAfter("120", now), Millis(120'000));
  EXPECT_EQ(parseRetryAfter("Tue, 24 Nov 2026 08:00:30 GMT", now), Millis(30'000));
  EXPECT_EQ(parseRetryAfter("Tue, 24 Nov 2026 07:00:00 GMT", now), Millis(0));
  EXPECT_EQ(parseRetryAfter("soon", now), std::nullopt);
  EXPECT_EQ(parseRetryAfter("-1", now), std::nullopt);
  EXPECT_EQ(parseRetryAfter("99999999999", now), Millis(86'400'000));
}

TEST(Retry, StopsAtSuccess) {
  testing::FakeClock clock;
  int calls = 0;
  const Status status = retry(clock, RetryPolicy(), {}, [&]() -> Status {
    return ++calls < 4 ? Status(unavailable("busy")) : ok();
  });
  EXPECT_TRUE(status);
  EXPECT_EQ(calls, 4);
}

TEST(Retry, DoesNotRepeatWhatIsTerminal) {
  testing::FakeClock clock;
  int calls = 0;
  const Status status = retry(clock, RetryPolicy(), {}, [&]() -> Status {
    ++calls;
    return denied("no");
  });
  EXPECT_EQ(status.error().code, Code::kDenied);
  EXPECT_EQ(calls, 1);
}

TEST(Retry, StaysWithinItsBudget) {
  testing::FakeClock clock;
  const Status status = retry(clock, RetryPolicy(), {},
                              [&]() -> Status { return unavailable("busy", Millis(9'000)); });
  EXPECT_EQ(status.error().message, "busy");
  EXPECT_LE(clock.elapsed(), Millis(120'000));
  EXPECT_GE(clock.elapsed(), Millis(110'000));
}

TEST(Retry, EndsWhenStopped) {
  testing::FakeClock clock;
  std::stop_source source;
  int calls = 0;
  const Status status = retry(clock, RetryPolicy(), source.get_token(), [&]() -> Status {
    ++calls;
    source.request_stop();
    return unavailable("busy");
  });
  EXPECT_FALSE(status);
  EXPECT_EQ(calls, 1);
}

TEST(IsRetriable, KnowsTheStatuses) {
  for (const int status : {408, 429, 500, 502, 503, 504}) {
    EXPECT_TRUE(isRetriableStatus(status)) << status;
  }
  for (const int status : {200, 400, 401, 403, 404, 416, 501, 505}) {
    EXPECT_FALSE(isRetriableStatus(status)) << status;
  }
}

}  // namespace
}  // namespace stagewright::http
