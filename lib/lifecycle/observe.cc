// Pods and claims as the API server sends them -> what the planner looks at.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/base/hash.h"
#include "lib/lifecycle/world.h"
#include "lib/plan/contract.h"

namespace stagewright::lifecycle {

namespace {
constexpr std::size_t kMaxText = 4096;
constexpr std::size_t kRunKeyBytes = 32;

/// Reads what has the right type and takes everything else for absent: pods are not our objects.
std::string textAt(const Json& object, std::string_view key) {
  if (!object.is_object()) {
    return {};
  }
  const auto it = object.find(std::string(key));
  return it != object.end() && it->is_string() ? it->get<std::string>().substr(0, kMaxText)
                                               : std::string();
}

const Json& partAt(const Json& object, std::string_view key) {
  static const Json kNothing;
  if (!object.is_object()) {
    return kNothing;
  }
  const auto it = object.find(std::string(key));
  return it == object.end() ? kNothing : *it;
}

std::optional<TimePoint> timeAt(const Json& object, std::string_view key) {
  const Result<TimePoint> time = parseTime(textAt(object, key));
  return time ? std::optional<TimePoint>(*time) : std::nullopt;
}

int numberAt(const Json& object, std::string_view key) {
  const Json& value = partAt(object, key);
  return value.is_number_integer() ? static_cast<int>(value.get<std::int64_t>()) : 0;
}

/// A label that counts: digits only, at most four.
int countOf(const std::string& text, int fallback) {
  return text.empty() || text.size() > 4 ||
                 text.find_first_not_of("0123456789") != std::string::npos
             ? fallback
             : std::stoi(text);
}

std::string controllerUid(const Json& metadata) {
  for (const Json& owner : partAt(metadata, "ownerReferences")) {
    if (partAt(owner, "controller") == Json(true)) {
      return textAt(owner, "uid");
    }
  }
  return {};
}

ObservedContainer readContainer(const Json& status) {
  using State = ObservedContainer::State;
  ObservedContainer out;
  out.name = textAt(status, "name");
  out.image = textAt(status, "image");
  const Json& state = partAt(status, "state");
  for (const auto& [key, kind] :
       {std::pair("waiting", State::kWaiting), std::pair("running", State::kRunning),
        std::pair("terminated", State::kTerminated)}) {
    const Json& part = partAt(state, key);
    if (part.is_object()) {
      out.state = kind;
      out.reason = textAt(part, "reason");
      out.message = textAt(part, "message");
      out.exitCode = numberAt(part, "exitCode");
      out.startedAt = timeAt(part, "startedAt");
      out.finishedAt = timeAt(part, "finishedAt");
    }
  }
  return out;
}

/// An init container counts if it is what the pod is stuck in: it waits for something, or it
/// failed.
bool isStuck(const ObservedContainer& init) {
  return (init.state == ObservedContainer::State::kWaiting && init.reason != "PodInitializing") ||
         (init.state == ObservedContainer::State::kTerminated && init.exitCode != 0);
}

/// The container that is called as the pod's role (the kubelet sorts them by name), unless another
/// one cannot even start.
ObservedContainer mainContainer(const Json& containers, std::string_view role) {
  ObservedContainer main;
  for (const Json& item : containers) {
    ObservedContainer container = readContainer(item);
    if (container.name == role) {
      main = std::move(container);
    } else if (container.state == ObservedContainer::State::kWaiting &&
               container.reason != "ContainerCreating" && container.reason != "PodInitializing") {
      return container;
    }
  }
  return main;
}

ObservedContainer decisiveContainer(const Json& status, std::string_view role) {
  for (const Json& item : partAt(status, "initContainerStatuses")) {
    ObservedContainer init = readContainer(item);
    if (isStuck(init)) {
      return init;
    }
  }
  const Json& containers = partAt(status, "containerStatuses");
  return containers.is_array() ? mainContainer(containers, role) : ObservedContainer();
}

PodPhase podPhaseOf(const std::string& text) {
  return text == "Pending"     ? PodPhase::kPending
         : text == "Running"   ? PodPhase::kRunning
         : text == "Succeeded" ? PodPhase::kSucceeded
         : text == "Failed"    ? PodPhase::kFailed
                               : PodPhase::kUnknown;
}

void readConditions(const Json& status, ObservedPod& out) {
  for (const Json& condition : partAt(status, "conditions")) {
    const std::string type = textAt(condition, "type");
    const std::string value = textAt(condition, "status");
    if (type == "DisruptionTarget" && value == "True") {
      out.disruptionTarget = true;
      out.disruptionReason = textAt(condition, "reason");
    } else if (type == "PodReadyToStartContainers" && value == "False") {
      out.isMounting = true;
    } else if (type == "PodScheduled" && value == "False" &&
               textAt(condition, "reason") == "SchedulingGated") {
      out.gated = true;
    } else if (type == "PodScheduled" && value == "False" &&
               textAt(condition, "reason") == "Unschedulable") {
      out.unschedulable = textAt(condition, "message");
      out.unschedulableSince = timeAt(condition, "lastTransitionTime");
      if (out.unschedulable.empty()) {
        out.unschedulable = "no node fits";
      }
    }
  }
}

/// A node whose clock is behind has started pods before they were created. Its times are moved to
/// the API server's clock, or what happens now would seem to be over for minutes.
void onServerClock(ObservedPod& pod) {
  if (!pod.startTime || !pod.creationTimestamp || *pod.startTime >= *pod.creationTimestamp) {
    return;
  }
  const auto lag = *pod.creationTimestamp - *pod.startTime;
  for (std::optional<TimePoint>* time :
       {&pod.startTime, &pod.container.startedAt, &pod.container.finishedAt}) {
    if (*time) {
      **time += lag;
    }
  }
}

std::string runKeyOf(const Json& spec) {
  const Json& containers = partAt(spec, "containers");
  if (!containers.is_array() || containers.empty()) {
    return {};
  }
  for (const Json& variable : partAt(containers[0], "env")) {
    if (textAt(variable, "name") == plan::kEnvRunKey) {
      const Result<std::string> key = fromHex(textAt(variable, "value"));
      return key && key->size() == kRunKeyBytes ? *key : std::string();
    }
  }
  return {};
}
}  // namespace

Result<ObservedPod> observePod(const Json& pod) {
  const Json& metadata = partAt(pod, "metadata");
  const Json& labels = partAt(metadata, "labels");
  const Json& status = partAt(pod, "status");
  ObservedPod out;
  out.name = textAt(metadata, "name");
  out.runId = textAt(labels, api::kRunLabel);
  out.role = textAt(labels, api::kRoleLabel);
  out.attempt = countOf(textAt(labels, api::kAttemptLabel), 0);
  out.stage = countOf(textAt(labels, api::kStageLabel), -1);
  const bool known = out.role == pods::kRolePrepare || out.role == pods::kRolePublish ||
                     (out.role == pods::kRoleStage && out.stage >= 0);
  if (out.name.empty() || out.runId.empty() || out.attempt < 1 || !known) {
    return invalid("pod " + quoted(out.name, 64) + " does not carry the labels of a build");
  }
  out.uid = textAt(metadata, "uid");
  out.ownerUid = controllerUid(metadata);
  out.creationTimestamp = timeAt(metadata, "creationTimestamp");
  out.deletionTimestamp = timeAt(metadata, "deletionTimestamp");
  out.phase = podPhaseOf(textAt(status, "phase"));
  out.reason = textAt(status, "reason");
  out.message = textAt(status, "message");
  out.startTime = timeAt(status, "startTime");
  out.node = textAt(partAt(pod, "spec"), "nodeName");
  out.container = decisiveContainer(status, out.role);
  out.runKey = runKeyOf(partAt(pod, "spec"));
  readConditions(status, out);
  onServerClock(out);
  return out;
}

Result<ObservedClaim> observeClaim(const Json& claim) {
  const Json& metadata = partAt(claim, "metadata");
  const Json& labels = partAt(metadata, "labels");
  ObservedClaim out;
  out.name = textAt(metadata, "name");
  if (out.name.empty()) {
    return invalid("a claim without a name");
  }
  out.uid = textAt(metadata, "uid");
  out.ownerUid = controllerUid(metadata);
  out.runId = textAt(labels, api::kRunLabel);
  out.allowsBuilds = labels.is_object() && labels.contains(std::string(api::kWorkspaceLabel));
  out.phase = textAt(partAt(claim, "status"), "phase");
  for (const Json& mode : partAt(partAt(claim, "spec"), "accessModes")) {
    if (mode.is_string()) {
      out.accessModes.push_back(mode.get<std::string>());
    }
  }
  out.creationTimestamp = timeAt(metadata, "creationTimestamp");
  out.deletionTimestamp = timeAt(metadata, "deletionTimestamp");
  return out;
}

}  // namespace stagewright::lifecycle
