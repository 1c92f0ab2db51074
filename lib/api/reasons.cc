#include "lib/api/reasons.h"

#include <algorithm>
#include <array>

namespace stagewright::api {

namespace {
using enum FailureClass;
using enum Retry;

constexpr auto kReasons = std::to_array<ReasonInfo>({
    {reason::kInvalidSpec, kUser, kNever},
    {reason::kDockerfileNotFound, kUser, kNever},
    {reason::kDockerfileInvalid, kUser, kNever},
    {reason::kContextDirNotFound, kUser, kNever},
    {reason::kSourceNotFound, kUser, kNever},
    {reason::kSourceAuthFailed, kUser, kForGrace},
    {reason::kSourceRevisionNotFound, kUser, kNever},
    {reason::kCredentialsNotFound, kUser, kForGrace},
    {reason::kBaseImageNotFound, kUser, kNever},
    {reason::kBaseImageUnauthorized, kUser, kForGrace},
    {reason::kStageFailed, kUser, kNever},
    {reason::kStageOOMKilled, kUser, kNever},
    {reason::kStageTimeout, kUser, kNever},
    {reason::kBuildTimeout, kUser, kNever},
    {reason::kPushUnauthorized, kUser, kForGrace},
    {reason::kWorkspaceFull, kUser, kNever},
    {reason::kEphemeralStorageExceeded, kUser, kNever},
    {reason::kWorkspaceIncompatible, kUser, kNever},
    {reason::kNameConflict, kUser, kNever},
    {reason::kPolicyViolation, kPolicy, kNever},
    {reason::kAdmissionDenied, kPolicy, kNever},
    {reason::kSourceUnavailable, kPlatform, kCharged},
    {reason::kRegistryUnavailable, kPlatform, kCharged},
    {reason::kPushFailed, kPlatform, kCharged},
    {reason::kImagePullBackOff, kPlatform, kCharged},
    // The kubelet has tried again all along; only another configuration of the node helps.
    {reason::kNodeCannotPull, kPlatform, kNever},
    {reason::kDisrupted, kPlatform, kFree},
    {reason::kNodeLost, kPlatform, kFree},
    {reason::kWorkspaceProvisioning, kPlatform, kNever},
    {reason::kInternalError, kPlatform, kCharged},
    {reason::kInfrastructureRetriesExhausted, kPlatform, kNever},
    {reason::kQueued, kWaiting, kFree},
    {reason::kQuotaExceeded, kWaiting, kFree},
    {reason::kUnschedulable, kWaiting, kFree},
    {reason::kSuspended, kWaiting, kFree},
});
}  // namespace

std::span<const ReasonInfo> allReasons() { return kReasons; }

std::optional<ReasonInfo> findReason(std::string_view name) {
  const auto it = std::find_if(kReasons.begin(), kReasons.end(),
                               [&](const ReasonInfo& info) { return info.name == name; });
  return it == kReasons.end() ? std::nullopt : std::optional<ReasonInfo>(*it);
}

std::string_view className(FailureClass failureClass) {
  switch (failureClass) {
    case kUser:
      return "User";
    case kPolicy:
      return "Policy";
    case kPlatform:
      return "Platform";
    case kWaiting:
      return "Waiting";
  }
  return "Platform";
}

}  // namespace stagewright::api
