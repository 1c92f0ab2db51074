#include "operator/reconciler.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/base/hash.h"
#include "lib/base/log.h"

namespace stagewright::op {

namespace {
constexpr std::size_t kRunKeyBytes = 32;
constexpr Millis kUntilOpen{500};
constexpr Millis kUntilKnown{250};  ///< the namespace of a build, by its own watch
}  // namespace

Outcome Reconciler::reconcile(const std::string& key, Lane lane, std::stop_token stop) {
  const std::optional<Json> object = p_.builds.get(key);
  if (!object) {
    forget(key);
    return Outcome::done();
  }
  if (const std::optional<Millis> pause = p_.gate.wait(key)) {
    return Outcome::waiting(*pause);
  }
  const Result<api::ImageBuild> build = api::parseImageBuild(*object);
  if (!build) {
    p_.admissions.settle(key, false, "");
    return Outcome::terminal(build.error().message);
  }
  const std::optional<policy::Policies> policies =
      p_.policies.policiesOf(build->metadata.namespace_);
  if (!policies) {
    return Outcome::waiting(kUntilKnown);
  }
  Result<lifecycle::World> world = observe(key, *build, stop);
  if (!world) {
    return Outcome::error(world.error().message, world.error().retryAfter);
  }
  world->policies = *policies;
  return planAndApply(key, *object, *build, *world, lane, stop);
}

/// Twice if the run wants to be admitted: only the plan knows whether it does, and only the queue
/// knows the answer.
Outcome Reconciler::planAndApply(const std::string& key, const Json& object,
                                 const api::ImageBuild& build, lifecycle::World& world, Lane lane,
                                 std::stop_token stop) {
  const TimePoint now = p_.clock.now();
  world.admission.granted = false;
  lifecycle::Decision decision = lifecycle::planBuild(build, world, now);
  const bool asked = decision.ticket.has_value();
  if (asked) {
    const std::optional<lifecycle::Admission> answer = p_.admissions.ask(*decision.ticket);
    if (!answer) {
      return Outcome::waiting(kUntilOpen);
    }
    world.admission = *answer;
    decision = lifecycle::planBuild(build, world, now);
  }
  const Outcome outcome = p_.applier.apply(object, build, decision, lane, stop);
  p_.admissions.settle(key, asked, p_.gate.expected(key, CachedKind::kBuild));
  if (outcome.kind == Outcome::Kind::kDone || outcome.kind == Outcome::Kind::kLater) {
    follow(key, build, world, decision);
    if (decision.status.run && api::isFinished(*decision.status.run)) {
      p_.applier.forget(key);
    }
  }
  return outcome;
}

void Reconciler::forget(const std::string& key) {
  p_.gate.forget(key);
  p_.createErrors.forget(key);
  p_.followers.forget(key);
  p_.admissions.settle(key, false, "");
  p_.applier.forget(key);
}

Result<lifecycle::World> Reconciler::observe(const std::string& key, const api::ImageBuild& build,
                                             std::stop_token stop) {
  lifecycle::World world;
  world.pods = podsOf(key, build);
  TRY(world.claims, claimsOf(key, build, stop));
  world.seenPods = p_.applier.knownPods().of(key);
  world.logs = p_.followers.facts(key, world.pods);
  world.createErrors = p_.createErrors.of(key);
  world.cluster = p_.cluster.facts();
  world.settings = p_.settings;
  world.freshRunKey = randomBytes(kRunKeyBytes);
  world.claimHolder = holderOf(build);
  return world;
}

std::vector<lifecycle::ObservedPod> Reconciler::podsOf(const std::string& key,
                                                       const api::ImageBuild& build) {
  std::vector<lifecycle::ObservedPod> out;
  for (const Json& object : p_.pods.inGroup(key)) {
    Result<lifecycle::ObservedPod> pod = lifecycle::observePod(object);
    if (pod && pod->ownerUid == build.metadata.uid) {
      out.push_back(std::move(*pod));
    }
  }
  return out;
}

/// A claim that the user named carries no label of ours: it is read when it is needed.
Result<std::vector<lifecycle::ObservedClaim>> Reconciler::claimsOf(const std::string& key,
                                                                   const api::ImageBuild& build,
                                                                   std::stop_token stop) {
  std::vector<lifecycle::ObservedClaim> out;
  for (const Json& object : p_.claims.inGroup(key)) {
    Result<lifecycle::ObservedClaim> claim = lifecycle::observeClaim(object);
    if (claim && claim->ownerUid == build.metadata.uid) {
      out.push_back(std::move(*claim));
    }
  }
  const std::string& named = build.spec.workspace.claimName;
  const bool working = !build.status.run || !api::isFinished(*build.status.run);
  if (named.empty() || !working) {
    return out;
  }
  const kube::ApiResult<Json> object =
      p_.client.get(kube::kClaims, build.metadata.namespace_, named, stop);
  if (!object) {
    return object.error().code == Code::kNotFound
               ? Result<std::vector<lifecycle::ObservedClaim>>(std::move(out))
               : Error(object.error());
  }
  if (Result<lifecycle::ObservedClaim> claim = lifecycle::observeClaim(*object)) {
    out.push_back(std::move(*claim));
  }
  return out;
}

/// Only builds on a claim of the user's share one with others.
std::string Reconciler::holderOf(const api::ImageBuild& build) {
  const std::string& claim = build.spec.workspace.claimName;
  if (claim.empty()) {
    return "";
  }
  std::vector<api::ImageBuild> others;
  for (const Json& object : p_.builds.inGroup(build.metadata.namespace_ + "/" + claim)) {
    if (Result<api::ImageBuild> other = api::parseImageBuild(object)) {
      others.push_back(std::move(*other));
    }
  }
  return lifecycle::claimHolder(build, others);
}

void Reconciler::follow(const std::string& key, const api::ImageBuild& build,
                        const lifecycle::World& world, const lifecycle::Decision& decision) {
  std::vector<lifecycle::ObservedPod> pods;
  for (const std::string& name : decision.followLogs) {
    const auto it = std::find_if(world.pods.begin(), world.pods.end(),
                                 [&](const auto& pod) { return pod.name == name; });
    if (it != world.pods.end() && !it->runKey.empty()) {
      pods.push_back(*it);
    }
  }
  p_.followers.follow(key, build.metadata.namespace_, pods);
}

}  // namespace stagewright::op
