// The parts of planBuild, in the order in which it asks them. Each looks at the turn and moves the
// status of its part. Internal to lib/lifecycle.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/lifecycle/turn.h"
#include "lib/policy/check.h"
#include "lib/schedule/schedule.h"

namespace stagewright::lifecycle {

// run_identity.cc
/// Starts a run if the inputs ask for one that does not exist. Returns false if one is wanted but
/// `suspend` holds it.
bool beginRunIfWanted(Turn& turn);
/// The build with the spec that its run was begun with, if that is to be finished first although
/// the inputs were edited since.
std::optional<api::ImageBuild> asBegun(const api::ImageBuild& build, const World& world);
/// Inputs or the rebuild token are no longer those of the run, or it failed and its remedies are
/// not.
bool isNextWanted(const api::ImageBuild& build);
/// The same inputs once more under a new id and with a new claim: the workspace or the run's key is
/// lost. After three restarts the run fails instead.
void restartRun(Turn& turn, std::string_view reason, const std::string& cause);
/// The annotation names this run.
bool isCancelled(Turn& turn);
/// Ends a run whose time is over.
void checkTimeout(Turn& turn);

// admission.cc
policy::Fallbacks fallbacksOf(const World& world);
/// What the policies have against the spec, and against the plan as far as status tells it.
std::optional<policy::Violation> violationOf(Turn& turn);
/// The end of a run that a policy refuses.
Outcome refusalOf(const policy::Violation& violation);
/// False while the run waits for its turn, or if it has waited too long.
bool admitRun(Turn& turn);

// workspace.cc
/// Chooses isolation and start mode once the claim is known. False while there is nothing to work
/// on.
bool settleWorkspace(Turn& turn);
/// Restarts a run whose ReadWriteOnce node or whose claim is gone, or whose key nobody knows any
/// more.
void checkWorkspace(Turn& turn);

// prepare_phase.cc
void planPrepare(Turn& turn);

// stage_phase.cc
void planStages(Turn& turn);
/// Indexes and edges hold together: status could have been written by someone else.
bool areSound(const std::vector<api::StageStatus>& stages);

// publish_phase.cc
void lookAtPublish(Turn& turn);
/// After the stages: begins an attempt, or gives way to a stage that finds no room.
void planPublish(Turn& turn);

// actions.cc
void planActions(Turn& turn);

// expiry.cc
/// Deletes a build whose time is over. REQUIRES: no run is wanted.
void planExpiry(Turn& turn);

// status_writer.cc
/// `held`: a run is wanted but suspend holds it.
void writeStatus(Turn& turn, bool held);
void writeInvalidSpec(Turn& turn);

}  // namespace stagewright::lifecycle
