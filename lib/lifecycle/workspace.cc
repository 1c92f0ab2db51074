// The claim of a run, and what follows from it: where pods may run, how they are isolated, how
// eagerly they start.
#include <algorithm>

#include "lib/api/reasons.h"
#include "lib/lifecycle/attempt.h"
#include "lib/lifecycle/phases.h"

namespace stagewright::lifecycle {

namespace {
namespace reason = api::reason;
using api::AttemptState;

/// For what nobody tells us of: claims without our labels, other builds, nodes.
constexpr std::chrono::seconds kLookAgain(5);

const ObservedClaim* findClaim(const Turn& turn, const std::string& name) {
  const auto it = std::find_if(turn.world.claims.begin(), turn.world.claims.end(),
                               [&](const ObservedClaim& claim) { return claim.name == name; });
  return it == turn.world.claims.end() ? nullptr : &*it;
}

bool isCandidate(const NodeFacts& node, const api::Execution& execution) {
  return node.ready && node.schedulable &&
         std::all_of(execution.nodeSelector.begin(), execution.nodeSelector.end(),
                     [&](const auto& label) {
                       const auto it = node.labels.find(label.first);
                       return it != node.labels.end() && it->second == label.second;
                     });
}

struct NodeCount {
  int candidates = 0;
  int withUserNamespaces = 0;
  std::string without;  ///< name of one
};

NodeCount countNodes(const Turn& turn) {
  NodeCount out;
  for (const NodeFacts& node : turn.world.cluster.nodes) {
    if (!isCandidate(node, turn.build.spec.execution)) {
      continue;
    }
    ++out.candidates;
    if (node.userNamespaces) {
      ++out.withUserNamespaces;
    } else {
      out.without = node.name;
    }
  }
  return out;
}

/// Auto takes user namespaces where every node has them. Volumes that several nodes share are
/// mostly NFS, which cannot be mounted in one, so there Auto does not try.
bool chooseIsolation(Turn& turn) {
  api::RunStatus& run = turn.run();
  const api::Isolation wanted = turn.build.spec.execution.isolation.value_or(api::Isolation::kAuto);
  const NodeCount nodes = countNodes(turn);
  if (wanted == api::Isolation::kUserNamespace) {
    if (nodes.candidates > 0 && nodes.withUserNamespaces == 0) {
      turn.wait(reason::kUnschedulable,
                "no node offers user namespaces, which spec.execution.isolation: UserNamespace "
                "needs");
      turn.wakeAt(turn.now + kLookAgain);
      return false;
    }
    run.isolation = "UserNamespace";
    return true;
  }
  const bool all = nodes.candidates > 0 && nodes.withUserNamespaces == nodes.candidates;
  const bool shared = run.accessMode == "ReadWriteMany";
  run.isolation = wanted == api::Isolation::kAuto && all && !shared ? "UserNamespace" : "Baseline";
  if (wanted == api::Isolation::kAuto && run.isolation == "Baseline") {
    turn.event(
        false, "RunStarted",
        "run " + run.id + " uses isolation Baseline: " +
            (shared                  ? std::string("the workspace is ReadWriteMany")
             : nodes.candidates == 0 ? std::string("the nodes are not known")
                                     : "node " + nodes.without + " offers no user namespaces"));
  }
  return true;
}

void chooseStart(Turn& turn) {
  api::RunStatus& run = turn.run();
  const api::Start wanted = turn.build.spec.execution.start.value_or(api::Start::kAuto);
  const bool eager = wanted == api::Start::kEager ||
                     (wanted == api::Start::kAuto && run.accessMode != "ReadWriteMany");
  run.start = eager ? "Eager" : "WhenReady";
}

/// False while the named claim cannot be used.
bool settleNamedClaim(Turn& turn, const std::string& name) {
  api::RunStatus& run = turn.run();
  run.claim = name;
  const ObservedClaim* claim = findClaim(turn, name);
  if (claim == nullptr || claim->deletionTimestamp) {
    const std::string message = "spec.workspace.claimName: there is no claim " + quoted(name, 128);
    const TimePoint end = run.startTime.value_or(turn.now) + turn.world.settings.startGrace;
    if (turn.now >= end) {
      turn.fail(outcomeOf(reason::kWorkspaceProvisioning, message));
    } else {
      turn.wait(reason::kWorkspaceProvisioning, message);
      turn.wakeAt(turn.now + kLookAgain);
    }
    return false;
  }
  if (!claim->allowsBuilds) {
    turn.fail(outcomeOf(reason::kWorkspaceIncompatible,
                        "claim " + quoted(name, 128) + " does not carry the label " +
                            std::string(api::kWorkspaceLabel) +
                            ", by which its owner agrees that builds write to it"));
    return false;
  }
  const auto offers = [&](std::string_view mode) {
    return std::find(claim->accessModes.begin(), claim->accessModes.end(), mode) !=
           claim->accessModes.end();
  };
  const bool shared = offers("ReadWriteMany");
  if (!shared && !offers("ReadWriteOnce")) {
    turn.fail(
        outcomeOf(reason::kWorkspaceIncompatible,
                  "claim " + quoted(name, 128) +
                      " is neither ReadWriteOnce nor ReadWriteMany; the pods of a run share it"));
    return false;
  }
  run.accessMode = shared ? "ReadWriteMany" : "ReadWriteOnce";
  if (!shared && !turn.world.claimHolder.empty()) {
    turn.wait(reason::kQueued, "claim " + quoted(name, 128) + " is used by " +
                                   turn.world.claimHolder + ", which comes first");
    turn.wakeAt(turn.now + kLookAgain);
    return false;
  }
  return true;
}

void settleOwnClaim(Turn& turn) {
  api::RunStatus& run = turn.run();
  run.claim = pods::claimName(turn.build.metadata.name, run.id);
  run.accessMode = turn.build.spec.workspace.accessMode.value_or(api::AccessMode::kReadWriteOnce) ==
                           api::AccessMode::kReadWriteMany
                       ? "ReadWriteMany"
                       : "ReadWriteOnce";
}
}  // namespace

bool settleWorkspace(Turn& turn) {
  if (!turn.run().isolation.empty()) {
    return true;
  }
  const std::string& named = turn.build.spec.workspace.claimName;
  if (named.empty()) {
    settleOwnClaim(turn);
  } else if (!settleNamedClaim(turn, named)) {
    return false;
  }
  const auto common = pods::commonNodeSelector(turn.build.spec);
  if (!common && turn.run().accessMode == "ReadWriteOnce") {
    turn.fail(outcomeOf(reason::kInvalidSpec, common.error().message));
    return false;
  }
  chooseStart(turn);
  return chooseIsolation(turn);
}

void checkWorkspace(Turn& turn) {
  const api::RunStatus& run = turn.run();
  if (run.prepare.state != AttemptState::kSucceeded) {
    return;
  }
  if (isLost(turn, run.node)) {
    restartRun(turn, reason::kNodeLost, "node " + run.node + " with the workspace is lost");
    return;
  }
  const NodeFacts* node = turn.findNode(run.node);
  if (node != nullptr && !node->ready) {
    turn.wait(reason::kNodeLost, "node " + run.node + " with the workspace is not ready");
    turn.wakeAt(node->notReadySince.value_or(turn.now) + turn.world.settings.nodeGrace);
  }
  const ObservedClaim* claim = findClaim(turn, run.claim);
  if (claim == nullptr || claim->deletionTimestamp || claim->phase == "Lost") {
    restartRun(turn, reason::kWorkspaceProvisioning, "the workspace " + run.claim + " is gone");
    return;
  }
  if (turn.runKey().empty()) {
    // What stages have sealed cannot be read any more.
    turn.decision.confirmAbsent.push_back(
        turn.podName(pods::kRolePrepare, -1, run.prepare.attempt));
    restartRun(turn, reason::kDisrupted, "pod " + run.prepare.pod + " with the run's key is gone");
  }
}

std::string claimHolder(const api::ImageBuild& build, const std::vector<api::ImageBuild>& others) {
  const std::string& name = build.spec.workspace.claimName;
  if (name.empty() || !build.status.run) {
    return {};
  }
  const auto rank = [](const api::ImageBuild& of) {
    return std::pair(of.status.run->startTime.value_or(TimePoint::max()), of.metadata.uid);
  };
  const api::ImageBuild* first = nullptr;
  for (const api::ImageBuild& other : others) {
    const bool competes = other.metadata.namespace_ == build.metadata.namespace_ &&
                          other.metadata.uid != build.metadata.uid && other.status.run &&
                          !api::isFinished(*other.status.run) && other.status.run->claim == name;
    if (competes && rank(other) < rank(build) && (first == nullptr || rank(other) < rank(*first))) {
      first = &other;
    }
  }
  return first == nullptr ? std::string() : "ImageBuild " + quoted(first->metadata.name, 64);
}

}  // namespace stagewright::lifecycle
