#include "operator/cluster_facts.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "operator/json_at.h"

namespace stagewright::op {

namespace {

bool trueAt(const Json& object, const char* key) {
  const Json& value = at(object, key);
  return value.is_boolean() && value.get<bool>();
}

int numberFrom(std::string_view text) {
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

/// Major and minor of `v1.36.3`, `2.3.7`.
std::pair<int, int> majorMinor(std::string_view version) {
  version.remove_prefix(version.starts_with('v') ? 1 : 0);
  const std::size_t dot = version.find('.');
  return {numberFrom(version),
          dot == std::string_view::npos ? 0 : numberFrom(version.substr(dot + 1))};
}

/// `containerd://2.3.7`, `cri-o://1.31.0`.
bool runtimeMountsImages(const std::string& runtime) {
  const std::size_t at = runtime.find("://");
  if (at == std::string::npos) {
    return false;
  }
  const auto version = majorMinor(std::string_view(runtime).substr(at + 3));
  return (runtime.starts_with("containerd") && version >= std::pair(2, 1)) ||
         (runtime.starts_with("cri-o") && version >= std::pair(1, 31));
}

void readReady(const Json& status, lifecycle::NodeFacts& facts) {
  facts.ready = false;
  for (const Json& condition : at(status, "conditions")) {
    if (textAt(condition, "type") != "Ready") {
      continue;
    }
    facts.ready = textAt(condition, "status") == "True";
    if (const Result<TimePoint> since = parseTime(textAt(condition, "lastTransitionTime"));
        since && !facts.ready) {
      facts.notReadySince = *since;
    }
  }
}

/// The default handler is the one without a name.
bool hasUserNamespaces(const Json& status) {
  const Json& handlers = at(status, "runtimeHandlers");
  return std::any_of(handlers.begin(), handlers.end(), [](const Json& handler) {
    return textAt(handler, "name").empty() && trueAt(at(handler, "features"), "userNamespaces");
  });
}

/// Times of unready nodes only grow; everything else is compared.
bool matters(const NodeKnowledge& a, const NodeKnowledge& b) {
  return a.facts.ready != b.facts.ready || a.facts.schedulable != b.facts.schedulable ||
         a.facts.userNamespaces != b.facts.userNamespaces || a.imageVolumes != b.imageVolumes;
}

}  // namespace

NodeKnowledge parseNode(const Json& node) {
  NodeKnowledge known;
  const Json& metadata = at(node, "metadata");
  const Json& status = at(node, "status");
  known.facts.name = textAt(metadata, "name");
  known.facts.schedulable = !trueAt(at(node, "spec"), "unschedulable");
  known.facts.userNamespaces = hasUserNamespaces(status);
  readReady(status, known.facts);
  const Json& labels = at(metadata, "labels");
  for (auto it = labels.begin(); it != labels.end() && labels.is_object(); ++it) {
    if (it->is_string()) {
      known.facts.labels[it.key()] = it->get<std::string>();
    }
  }
  const Json& info = at(status, "nodeInfo");
  known.imageVolumes =
      majorMinor(textAt(info, "kubeletVersion")) >= std::pair(1, kImageVolumeMinor) &&
      runtimeMountsImages(textAt(info, "containerRuntimeVersion"));
  return known;
}

void trimNode(Json& node) {
  Json kept = {{"metadata", at(node, "metadata")}};
  kept["metadata"].erase("annotations");
  kept["spec"]["unschedulable"] = trueAt(at(node, "spec"), "unschedulable");
  for (const char* key : {"conditions", "runtimeHandlers", "nodeInfo"}) {
    kept["status"][key] = at(at(node, "status"), key);
  }
  node = std::move(kept);
}

int parseMinor(const std::string& minor) { return numberFrom(minor); }

bool ClusterFactsBoard::update(const std::string& name, const Json* node) {
  auto nodes = nodes_.lock();
  if (node == nullptr) {
    return nodes->erase(name) > 0;
  }
  NodeKnowledge known = parseNode(*node);
  const auto [it, isNew] = nodes->try_emplace(name);
  const bool changed = isNew || matters(it->second, known);
  it->second = std::move(known);
  return changed;
}

lifecycle::ClusterFacts ClusterFactsBoard::facts() const {
  lifecycle::ClusterFacts facts;
  auto nodes = nodes_.lock();
  bool everywhere = !nodes->empty() && serverMinor_ >= kImageVolumeMinor;
  for (const auto& [name, known] : *nodes) {
    facts.nodes.push_back(known.facts);
    everywhere = everywhere && known.imageVolumes;
  }
  facts.imageVolumes =
      choice_ == ImageVolumes::kOn || (choice_ == ImageVolumes::kAuto && everywhere);
  return facts;
}

}  // namespace stagewright::op
