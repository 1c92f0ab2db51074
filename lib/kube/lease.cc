#include "lib/kube/lease.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/base/log.h"

namespace stagewright::kube {

namespace {

std::string specText(const Json& lease, const char* key) {
  const auto spec = lease.find("spec");
  if (spec == lease.end() || !spec->is_object()) {
    return "";
  }
  const auto value = spec->find(key);
  return value == spec->end() || !value->is_string() ? "" : value->get<std::string>();
}

std::int64_t specNumber(const Json& lease, const char* key, std::int64_t fallback) {
  const auto spec = lease.find("spec");
  if (spec == lease.end() || !spec->is_object()) {
    return fallback;
  }
  const auto value = spec->find(key);
  return value == spec->end() || !value->is_number_integer() ? fallback
                                                             : value->get<std::int64_t>();
}

Json specOf(const Json& lease) {
  return lease.is_object() && lease.contains("spec") ? lease["spec"] : Json();
}

}  // namespace

Status checkLeaseOptions(const LeaseOptions& options) {
  if (options.retryPeriod <= Millis(0) || options.renewDeadline <= options.retryPeriod * 12 / 10 ||
      options.duration <= options.renewDeadline || options.duration < std::chrono::seconds(1)) {
    return invalid("lease numbers must satisfy duration > renew deadline > 1.2 x retry period > 0");
  }
  return ok();
}

ApiClient::Options makeLeaseClientOptions(const LeaseOptions& options) {
  return {std::max(Millis(1000), options.renewDeadline / 2), Millis(0)};
}

LeaderElector::LeaderElector(ApiClient& client, Clock& clock, LeaseOptions options)
    : client_(client),
      clock_(clock),
      options_(std::move(options)),
      random_(std::random_device{}()) {}

bool LeaderElector::acquire(std::stop_token stop) {
  while (!stop.stop_requested()) {
    if (tryOnce(stop)) {
      log::info("lease acquired",
                {{"lease", options_.ns + "/" + options_.name}, {"identity", options_.identity}});
      return true;
    }
    clock_.sleepFor(untilNextLook(), stop);
  }
  return false;
}

/// client-go waits a retry period here, which adds two of them to the longest gap without a leader:
/// one until the last renewal is seen, one after its end. We look twice as often, and at the end.
Millis LeaderElector::untilNextLook() {
  if (!heldByOther()) {
    return jittered(options_.retryPeriod);
  }
  const auto left = std::chrono::ceil<Millis>(observedAt_ + durationSeen() - clock_.steadyNow());
  return std::min(jittered(options_.retryPeriod / 2), left);
}

bool LeaderElector::hold(std::stop_token stop) {
  SteadyPoint renewed = clock_.steadyNow();
  while (clock_.sleepFor(jittered(options_.retryPeriod), stop)) {
    if (tryOnce(stop)) {
      renewed = clock_.steadyNow();
    } else if (stop.stop_requested()) {
      break;
    } else if (clock_.steadyNow() - renewed >= options_.renewDeadline || heldByOther()) {
      leader_.store(false);
      return false;
    }
  }
  return true;
}

void LeaderElector::release() {
  if (!leader_.exchange(false)) {
    return;
  }
  Json lease = lease_;
  lease["spec"]["holderIdentity"] = "";
  lease["spec"]["leaseDurationSeconds"] = 1;
  lease["spec"]["renewTime"] = formatMicroTime(clock_.now());
  const ApiResult<Json> written =
      client_.replace(kLeases, options_.ns, options_.name, lease, std::stop_token());
  if (!written) {
    log::warn("lease not released, it will run out", {{"error", written.error().message}});
  }
}

std::optional<Millis> LeaderElector::sinceRenewal() const {
  if (!isLeader()) {
    return std::nullopt;
  }
  const SteadyPoint renewed{SteadyPoint::duration(renewedAt_.load())};
  return std::chrono::duration_cast<Millis>(clock_.steadyNow() - renewed);
}

/// One round: renew what we believe to hold without asking first; else look, and take what is free.
bool LeaderElector::tryOnce(std::stop_token stop) {
  if (leader_.load()) {
    if (renewKnown(stop)) {
      return true;
    }
    if (options_.onSlowPath) {
      options_.onSlowPath();
    }
  }
  ApiResult<Json> seen = client_.get(kLeases, options_.ns, options_.name, stop);
  if (!seen) {
    if (seen.error().code == Code::kNotFound) {
      return createLease(stop);
    }
    if (seen.error().code != Code::kCancelled) {
      log::warn("lease cannot be read", {{"error", seen.error().message}});
    }
    return false;
  }
  observe(std::move(*seen));
  if (heldByOther()) {
    leader_.store(false);
    return false;
  }
  return write(claimed(specText(lease_, "holderIdentity") != options_.identity), stop);
}

bool LeaderElector::renewKnown(std::stop_token stop) { return write(claimed(false), stop); }

bool LeaderElector::createLease(std::stop_token stop) {
  lease_ = {{"apiVersion", "coordination.k8s.io/v1"},
            {"kind", "Lease"},
            {"metadata", {{"name", options_.name}, {"namespace", options_.ns}}}};
  ApiResult<Json> created = client_.create(kLeases, options_.ns, claimed(true), stop);
  if (!created) {
    log::warn("lease cannot be created", {{"error", created.error().message}});
    return false;
  }
  observe(std::move(*created));
  renewedAt_.store(clock_.steadyNow().time_since_epoch().count());
  leader_.store(true);
  return true;
}

void LeaderElector::observe(Json lease) {
  if (specOf(lease) != specOf(lease_)) {
    observedAt_ = clock_.steadyNow();
  }
  lease_ = std::move(lease);
}

bool LeaderElector::heldByOther() const {
  const std::string holder = specText(lease_, "holderIdentity");
  return !holder.empty() && holder != options_.identity &&
         clock_.steadyNow() - observedAt_ < durationSeen();
}

Millis LeaderElector::durationSeen() const {
  return std::chrono::seconds(specNumber(lease_, "leaseDurationSeconds", 15));
}

/// The lease as last seen, with us as the holder as of now.
Json LeaderElector::claimed(bool transition) const {
  Json lease = lease_;
  Json& spec = lease["spec"];
  const std::string now = formatMicroTime(clock_.now());
  if (transition) {
    spec["leaseTransitions"] = specNumber(lease_, "leaseTransitions", -1) + 1;
    spec["acquireTime"] = now;
  }
  spec["holderIdentity"] = options_.identity;
  spec["leaseDurationSeconds"] = std::chrono::ceil<std::chrono::seconds>(options_.duration).count();
  spec["renewTime"] = now;
  return lease;
}

bool LeaderElector::write(const Json& lease, std::stop_token stop) {
  ApiResult<Json> written = client_.replace(kLeases, options_.ns, options_.name, lease, stop);
  if (!written) {
    if (written.error().code != Code::kCancelled) {
      log::warn("lease cannot be written", {{"error", written.error().message}});
    }
    return false;
  }
  observe(std::move(*written));
  renewedAt_.store(clock_.steadyNow().time_since_epoch().count());
  leader_.store(true);
  return true;
}

Millis LeaderElector::jittered(Millis period) {
  return period +
         Millis(std::uniform_int_distribution<Millis::rep>(0, period.count() / 5)(random_));
}

}  // namespace stagewright::kube
