// status of an ImageBuild: what people read, and what the operator must find again after a crash.
// Everything it will act on (attempt numbers, pinned upstream attempts, images) is written here
// before a pod is created.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lib/api/conditions.h"
#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/base/json.h"

namespace stagewright::api {

/// Of status.history, whatever retention.history says.
inline constexpr std::size_t kMaxHistory = 50;

/// Where the newest attempt of prepare, of a stage or of publish is.
///
/// Creating means: intended, and whether its pod exists is to be looked up. Running means: its
/// container was seen to run, so a pod that is missing afterwards was lost. Backoff: the attempt
/// ended, the next one begins at retryAt.
enum class AttemptState {
  kWaiting,
  kCreating,
  kRunning,
  kSucceeded,
  kFailed,
  kBackoff,
  kCancelled,
};

/// One earlier attempt.
struct PastAttempt {
  int attempt = 0;
  std::string reason;
  std::string node;
  std::string pod;
};

/// What prepare, publish and each stage have in common.
struct AttemptStatus {
  AttemptState state = AttemptState::kWaiting;
  int attempt = 0;
  std::string pod;
  std::string node;
  std::optional<TimePoint> startTime;
  std::optional<TimePoint> completionTime;
  std::vector<PastAttempt> attempts;  ///< the last 8
  std::string reason;                 ///< why it does not progress, or why the last attempt ended
  std::string message;
  std::optional<TimePoint> failingSince;  ///< first time of `reason` without a success in between
  std::optional<TimePoint> retryAt;       ///< kBackoff
};

struct StageStatus : AttemptStatus {
  int index = 0;
  std::string name;
  int steps = 0;
  int cachedSteps = 0;
  int line = 0;
  std::string image;  ///< of the pod; empty: scratch
  int baseStage = -1;
  std::vector<int> dependsOn;
  bool usesContext = false;
  bool usesFetched = false;
  bool usesCaches = false;
  std::vector<std::string> secrets;  ///< ids of RUN --mount=type=secret
  std::vector<std::string> ssh;      ///< ids of RUN --mount=type=ssh
  std::map<int, int>
      upstream;  ///< stage -> attempt this attempt is pinned to; JSON: [{stage, attempt}]
};

struct BaseImage {
  int stage = 0;
  std::string name;
  std::string digest;
};

struct RunStatus {
  std::string id;
  std::int64_t sequence = 0;
  std::int64_t generation = 0;
  std::string result;   ///< Succeeded | Failed | Cancelled; empty: unfinished
  std::string trigger;  ///< Created SpecChanged RemedyChanged RebuildRequested Restarted
  std::string sourceRevision;
  std::string isolation;  ///< UserNamespace | Baseline
  std::string start;      ///< Eager | WhenReady
  std::string accessMode;
  std::string claim;
  std::string node;  ///< where the ReadWriteOnce workspace is; empty on ReadWriteMany
  std::string builderImage;
  /// The spec it was begun with, as JSON, while it runs and onInputChange is FinishFirst; else
  /// empty.
  std::string spec;
  std::string planDigest;
  int target = 0;
  std::vector<BaseImage> baseImages;
  AttemptStatus prepare;
  AttemptStatus publish;
  int infrastructureRetries = 0;  ///< charged ones
  bool noCache = false;           ///< caches are written, not read: rebuild-no-cache
  int restarts = 0;               ///< runs before this one that a lost or full node ended
  std::optional<TimePoint> startTime;
  std::string queue;      ///< that it waits in or was admitted from; may be empty
  int queuePosition = 0;  ///< while it waits: coarsely (lib/queue), as of the last write
  std::optional<TimePoint> admittedTime;  ///< the queue let it begin
  std::optional<TimePoint> activeTime;    ///< prepare got its node; the timeout counts from here
  std::optional<TimePoint> completionTime;
  std::int64_t durationSeconds = 0;  ///< written with completionTime; and as text in `duration`
};

struct ImageStatus {
  std::string reference;
  std::string digest;
  std::vector<std::string> tags;
  std::string mediaType;
  std::int64_t sizeBytes = 0;
  int layers = 0;
};

struct LastSuccessful {
  std::string runID;
  std::string reference;
  std::string digest;
  std::string sourceRevision;
  std::optional<TimePoint> completionTime;
};

/// One run that is over.
struct PastRun {
  std::string runID;
  std::string result;  ///< Succeeded | Failed | Cancelled | Restarted
  std::string reason;  ///< of a failure
  std::string digest;
  std::string trigger;
  std::optional<TimePoint> startTime;
  std::optional<TimePoint> completionTime;
};

struct FailureStatus {
  std::string class_;  ///< JSON key: class. User | Platform | Policy
  std::string reason;
  std::string policy;  ///< with reason PolicyViolation: the BuildPolicy that refused
  std::string rule;    ///< and its field; a failure with a rule ends when the rule does
  std::string stage;
  std::string instruction;
  int line = 0;
  int exitCode = 0;
  std::string attempt;  ///< "1/4"
  std::string message;
  std::string logTail;
  std::string pod;
  std::string container;
  std::string logCommand;
};

struct BuildWarning {
  std::string rule;
  int line = 0;
  std::string message;
  std::string url;
};

struct ImageBuildStatus {
  std::int64_t observedGeneration = -1;
  std::string phase;
  std::string progress;
  std::string output;  ///< repository and first tag, for a printer column
  std::string inputHash;
  std::string remediesHash;
  std::string lastHandledRebuild;
  std::string lastHandledNoCacheRebuild;
  std::optional<RunStatus> run;
  std::vector<StageStatus> stages;
  std::optional<ImageStatus> image;
  std::optional<LastSuccessful> lastSuccessful;
  std::optional<FailureStatus> failure;
  std::vector<BuildWarning> warnings;
  std::vector<PastRun> history;  ///< the newest first
  ConditionSet conditions;
};

/// Unknown fields are ignored: a newer operator may have written them.
Result<ImageBuildStatus> parseStatus(const JsonReader& status);
/// The complete status; what is not set is left out, so two statuses are equal iff their JSON is.
Json toJson(const ImageBuildStatus& status);

std::string_view attemptStateName(AttemptState state);

/// True from the moment the run succeeded, failed or was cancelled.
bool isFinished(const RunStatus& run);

}  // namespace stagewright::api
