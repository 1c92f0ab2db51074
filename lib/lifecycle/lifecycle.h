// What to do next for one build.
//
// Level-based: the decision depends on what is observed, never on which event woke us. Intent comes
// first: attempt numbers are in the status before a pod of that attempt is created, and names
// follow from them, so whoever crashes between any two writes finds the way again.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/api/image_build.h"
#include "lib/base/clock.h"
#include "lib/base/json.h"
#include "lib/lifecycle/world.h"
#include "lib/queue/fair_queue.h"

namespace stagewright::lifecycle {

struct Action {
  enum class Kind { kCreateClaim, kCreatePod, kDeletePod, kDeleteClaim, kDeleteBuild };
  Kind kind = Kind::kCreatePod;
  std::string name;
  std::string uid;                ///< deletes: the precondition
  std::string body;               ///< creates: the object as JSON
  std::string resourceVersion{};  ///< kDeleteBuild: a second precondition, so that no edit is lost
  bool hasTime = false;  ///< deletes of what a successful run leaves: nobody waits for them
};

struct EventNote {
  bool warning = false;
  std::string reason;  ///< RunStarted, StageStarted, …
  std::string note;    ///< at most 1024 bytes, clean
};

/// How to apply it, in this order:
///  1. confirmAbsent: a live GET of each pod. One that exists means that the cache was stale: drop
///  the decision, refresh,
///     plan again.
///  2. If toJson(status) differs from the object's status: write it (status subresource, with the
///  resourceVersion that
///     `build` had); at once, unless it mayWait: then nothing of the decision is done until its
///     time has come or something else happens. On conflict or error drop the rest and come again:
///     nothing was created.
///  3. actions, in order; each is independent, and one that hasTime may come after the work of
///  other builds. Create: 201 is success; AlreadyExists is success if
///  isSameChild says so,
///     else report {409, AlreadyExists} in World::createErrors; other refusals go there too.
///     Delete: with `uid` as precondition, background; 404 and 409 are success. No answer or 5xx:
///     go on, and come again with backoff.
///  4. events (only if the status write of this decision happened, or none was needed).
///  5. followLogs: keep following exactly these; every new fact is a reason to plan again.
///  6. Come again after requeueAfter, or when something changes.
struct Decision {
  api::ImageBuildStatus status;
  std::vector<std::string> confirmAbsent;
  std::vector<Action> actions;
  std::vector<EventNote> events;
  std::vector<std::string> followLogs;  ///< pod names: read from the start, folded by foldLogLine
  /// The run wants to be admitted. Whoever keeps the queue asks it and plans again with its answer
  /// in World::admission.
  std::optional<queue::Ticket> ticket;
  std::optional<Millis> requeueAfter;
};

/// Whether the decision does nothing but tell people that attempts began to run or ended well: its
/// status may be written later, together with what happens until then. Intents, failures, reasons
/// and the end never wait.
bool mayWait(const api::ImageBuild& build, const Decision& decision);

/// Pure. A build that is being deleted gets an unchanged status and no actions: the garbage
/// collector removes the rest.
Decision planBuild(const api::ImageBuild& build, const World& world, TimePoint now);

/// Pods may exist for it: it has a place until it is finished.
bool isAdmitted(const api::RunStatus& run);

/// Whether an object that answered AlreadyExists is the child we meant: same controller uid, same
/// labels of ours.
bool isSameChild(const Json& existing, const Json& wanted);

}  // namespace stagewright::lifecycle
