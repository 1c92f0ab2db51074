#include "operator/applier.h"

#include <algorithm>
#include <future>
#include <nlohmann/json.hpp>

#include "lib/base/log.h"
#include "operator/merge_patch.h"

namespace stagewright::op {

namespace {

std::string versionOf(const Json& object) {
  const auto metadata = object.find("metadata");
  return metadata == object.end() || !metadata->is_object()
             ? ""
             : metadata->value("resourceVersion", "");
}

Json statusOf(const Json& object) {
  const auto status = object.find("status");
  return status == object.end() || !status->is_object() ? Json::object() : *status;
}

/// The outcome of a request that failed for reasons outside of the plan; nothing if the plan must
/// hear of it.
std::optional<Outcome> troubleOf(const kube::ApiError& error) {
  if (error.code == Code::kCancelled) {
    return Outcome::done();
  }
  if (error.code == Code::kUnavailable || error.code == Code::kInternal) {
    const bool asked = error.retryAfter > Millis(0);
    return Outcome::error(error.message, asked ? std::optional(error.retryAfter) : std::nullopt);
  }
  if (error.isNamespaceTerminating()) {
    return Outcome::done();  // the namespace controller removes what is left; there is nothing to
                             // do and nobody to tell
  }
  return std::nullopt;
}

/// The worse of two.
void worsen(Outcome& total, std::optional<Outcome> next) {
  if (next && static_cast<int>(next->kind) > static_cast<int>(total.kind)) {
    total = *std::move(next);
  }
}

}  // namespace

Outcome Applier::apply(const Json& object, const api::ImageBuild& build,
                       const lifecycle::Decision& decision, Lane lane, std::stop_token stop) {
  const Target target{build.metadata.namespace_ + "/" + build.metadata.name,
                      build.metadata.namespace_};
  if (std::optional<Outcome> stale = confirmAbsent(target, decision.confirmAbsent, stop)) {
    return *stale;
  }
  if (std::optional<Outcome> instead =
          writeStatus(target, build, statusOf(object), decision, stop)) {
    return *instead;
  }
  Outcome total = actAll(target, decision, lane, stop);
  for (const lifecycle::EventNote& note : decision.events) {
    events_.record(build, note);
  }
  return total;
}

/// A pod that the plan takes for gone is looked up at the source: the next attempt must not run
/// beside it.
std::optional<Outcome> Applier::confirmAbsent(const Target& target,
                                              const std::vector<std::string>& pods,
                                              std::stop_token stop) {
  for (const std::string& pod : pods) {
    const kube::ApiResult<Json> found = client_.get(kube::kPods, target.ns, pod, stop);
    if (found) {
      gate_.expect(target.key, CachedKind::kPod, versionOf(*found));
      return Outcome::again("pod " + pod + " still exists, the cache was stale");
    }
    if (found.error().code != Code::kNotFound) {
      return troubleOf(found.error()).value_or(Outcome::error(found.error().message));
    }
  }
  return std::nullopt;
}

std::optional<Outcome> Applier::writeStatus(const Target& target, const api::ImageBuild& build,
                                            const Json& before, const lifecycle::Decision& decision,
                                            std::stop_token stop) {
  const Json wanted = api::toJson(decision.status);
  const Json patch = makeMergePatch(before, wanted);
  if (patch.empty()) {
    return std::nullopt;
  }
  if (lifecycle::mayWait(build, decision)) {
    if (const std::optional<Millis> rest = pace_.rest(target.key)) {
      return Outcome::done(std::min(*rest, decision.requeueAfter.value_or(*rest)));
    }
  }
  std::optional<Outcome> failed = sendStatus(target, build, patch, wanted, stop);
  if (!failed) {
    pace_.wrote(target.key);
  }
  return failed;
}

/// Merge patch with the version that was planned from: a status that somebody else moved on is
/// never overwritten.
std::optional<Outcome> Applier::sendStatus(const Target& target, const api::ImageBuild& build,
                                           const Json& patch, const Json& wanted,
                                           std::stop_token stop) {
  const Json body = {{"metadata", {{"resourceVersion", build.metadata.resourceVersion}}},
                     {"status", patch}};
  const kube::ApiResult<Json> written =
      client_.patch(kube::kImageBuilds, target.ns, build.metadata.name, kube::PatchType::kMerge,
                    body, stop, {.subresource = "status"});
  if (written) {
    gate_.expect(target.key, CachedKind::kBuild, versionOf(*written));
    if (const Json lost = makeMergePatch(statusOf(*written), wanted); !lost.empty()) {
      log::warn("the API server did not keep all of a status; is the CRD older than the operator?",
                {{"build", target.key}, {"fields", dumpJson(lost).substr(0, 512)}});
    }
    return std::nullopt;
  }
  const kube::ApiError& error = written.error();
  if (error.code == Code::kNotFound) {
    return Outcome::done();
  }
  if (error.code == Code::kConflict) {
    return Outcome::again(error.message);
  }
  return troubleOf(error).value_or(Outcome::error(error.message));
}

/// The claim and the first pod on it take one round trip, not two: neither needs the other's
/// answer.
Outcome Applier::actAll(const Target& target, const lifecycle::Decision& decision, Lane lane,
                        std::stop_token stop) {
  Outcome total = Outcome::done(decision.requeueAfter);
  std::future<std::optional<Outcome>> claim;
  for (const lifecycle::Action& action : decision.actions) {
    if (action.hasTime && lane != Lane::kLater) {
      worsen(total, Outcome::later());
    } else if (action.kind == lifecycle::Action::Kind::kCreateClaim && !claim.valid()) {
      claim = std::async(std::launch::async, [&] { return act(target, action, stop); });
    } else {
      worsen(total, act(target, action, stop));
    }
  }
  if (claim.valid()) {
    worsen(total, claim.get());
  }
  return total;
}

std::optional<Outcome> Applier::act(const Target& target, const lifecycle::Action& action,
                                    std::stop_token stop) {
  using Kind = lifecycle::Action::Kind;
  switch (action.kind) {
    case Kind::kCreateClaim:
      return create(target, action, kube::kClaims, CachedKind::kClaim, stop);
    case Kind::kCreatePod:
      return create(target, action, kube::kPods, CachedKind::kPod, stop);
    case Kind::kDeletePod:
      return remove(target, action, kube::kPods, CachedKind::kPod, stop);
    case Kind::kDeleteClaim:
      return remove(target, action, kube::kClaims, CachedKind::kClaim, stop);
    case Kind::kDeleteBuild:
      return remove(target, action, kube::kImageBuilds, CachedKind::kBuild, stop);
  }
  return std::nullopt;
}

std::optional<Outcome> Applier::create(const Target& target, const lifecycle::Action& action,
                                       const kube::Resource& resource, CachedKind kind,
                                       std::stop_token stop) {
  const Result<Json> wanted = parseJson(action.body);
  if (!wanted) {
    return Outcome::terminal("create " + action.name + ": " + wanted.error().message);
  }
  const kube::ApiResult<Json> made = client_.create(resource, target.ns, *wanted, stop);
  if (made) {
    log::info(
        "created",
        {{"build", target.key}, {"kind", std::string(resource.plural)}, {"name", action.name}});
    isThere(target, action.name, kind, versionOf(*made));
    return std::nullopt;
  }
  if (made.error().isAlreadyExists()) {
    return adopt(target, action, *wanted, resource, kind, made.error(), stop);
  }
  if (std::optional<Outcome> trouble = troubleOf(made.error())) {
    return trouble;
  }
  return refuse(target, action.name, made.error());
}

void Applier::isThere(const Target& target, const std::string& name, CachedKind kind,
                      const std::string& version) {
  gate_.expect(target.key, kind, version);
  createErrors_.clear(target.key, name);
  if (kind == CachedKind::kPod) {
    knownPods_.saw(target.key, name);
  }
}

/// An object of that name is there: ours from before a crash or a lost answer, or a stranger's.
std::optional<Outcome> Applier::adopt(const Target& target, const lifecycle::Action& action,
                                      const Json& wanted, const kube::Resource& resource,
                                      CachedKind kind, const kube::ApiError& refused,
                                      std::stop_token stop) {
  const kube::ApiResult<Json> existing = client_.get(resource, target.ns, action.name, stop);
  if (!existing) {
    return existing.error().code == Code::kNotFound
               ? Outcome::again(refused.message)
               : troubleOf(existing.error()).value_or(Outcome::error(existing.error().message));
  }
  if (!lifecycle::isSameChild(*existing, wanted)) {
    return refuse(target, action.name, refused);
  }
  isThere(target, action.name, kind, versionOf(*existing));
  return std::nullopt;
}

/// The API server's no is a fact that the next plan turns into a condition.
std::optional<Outcome> Applier::refuse(const Target& target, const std::string& name,
                                       const kube::ApiError& error) {
  log::info("create refused", {{"build", target.key}, {"name", name}, {"error", error.message}});
  createErrors_.add(target.key, name, error, clock_.now());
  return Outcome::again(error.message);
}

std::optional<Outcome> Applier::remove(const Target& target, const lifecycle::Action& action,
                                       const kube::Resource& resource, CachedKind kind,
                                       std::stop_token stop) {
  const kube::ApiResult<Json> removed =
      client_.remove(resource, target.ns, action.name,
                     {.uid = action.uid, .resourceVersion = action.resourceVersion}, stop);
  if (removed) {
    log::info(
        "deleted",
        {{"build", target.key}, {"kind", std::string(resource.plural)}, {"name", action.name}});
    gate_.expect(target.key, kind, versionOf(*removed));
    return std::nullopt;
  }
  const Code code = removed.error().code;
  if (code == Code::kConflict && !action.resourceVersion.empty()) {
    return Outcome::again(removed.error().message);  // it was edited; whether its time is over is
                                                     // to be asked again
  }
  if (code == Code::kNotFound || code == Code::kConflict) {
    return std::nullopt;  // gone, or another object by now
  }
  return troubleOf(removed.error()).value_or(Outcome::error(removed.error().message));
}

}  // namespace stagewright::op
