// What the operator saw: pods and claims of one build, what followed logs said, facts about the
// cluster. The only input of planBuild besides the object itself and the time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "lib/api/image_build.h"
#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/base/json.h"
#include "lib/plan/report.h"
#include "lib/plan/summary.h"
#include "lib/pods/pods.h"
#include "lib/policy/policy.h"

namespace stagewright::lifecycle {

enum class PodPhase { kPending, kRunning, kSucceeded, kFailed, kUnknown };

/// The main container ("prepare", "stage", "publish") unless an init container is the one in
/// trouble.
struct ObservedContainer {
  enum class State { kNone, kWaiting, kRunning, kTerminated };
  State state = State::kNone;
  std::string name;
  std::string image;
  std::string reason;   ///< ImagePullBackOff, OOMKilled, StartError, …
  std::string message;  ///< waiting: the kubelet's cause; terminated: the termination message
  int exitCode = 0;
  std::optional<TimePoint> startedAt;
  std::optional<TimePoint> finishedAt;
};

struct ObservedPod {
  std::string name;
  std::string uid;
  std::string ownerUid;  ///< of the controller
  std::string role;      ///< prepare, stage, publish
  int stage = -1;
  int attempt = 0;
  std::string runId;
  PodPhase phase = PodPhase::kPending;
  std::string reason;  ///< of the pod: Evicted, DeadlineExceeded, OutOfcpu, NodeAffinity, …
  std::string message;
  ObservedContainer container;
  std::string node;
  std::optional<TimePoint> creationTimestamp;
  std::optional<TimePoint> startTime;
  std::optional<TimePoint> deletionTimestamp;  ///< when its grace ends
  bool disruptionTarget = false;               ///< condition DisruptionTarget is True
  std::string disruptionReason;
  bool isMounting = false;    ///< its volumes or its network are not ready yet
  std::string unschedulable;  ///< message of PodScheduled=False with reason Unschedulable
  std::optional<TimePoint> unschedulableSince;
  bool gated = false;  ///< a scheduling gate holds it, such as Kueue's
  std::string
      runKey;  ///< 32 raw bytes from the environment of prepare and publish; empty otherwise

  bool isTerminal() const { return phase == PodPhase::kSucceeded || phase == PodPhase::kFailed; }
  bool isRunning() const {
    return phase == PodPhase::kRunning && container.state == ObservedContainer::State::kRunning;
  }
};

struct ObservedClaim {
  std::string name;
  std::string uid;
  std::string ownerUid;  ///< empty for a claim the user named
  std::string runId;
  std::string phase;  ///< Pending, Bound, Lost
  std::vector<std::string> accessModes;
  bool allowsBuilds = false;  ///< carries the label build.stagewright.dev/workspace
  std::optional<TimePoint> creationTimestamp;
  std::optional<TimePoint> deletionTimestamp;
};

/// kInvalid if the object is no pod (claim) of a build. Never throws, whatever the object holds.
Result<ObservedPod> observePod(const Json& pod);
Result<ObservedClaim> observeClaim(const Json& claim);

/// What the sealed frames of one prepare or publish pod have said so far.
struct LogFacts {
  std::optional<plan::PlanSummary> plan;   ///< prepare
  bool pushChecked = false;                ///< publish may push
  std::optional<plan::ImageReport> image;  ///< publish: the tags stand
  std::optional<plan::Failure> failure;
  bool complete = false;  ///< the log was read to its end after the container had ended
  /// When it was first asked for after the container's end; nothing: other logs came first so far.
  std::optional<TimePoint> askedAtEnd{};
};

/// Folds one line of the log of `pod` into `facts`. Lines without a right seal are build output and
/// change nothing, so reading a log twice is harmless. Errors: kInvalid for a sealed frame that
/// cannot be read (a bug in our pod). REQUIRES: pod.runKey is known.
Status foldLogLine(LogFacts& facts, const ObservedPod& pod, std::string_view line);

/// The last refusal of a create, by object name; forgotten by the operator when a create of that
/// name succeeds.
struct CreateError {
  int httpStatus = 0;  ///< 0: no answer
  std::string reason;  ///< of the Status object: Forbidden, AlreadyExists, Invalid, …
  std::string message;
  TimePoint first{};  ///< of the unbroken series of refusals
  TimePoint last{};
  int count = 1;
};

struct NodeFacts {
  std::string name;
  bool ready = true;
  std::optional<TimePoint> notReadySince;
  bool schedulable = true;
  bool userNamespaces = false;  ///< of the default runtime handler
  std::map<std::string, std::string> labels;
};

/// Empty `nodes` means "not known" and decides nothing.
struct ClusterFacts {
  std::vector<NodeFacts> nodes;
  bool imageVolumes = false;
};

struct Settings {
  pods::PodSettings pods;
  Millis timeout = std::chrono::hours(1);
  Millis credentialGrace = std::chrono::minutes(2);
  Millis pullGrace = std::chrono::seconds(60);
  Millis nodeGrace = std::chrono::seconds(60);
  Millis startGrace = std::chrono::minutes(10);  ///< from scheduled to running, pull included
  Millis logGrace = std::chrono::seconds(30);    ///< from asking for a log to giving up on it
  int infrastructureRetries = 3;
  int history = 5;
  Millis podTTL = std::chrono::hours(24);
  Millis workspaceTTL{0};  ///< zero: the workspace goes with the end of a run
};

/// What the queue answered to Decision::ticket.
struct Admission {
  bool granted = true;
  int position = 0;   ///< queue::coarsePosition
  bool held = false;  ///< by a policy, not by others
  std::string why;    ///< a sentence
};

struct World {
  std::vector<ObservedPod> pods;      ///< labelled with this build's name AND owned by its uid
  std::vector<ObservedClaim> claims;  ///< owned by its uid, and the one workspace.claimName names
  std::set<std::string> seenPods;     ///< names of pods that are or were there, as far as is known
  std::map<std::string, LogFacts> logs;  ///< by pod name
  std::map<std::string, CreateError> createErrors;
  ClusterFacts cluster;
  Settings settings;
  std::string freshRunKey;  ///< 32 random bytes, new for every call
  /// Who else works on the same ReadWriteOnce claim and comes first (see claimHolder); empty:
  /// nobody.
  std::string claimHolder;
  Admission admission;
  policy::Policies policies;  ///< of the build's namespace
};

/// Runs on one ReadWriteOnce claim go one after the other, by (run.startTime, uid). Among `others`
/// (builds of the same namespace) the first unfinished run on the claim of `build` that comes
/// before its own: `ImageBuild "x"`, or empty.
std::string claimHolder(const api::ImageBuild& build, const std::vector<api::ImageBuild>& others);

}  // namespace stagewright::lifecycle
