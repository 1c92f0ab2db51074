// Which stage may run now. A pure function over the graph and its newest attempts; the operator and
// the local engine ask it after every change.
#pragma once

#include <map>
#include <vector>

namespace stagewright::schedule {

/// kEager: a stage starts when those it reads are running or have succeeded, and waits inside for
/// their artifacts. kWhenReady: when they have succeeded.
enum class Start { kEager, kWhenReady };

enum class State {
  kWaiting,   ///< no attempt, or the last one was dropped; the next may start
  kHeld,      ///< the last attempt ended without success and the next must not start yet (backoff)
  kStarting,  ///< created, not seen to run
  kRunning,
  kSucceeded,
};

/// One stage; its index is its place in the list, and it depends only on smaller ones.
struct Stage {
  int baseStage = -1;
  std::vector<int> dependsOn;
  State state = State::kWaiting;
  int attempt = 0;              ///< newest, 0: none yet
  std::map<int, int> upstream;  ///< what the newest attempt is pinned to
};

struct NextSteps {
  std::vector<int> start;  ///< may begin attempt + 1 now, ascending
  /// Started or even succeeded, but pinned to an attempt that ended without success, or to such a
  /// stage: their pods must go, and be gone, before what they read is started again. A stage is
  /// never in both lists.
  std::vector<int> drop;
};

/// `maxParallel`: stages that may be starting or running at the same time; 0: any number. A stage
/// that waits inside for its upstreams counts too; they hold places of their own, so somebody
/// always gets on. REQUIRES: every index in baseStage and dependsOn is below the stage's own.
NextSteps nextSteps(const std::vector<Stage>& stages, Start start, int maxParallel = 0);

/// Stages whose files `stage` reads: those it depends on, and all below its base (their layers make
/// up its root).
std::vector<int> readsOf(const std::vector<Stage>& stages, int stage);

/// The attempts a new attempt of `stage` is to be pinned to: the newest of everything it reads.
std::map<int, int> pinsOf(const std::vector<Stage>& stages, int stage);

}  // namespace stagewright::schedule
