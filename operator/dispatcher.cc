#include "operator/dispatcher.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "lib/api/image_build.h"
#include "lib/lifecycle/world.h"
#include "operator/build_measures.h"
#include "operator/json_at.h"

namespace stagewright::op {

namespace {

/// Our own status writes change none of these.
bool differsForUsers(const Json& before, const Json& after) {
  const Json& a = at(before, "metadata");
  const Json& b = at(after, "metadata");
  for (const char* key : {"uid", "generation", "annotations", "labels", "deletionTimestamp"}) {
    if (at(a, key) != at(b, key)) {
      return true;
    }
  }
  return false;
}

std::string phaseOf(const Json* build) {
  return build == nullptr ? "" : textAt(at(*build, "status"), "phase");
}

std::string waitingReasonOf(const Json* build) {
  if (build == nullptr) {
    return "";
  }
  for (const Json& condition : at(at(*build, "status"), "conditions")) {
    if (textAt(condition, "type") == api::condition::kReady &&
        textAt(condition, "status") == "Unknown") {
      return textAt(condition, "reason");
    }
  }
  return "";
}

}  // namespace

void Dispatcher::onBuild(const kube::Change& change) {
  if (onBuildChange_) {
    onBuildChange_(change);
  }
  const bool look = change.before == nullptr || change.after == nullptr ||
                    differsForUsers(*change.before, *change.after);
  if (look) {
    queue_.add(change.key, change.initial ? Lane::kLater : Lane::kUsers);
  }
  measureBuild(change);
}

void Dispatcher::onPod(const kube::Change& change) {
  if (onPodSeen_ && change.after != nullptr) {
    onPodSeen_(buildKeyOf(*change.after), textAt(at(*change.after, "metadata"), "name"));
  }
  enqueueChild(change);
  measurePod(change);
}

void Dispatcher::onClaim(const kube::Change& change) { enqueueChild(change); }

void Dispatcher::enqueueChild(const kube::Change& change) {
  const std::string key = buildKeyOf(change.after != nullptr ? *change.after : *change.before);
  if (!key.empty()) {
    queue_.add(key, change.initial ? Lane::kLater : Lane::kProgress);
  }
}

void Dispatcher::onNode(const kube::Change& change) {
  const bool matters = cluster_.update(change.key, change.after);
  if (!matters || change.initial || !buildsOnNode_) {
    return;
  }
  for (const std::string& key : buildsOnNode_(change.key)) {
    queue_.add(key);
  }
}

void Dispatcher::onPolicy(const kube::Change& change) {
  policies_.updatePolicy(change.key, change.after);
  if (onRulesChange_) {
    onRulesChange_("");
  }
}

void Dispatcher::onNamespace(const kube::Change& change) {
  if (policies_.updateNamespace(change.key, change.after) && onRulesChange_) {
    onRulesChange_(change.key);
  }
}

void Dispatcher::measureBuild(const kube::Change& change) {
  metrics_.moveBuild(phaseOf(change.before), phaseOf(change.after));
  metrics_.moveWaiting(waitingReasonOf(change.before), waitingReasonOf(change.after));
  progress_.onPhase(phaseOf(change.before), phaseOf(change.after));
  if (change.initial || change.before == nullptr || change.after == nullptr) {
    return;
  }
  const auto before = api::parseStatus(JsonReader(at(*change.before, "status")));
  const auto after = api::parseStatus(JsonReader(at(*change.after, "status")));
  if (!before || !after) {
    return;
  }
  if (hasAdvanced(*before, *after)) {
    progress_.onAdvance();
  }
  if (leading_.load()) {
    measureChange(*before, *after, metrics_);
  }
}

void Dispatcher::measurePod(const kube::Change& change) {
  if (!leading_.load() || change.initial || change.after == nullptr || change.before == nullptr) {
    return;
  }
  const auto before = lifecycle::observePod(*change.before);
  const auto after = lifecycle::observePod(*change.after);
  if (!before || !after || before->container.startedAt || !after->container.startedAt ||
      !after->creationTimestamp) {
    return;
  }
  const std::chrono::duration<double> took =
      *after->container.startedAt - *after->creationTimestamp;
  metrics_.onPodStarted(took.count());
}

std::vector<std::string> buildsOnNode(const kube::Store& pods, const std::string& node) {
  std::set<std::string> keys;
  for (const Json& pod : pods.all()) {
    if (textAt(at(pod, "spec"), "nodeName") == node) {
      keys.insert(buildKeyOf(pod));
    }
  }
  keys.erase("");
  return {keys.begin(), keys.end()};
}

}  // namespace stagewright::op
