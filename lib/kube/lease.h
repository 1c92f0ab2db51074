// Leader election on a Lease, as client-go does it: whether another's lease has run out is judged
// by our own monotonic time since its record last changed, so clocks may differ. It is no fence:
// two may act for a moment.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <stop_token>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/json.h"
#include "lib/kube/client.h"

namespace stagewright::kube {

struct LeaseOptions {
  std::string ns{};
  std::string name{};
  std::string identity{};  ///< hostname_uuid
  Millis duration{15'000};
  Millis renewDeadline{10'000};
  Millis retryPeriod{2'000};
  /// A renewal that had to look first: somebody else wrote the lease, or a write got no answer.
  std::function<void()> onSlowPath{};
};

/// kInvalid unless duration > renewDeadline > 1.2 × retryPeriod > 0: the numbers that keep two
/// leaders apart.
Status checkLeaseOptions(const LeaseOptions& options);

/// REQUIRES: `client` waits neither long nor for the server's Retry-After (makeLeaseClientOptions).
/// acquire, hold and release are called by one thread; the rest is thread-safe.
class LeaderElector {
 public:
  LeaderElector(ApiClient& client, Clock& clock, LeaseOptions options);

  /// Waits until we hold the lease. False: stopped.
  bool acquire(std::stop_token stop);
  /// Keeps the lease. True: stopped, and still the holder. False: lost; whoever acts as leader must
  /// end at once.
  bool hold(std::stop_token stop);
  /// Gives the lease away, so that a standby need not wait it out. REQUIRES: nobody acts as leader
  /// any more.
  void release();

  bool isLeader() const { return leader_.load(); }
  /// Time since the last renewal; nothing while we do not lead.
  std::optional<Millis> sinceRenewal() const;

 private:
  bool tryOnce(std::stop_token stop);
  bool renewKnown(std::stop_token stop);
  bool createLease(std::stop_token stop);
  void observe(Json lease);
  bool heldByOther() const;
  Millis durationSeen() const;
  Millis untilNextLook();
  Json claimed(bool transition) const;
  bool write(const Json& lease, std::stop_token stop);
  Millis jittered(Millis period);

  ApiClient& client_;
  Clock& clock_;
  LeaseOptions options_;
  std::mt19937_64 random_;
  Json lease_;                                   ///< as last seen, null before
  SteadyPoint observedAt_{};                     ///< when its spec last changed
  std::atomic<bool> leader_ = false;             ///< read by health and metrics
  std::atomic<SteadyPoint::rep> renewedAt_ = 0;  ///< read by health
};

/// What an elector's own client may wait for.
ApiClient::Options makeLeaseClientOptions(const LeaseOptions& options);

}  // namespace stagewright::kube
