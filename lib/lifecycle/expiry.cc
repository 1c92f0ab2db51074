// retention.ttlAfterFinished: the end of the object itself.
#include <nlohmann/json.hpp>

#include "lib/lifecycle/phases.h"

namespace stagewright::lifecycle {

namespace {
/// Once when the run ends, and once more for each edit after it.
void announceIgnored(Turn& turn) {
  const api::ImageBuildStatus& before = turn.build.status;
  const bool news = !before.run || !api::isFinished(*before.run) ||
                    before.observedGeneration != turn.build.metadata.generation;
  if (news) {
    turn.event(true, "TTLIgnored",
               "spec.retention.ttlAfterFinished is ignored: the object is tracked by " +
                   turn.build.metadata.gitOpsOwner +
                   ", which would create it again after its deletion");
  }
}
}  // namespace

void planExpiry(Turn& turn) {
  const std::optional<Millis>& ttl = turn.build.spec.retention.ttlAfterFinished;
  if (!ttl || !turn.status().run || !api::isFinished(turn.run()) || !turn.run().completionTime) {
    return;
  }
  if (!turn.build.metadata.gitOpsOwner.empty()) {
    if (turn.asked.retention.ttlAfterFinished) {  // a policy's default is meant for the others
      announceIgnored(turn);
    }
    return;
  }
  const TimePoint end = *turn.run().completionTime + *ttl;
  const bool settled = api::toJson(turn.status()) == api::toJson(turn.build.status);
  if (turn.now < end || !settled) {
    turn.wakeAt(end);
    return;
  }
  const api::Metadata& metadata = turn.build.metadata;
  turn.decision.actions = {
      {Action::Kind::kDeleteBuild, metadata.name, metadata.uid, {}, metadata.resourceVersion}};
}

}  // namespace stagewright::lifecycle
