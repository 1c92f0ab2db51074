// Why a build failed or waits, as data: the table of api.md, "Classes and reasons". Everything that
// treats reasons differently (retry, conditions, failure.class, metrics) reads it from here.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace stagewright::api {

enum class FailureClass { kUser, kPolicy, kPlatform, kWaiting };

/// What happens when an attempt ends with a reason.
enum class Retry {
  kNever,     ///< the run fails
  kForGrace,  ///< tried again for two minutes (GitOps ordering, expiring tokens), then the run
              ///< fails
  kCharged,   ///< tried again with backoff, within the budget for infrastructure
  kFree,      ///< tried again, not charged: nobody's fault
};

struct ReasonInfo {
  std::string_view name;
  FailureClass failureClass;
  Retry retry;
};

namespace reason {
inline constexpr std::string_view kInvalidSpec = "InvalidSpec";
inline constexpr std::string_view kDockerfileNotFound = "DockerfileNotFound";
inline constexpr std::string_view kDockerfileInvalid = "DockerfileInvalid";
inline constexpr std::string_view kContextDirNotFound = "ContextDirNotFound";
inline constexpr std::string_view kSourceNotFound = "SourceNotFound";
inline constexpr std::string_view kSourceAuthFailed = "SourceAuthFailed";
inline constexpr std::string_view kSourceRevisionNotFound = "SourceRevisionNotFound";
inline constexpr std::string_view kCredentialsNotFound = "CredentialsNotFound";
inline constexpr std::string_view kBaseImageNotFound = "BaseImageNotFound";
inline constexpr std::string_view kBaseImageUnauthorized = "BaseImageUnauthorized";
inline constexpr std::string_view kStageFailed = "StageFailed";
inline constexpr std::string_view kStageOOMKilled = "StageOOMKilled";
inline constexpr std::string_view kStageTimeout = "StageTimeout";
inline constexpr std::string_view kBuildTimeout = "BuildTimeout";
inline constexpr std::string_view kPushUnauthorized = "PushUnauthorized";
inline constexpr std::string_view kWorkspaceFull = "WorkspaceFull";
inline constexpr std::string_view kEphemeralStorageExceeded = "EphemeralStorageExceeded";
inline constexpr std::string_view kWorkspaceIncompatible = "WorkspaceIncompatible";
inline constexpr std::string_view kNameConflict = "NameConflict";
inline constexpr std::string_view kPolicyViolation = "PolicyViolation";
inline constexpr std::string_view kAdmissionDenied = "AdmissionDenied";
inline constexpr std::string_view kSourceUnavailable = "SourceUnavailable";
inline constexpr std::string_view kRegistryUnavailable = "RegistryUnavailable";
inline constexpr std::string_view kPushFailed = "PushFailed";
inline constexpr std::string_view kImagePullBackOff = "ImagePullBackOff";
inline constexpr std::string_view kNodeCannotPull = "NodeCannotPull";
inline constexpr std::string_view kDisrupted = "Disrupted";
inline constexpr std::string_view kNodeLost = "NodeLost";
inline constexpr std::string_view kWorkspaceProvisioning = "WorkspaceProvisioning";
inline constexpr std::string_view kInternalError = "InternalError";
inline constexpr std::string_view kInfrastructureRetriesExhausted =
    "InfrastructureRetriesExhausted";
inline constexpr std::string_view kQueued = "Queued";
inline constexpr std::string_view kQuotaExceeded = "QuotaExceeded";
inline constexpr std::string_view kUnschedulable = "Unschedulable";
inline constexpr std::string_view kSuspended = "Suspended";
// Not failures: reasons of Ready and Finished.
inline constexpr std::string_view kSucceeded = "Succeeded";
inline constexpr std::string_view kFailed = "Failed";
inline constexpr std::string_view kCancelled = "Cancelled";
inline constexpr std::string_view kProgressing = "Progressing";
}  // namespace reason

std::span<const ReasonInfo> allReasons();
std::optional<ReasonInfo> findReason(std::string_view name);
/// "User", "Policy", "Platform", "Waiting".
std::string_view className(FailureClass failureClass);

}  // namespace stagewright::api
