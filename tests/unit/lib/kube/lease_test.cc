#include "lib/kube/lease.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/fake_api_clock.h"
#include "tests/support/fake_api_transport.h"

namespace stagewright::kube {
namespace {

/// One Lease with optimistic concurrency behind the fake transport.
class LeaseServer {
 public:
  explicit LeaseServer(FakeApiTransport& transport) {
    transport.answerWith([this](const ApiRequest& request) { return answer(request); });
  }

  Json lease;
  bool down = false;
  int writes = 0;
  std::vector<std::string> methods;

  std::string holder() const { return lease["spec"].value("holderIdentity", ""); }
  /// Another holder renews.
  void renewedBy(const std::string& identity) {
    lease["spec"]["holderIdentity"] = identity;
    lease["spec"]["leaseDurationSeconds"] = 15;
    lease["spec"]["renewTime"] = std::to_string(++version_);
    lease["metadata"]["resourceVersion"] = std::to_string(version_);
  }

 private:
  FakeApiTransport::Answer answer(const ApiRequest& request) {
    methods.push_back(request.method);
    if (down) {
      return {.cut = true};
    }
    if (request.method == "GET") {
      return lease.is_null() ? FakeApiTransport::Answer{.status = 404, .body = "{}"}
                             : FakeApiTransport::Answer{.body = lease.dump()};
    }
    const Json body = Json::parse(request.body);
    if (!lease.is_null() &&
        body["metadata"].value("resourceVersion", "") != lease["metadata"]["resourceVersion"]) {
      return {.status = 409, .body = "{}"};
    }
    ++writes;
    lease = body;
    lease["metadata"]["resourceVersion"] = std::to_string(++version_);
    return {.body = lease.dump()};
  }

  int version_ = 0;
};

class Leader : public testing::Test {
 protected:
  LeaderElector elector(const std::string& identity) {
    return LeaderElector(client_, clock_, {.ns = "sys", .name = "op", .identity = identity});
  }

  FakeApiTransport transport_;
  LeaseServer server_{transport_};
  std::function<void(Millis)> onSleep_ = [](Millis) {};
  FakeApiClock clock_{[this](Millis d) { onSleep_(d); }};
  ApiClient client_{transport_, clock_, {Millis(1000), Millis(0)}};
  std::stop_source stop_;
};

TEST_F(Leader, CreatesTheLease) {
  LeaderElector a = elector("a");
  EXPECT_FALSE(a.sinceRenewal().has_value());
  ASSERT_TRUE(a.acquire(stop_.get_token()));
  EXPECT_EQ(server_.holder(), "a");
  EXPECT_EQ(server_.lease["spec"]["leaseTransitions"], 0);
  EXPECT_EQ(a.sinceRenewal(), Millis(0));
}

TEST_F(Leader, RenewsWithoutReading) {
  LeaderElector a = elector("a");
  ASSERT_TRUE(a.acquire(stop_.get_token()));
  server_.methods.clear();
  int sleeps = 0;
  onSleep_ = [&](Millis) {
    if (++sleeps == 4) {
      stop_.request_stop();
    }
  };
  EXPECT_TRUE(a.hold(stop_.get_token()));
  EXPECT_EQ(server_.methods, (std::vector<std::string>{"PUT", "PUT", "PUT"}));
}

TEST_F(Leader, WaitsForAsLongAsTheRecordChangesWhateverItsTimesSay) {
  server_.renewedBy("b");  // its renewTime is no time at all: clocks must not matter
  LeaderElector a = elector("a");
  const Millis start = clock_.elapsed();
  Millis lastRenewal{};
  onSleep_ = [&](Millis) {
    if (clock_.elapsed() - start < std::chrono::seconds(60)) {
      server_.renewedBy("b");
      lastRenewal = clock_.elapsed();
    }
  };
  ASSERT_TRUE(a.acquire(stop_.get_token()));
  EXPECT_GE(clock_.elapsed() - lastRenewal, std::chrono::seconds(15));
  EXPECT_LE(clock_.elapsed() - lastRenewal, std::chrono::seconds(15 + 5));
  EXPECT_EQ(server_.holder(), "a");
}

TEST_F(Leader, TakesOverSoonAfterTheEndOfALeaseWhoseHolderDied) {
  for (int renewals = 1; renewals < 30; ++renewals) {
    LeaderElector a = elector("a");
    server_.renewedBy("other");
    SteadyPoint renewed = clock_.steadyNow();
    SteadyPoint next = renewed + Millis(2000);
    int left = renewals;
    onSleep_ = [&](Millis asleep) {
      while (left > 0 && next <= clock_.steadyNow() + asleep) {
        server_.renewedBy("other");
        renewed = next;
        next += Millis(2000);
        --left;
      }
    };
    ASSERT_TRUE(a.acquire(stop_.get_token()));
    EXPECT_GE(clock_.steadyNow() - renewed, Millis(15'000));
    EXPECT_LE(clock_.steadyNow() - renewed, Millis(16'200)) << "after " << renewals;
    clock_.advance(Millis(100'000));
  }
}

TEST_F(Leader, TakesAReleasedLeaseAtOnce) {
  LeaderElector a = elector("a");
  ASSERT_TRUE(a.acquire(stop_.get_token()));
  a.release();
  EXPECT_FALSE(a.isLeader());
  EXPECT_EQ(server_.holder(), "");
  EXPECT_EQ(server_.lease["spec"]["leaseDurationSeconds"], 1);
  LeaderElector b = elector("b");
  ASSERT_TRUE(b.acquire(stop_.get_token()));
  EXPECT_EQ(clock_.elapsed(), Millis(0));
  EXPECT_EQ(server_.lease["spec"]["leaseTransitions"], 1);
}

TEST_F(Leader, SurvivesAnOutageShorterThanTheRenewDeadline) {
  LeaderElector a = elector("a");
  ASSERT_TRUE(a.acquire(stop_.get_token()));
  const Millis start = clock_.elapsed();
  onSleep_ = [&](Millis) {
    const Millis t = clock_.elapsed() - start;
    server_.down = t < std::chrono::seconds(6);
    if (t > std::chrono::seconds(30)) {
      stop_.request_stop();
    }
  };
  EXPECT_TRUE(a.hold(stop_.get_token()));
  EXPECT_TRUE(a.isLeader());
}

TEST_F(Leader, LosesAfterTheRenewDeadlineAndBeforeTheLeaseRunsOut) {
  LeaderElector a = elector("a");
  ASSERT_TRUE(a.acquire(stop_.get_token()));
  server_.down = true;
  EXPECT_FALSE(a.hold(stop_.get_token()));
  EXPECT_FALSE(a.isLeader());
  EXPECT_GE(clock_.elapsed(), std::chrono::seconds(10));
  EXPECT_LT(clock_.elapsed(), std::chrono::seconds(15));
}

TEST_F(Leader, LosesAtOnceWhenAnotherHoldsTheLease) {
  LeaderElector a = elector("a");
  ASSERT_TRUE(a.acquire(stop_.get_token()));
  server_.renewedBy("b");
  EXPECT_FALSE(a.hold(stop_.get_token()));
  EXPECT_LE(clock_.elapsed(), Millis(2400));
  EXPECT_EQ(server_.holder(), "b");
}

TEST(LeaseOptions, MustKeepLeadersApart) {
  EXPECT_TRUE(checkLeaseOptions({}).has_value());
  EXPECT_FALSE(checkLeaseOptions({.duration = Millis(10'000)}).has_value());
  EXPECT_FALSE(checkLeaseOptions({.renewDeadline = Millis(2400)}).has_value());
  EXPECT_FALSE(checkLeaseOptions({.retryPeriod = Millis(0)}).has_value());
}

}  // namespace
}  // namespace stagewright::kube
