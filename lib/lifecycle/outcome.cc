#include "lib/lifecycle/outcome.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "lib/api/conditions.h"
#include "lib/api/reasons.h"
#include "lib/base/seal.h"
#include "lib/plan/contract.h"

namespace stagewright::lifecycle {

namespace {
namespace reason = api::reason;

std::string roleOf(const ObservedPod& pod) {
  return pod.stage >= 0 ? std::to_string(pod.stage) : pod.role;
}

/// Pod reasons with which a kubelet or a node refuses or gives up a pod, whatever is in it.
bool isNodeReason(std::string_view podReason) {
  static constexpr std::array<std::string_view, 9> kReasons = {
      "Evicted",      "Preempting", "NodeShutdown",
      "Shutdown",     "Terminated", "UnexpectedAdmissionError",
      "NodeAffinity", "NodeLost",   "TopologyAffinityError"};
  return podReason.starts_with("OutOf") ||
         std::find(kReasons.begin(), kReasons.end(), podReason) != kReasons.end();
}

/// The kubelet's sentences for a pod that took more ephemeral storage than *it* may. Node pressure
/// reads otherwise.
bool isOwnStorageLimit(std::string_view message) {
  return contains(message, "ephemeral local storage usage exceeds") ||
         contains(message, "exceeded its local ephemeral storage limit") ||
         (contains(message, "Usage of EmptyDir volume") && contains(message, "exceeds the limit"));
}

bool isIdmapTrouble(std::string_view message) {
  return contains(message, "idmap") || contains(message, "mount_setattr") ||
         contains(message, "MOUNT_ATTR_IDMAP");
}

Outcome base(const EndedAttempt& attempt, std::string_view why, std::string message) {
  Outcome out = outcomeOf(why, std::move(message));
  out.attempt = attempt.pod.attempt;
  out.pod = attempt.pod.name;
  out.container = attempt.pod.container.name;
  return out;
}

std::string where(const ObservedPod& pod) {
  return pod.node.empty() ? std::string() : " on node " + pod.node;
}

/// What happened to the pod, not in it.
std::optional<Outcome> judgePod(const EndedAttempt& attempt) {
  const ObservedPod& pod = attempt.pod;
  if (isOwnStorageLimit(pod.message)) {
    return base(attempt, reason::kEphemeralStorageExceeded,
                attempt.label + " used more ephemeral storage than it may: " + pod.message);
  }
  if (pod.reason == "DeadlineExceeded") {
    return base(attempt, reason::kBuildTimeout,
                attempt.label + " was still running at the build's timeout (spec.timeout)");
  }
  if (pod.disruptionTarget || isNodeReason(pod.reason)) {
    const std::string cause = pod.disruptionTarget ? pod.disruptionReason : pod.reason;
    return base(attempt, reason::kDisrupted,
                attempt.label + " was disrupted" + where(pod) + " (" + cause + ")" +
                    (pod.message.empty() ? "" : ": " + pod.message));
  }
  return std::nullopt;
}

std::optional<Outcome> judgeStart(const EndedAttempt& attempt) {
  const ObservedContainer& container = attempt.pod.container;
  if (container.reason != "StartError" && container.reason != "ContainerCannotRun") {
    return std::nullopt;
  }
  if (isIdmapTrouble(container.message)) {
    return base(attempt, reason::kWorkspaceIncompatible,
                "the workspace's filesystem cannot be mounted in a user namespace" +
                    where(attempt.pod) +
                    "; use another storage class or set spec.execution.isolation: Baseline: " +
                    container.message);
  }
  return base(
      attempt, reason::kInternalError,
      attempt.label + " could not be started" + where(attempt.pod) + ": " + container.message);
}

Outcome outOfMemory(const EndedAttempt& attempt) {
  const std::string limit = attempt.memoryLimit.empty()
                                ? std::string("the node ran out of memory; no limit was set")
                                : "the limit is " + attempt.memoryLimit;
  const std::string field = attempt.pod.role == pods::kRoleStage
                                ? "spec.execution.resources or spec.execution.stages"
                                : "spec.execution." + attempt.pod.role + ".resources";
  return base(attempt, reason::kStageOOMKilled,
              attempt.label + " was killed for memory: " + limit + "; raise it in " + field);
}

/// Words for containers that ended without any.
Outcome judgeExitCode(const EndedAttempt& attempt) {
  const ObservedPod& pod = attempt.pod;
  const bool publish = pod.role == pods::kRolePublish;
  const bool stage = pod.role == pods::kRoleStage;
  const std::string code = std::to_string(pod.container.exitCode);
  const auto made = [&](std::string_view why, const std::string& what) {
    return base(attempt, why, attempt.label + " " + what + " (exit code " + code + ", no report)");
  };
  switch (static_cast<plan::Exit>(pod.container.exitCode)) {
    case plan::Exit::kStepFailed:
      return made(reason::kStageFailed, "failed in one of its steps");
    case plan::Exit::kStageTimeout:
      return made(reason::kStageTimeout, "ran out of time");
    case plan::Exit::kOutOfMemory:
      return outOfMemory(attempt);
    case plan::Exit::kUserInput:
      return made(stage ? reason::kStageFailed : reason::kInvalidSpec, "refused its input");
    case plan::Exit::kSecretMissing:
      return made(reason::kCredentialsNotFound, "misses a Secret");
    case plan::Exit::kUnavailable:
      return made(publish ? reason::kRegistryUnavailable : reason::kSourceUnavailable,
                  publish ? "could not reach the registry" : "could not reach source or registry");
    case plan::Exit::kDenied:
      return made(publish ? reason::kPushUnauthorized : reason::kSourceAuthFailed,
                  publish ? "may not push" : "was refused by source or registry");
    case plan::Exit::kIsolation:
      return base(attempt, reason::kPolicyViolation,
                  attempt.label + " was run without the user namespace that was asked for" +
                      where(pod) +
                      ": the container runtime ignores hostUsers; containerd 2.0 or newer is "
                      "needed, or spec.execution.isolation: Baseline");
    default:
      return made(reason::kInternalError, "ended unexpectedly" + where(pod));
  }
}

/// A stage runs foreign code; its words may only be about itself.
bool maySay(const ObservedPod& pod, std::string_view why) {
  static constexpr std::array<std::string_view, 8> kOfStages = {reason::kStageFailed,
                                                                reason::kStageOOMKilled,
                                                                reason::kStageTimeout,
                                                                reason::kWorkspaceFull,
                                                                reason::kEphemeralStorageExceeded,
                                                                reason::kWorkspaceIncompatible,
                                                                reason::kPolicyViolation,
                                                                reason::kInternalError};
  return pod.role == pods::kRoleStage
             ? std::find(kOfStages.begin(), kOfStages.end(), why) != kOfStages.end()
             : api::findReason(why).has_value();
}

Outcome fromWords(const EndedAttempt& attempt, const plan::Failure& failure) {
  Outcome out =
      failure.reason == reason::kStageOOMKilled ? outOfMemory(attempt) : judgeExitCode(attempt);
  if (maySay(attempt.pod, failure.reason)) {
    out.reason = failure.reason;
  }
  if (!failure.message.empty()) {
    out.message = failure.reason == reason::kStageOOMKilled && !attempt.memoryLimit.empty()
                      ? failure.message + " (the memory limit is " + attempt.memoryLimit + ")"
                      : failure.message;
  }
  out.instruction = failure.instruction;
  out.line = failure.line;
  out.exitCode = failure.exitCode;
  out.logTail = failure.logTail;
  return out;
}
}  // namespace

Outcome outcomeOf(std::string_view why, std::string message) {
  Outcome out;
  out.reason = why;
  out.message = std::move(message);
  return out;
}

std::optional<plan::Failure> sealedFailure(const EndedAttempt& attempt) {
  const ObservedPod& pod = attempt.pod;
  if (!attempt.runKey.empty() && !pod.container.message.empty()) {
    const SealScope scope{pod.runId, roleOf(pod), pod.attempt};
    const Result<std::string> body =
        unsealText(attemptKey(attempt.runKey, scope.role, scope.attempt), scope, "termination",
                   pod.container.message);
    const Result<Json> json = body ? parseJson(*body) : Result<Json>(body.error());
    Result<plan::Failure> failure =
        json ? plan::parseFailure(JsonReader(*json)) : Result<plan::Failure>(json.error());
    if (failure) {
      return std::move(*failure);
    }
  }
  return attempt.facts == nullptr ? std::nullopt : attempt.facts->failure;
}

Outcome judgeFailure(const EndedAttempt& attempt) {
  // The kubelet's word about the pod goes first: a drained container also ends with some exit code.
  if (std::optional<Outcome> out = judgePod(attempt)) {
    return *out;
  }
  if (attempt.pod.container.exitCode == static_cast<int>(plan::Exit::kIsolation)) {
    return judgeExitCode(attempt);  // the container cannot know what would help
  }
  // A stage that gets a signal says so; whether someone had the right to send it, it cannot tell: a
  // step can send one too.
  const std::optional<plan::Failure> failure = sealedFailure(attempt);
  if (failure && failure->reason != reason::kDisrupted) {
    return fromWords(attempt, *failure);
  }
  if (attempt.pod.deletionTimestamp) {
    return base(attempt, reason::kDisrupted, attempt.label + " was deleted" + where(attempt.pod));
  }
  if (failure) {
    return fromWords(attempt, *failure);
  }
  // PID 1 itself; a killed child is in its words. A zero exit with OOMKilled is a survivor.
  if (attempt.pod.container.reason == "OOMKilled" && attempt.pod.container.exitCode != 0) {
    return outOfMemory(attempt);
  }
  if (std::optional<Outcome> out = judgeStart(attempt)) {
    return *out;
  }
  return judgeExitCode(attempt);
}

}  // namespace stagewright::lifecycle
