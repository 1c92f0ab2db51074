#include "operator/caches.h"

#include <nlohmann/json.hpp>

#include "lib/api/image_build.h"
#include "operator/cluster_facts.h"
#include "operator/policy_board.h"

namespace stagewright::op {

namespace {

constexpr std::string_view kRunKeyVariable = "STAGEWRIGHT_RUN_KEY";

kube::InformerOptions childOptions(const kube::Resource& resource, const Caches::Options& options,
                                   std::function<void(Json&)> trim) {
  return {.resource = resource,
          .ns = options.ns,
          .labelSelector = std::string(api::kBuildLabel),
          .index = buildKeyOf,
          .trim = std::move(trim),
          .watchList = options.watchList};
}

/// Every namespace carries its name as a label.
kube::InformerOptions namespaceOptions(const Caches::Options& options) {
  return {.resource = kube::kNamespaces,
          .labelSelector = options.ns.empty() ? "" : "kubernetes.io/metadata.name=" + options.ns,
          .trim = trimNamespace,
          .watchList = options.watchList};
}

Json trimContainer(const Json& container) {
  Json kept = {{"name", container.value("name", "")}, {"image", container.value("image", "")}};
  const auto env = container.find("env");
  if (env != container.end() && env->is_array()) {
    for (const Json& variable : *env) {
      if (variable.value("name", "") == kRunKeyVariable) {
        kept["env"].push_back(variable);
      }
    }
  }
  return kept;
}

void trimContainers(const Json& from, Json& to, const char* key) {
  const auto containers = from.find(key);
  if (containers == from.end() || !containers->is_array()) {
    return;
  }
  for (const Json& container : *containers) {
    to[key].push_back(trimContainer(container));
  }
}

}  // namespace

void trimPod(Json& pod) {
  const auto spec = pod.find("spec");
  if (spec == pod.end() || !spec->is_object()) {
    return;
  }
  Json kept = Json::object();
  if (const auto node = spec->find("nodeName"); node != spec->end()) {
    kept["nodeName"] = *node;
  }
  trimContainers(*spec, kept, "initContainers");
  trimContainers(*spec, kept, "containers");
  *spec = std::move(kept);
}

std::string buildKeyOf(const Json& child) {
  const auto metadata = child.find("metadata");
  if (metadata == child.end() || !metadata->is_object()) {
    return "";
  }
  const auto labels = metadata->find("labels");
  if (labels == metadata->end() || !labels->is_object()) {
    return "";
  }
  const std::string build = labels->value(std::string(api::kBuildLabel), "");
  return build.empty() ? "" : metadata->value("namespace", "") + "/" + build;
}

Caches::Caches(kube::ApiClient& client, Clock& clock, const Options& options,
               CacheListener& listener)
    : builds_(
          client, clock,
          {.resource = kube::kImageBuilds, .ns = options.ns, .watchList = options.watchList},
              [&listener](const kube::Change& change) { listener.onBuild(change); }),
      pods_(client, clock, childOptions(kube::kPods, options, trimPod),
            [&listener](const kube::Change& change) { listener.onPod(change); }),
      claims_(client, clock, childOptions(kube::kClaims, options, nullptr),
              [&listener](const kube::Change& change) { listener.onClaim(change); }),
      nodes_(client, clock,
             {.resource = kube::kNodes, .trim = trimNode, .watchList = options.watchList},
             [&listener](const kube::Change& change) { listener.onNode(change); }),
      policies_(client, clock,
                {.resource = kube::kBuildPolicies, .watchList = options.watchList},
                [&listener](const kube::Change& change) { listener.onPolicy(change); }),
      namespaces_(client, clock, namespaceOptions(options),
                  [&listener](const kube::Change& change) { listener.onNamespace(change); }) {}

Caches::~Caches() { stop(); }

void Caches::start() {
  for (kube::Informer* informer :
       {&policies_, &namespaces_, &nodes_, &builds_, &pods_, &claims_}) {
    threads_.emplace_back([informer](std::stop_token stop) { informer->run(stop); });
  }
}

void Caches::stop() {
  for (std::jthread& thread : threads_) {
    thread.request_stop();
  }
  threads_.clear();
}

bool Caches::areSynced() const { return missing().empty(); }

std::string Caches::missing() const {
  std::string out;
  const auto check = [&](const char* name, bool synced) {
    out += synced ? "" : std::string(out.empty() ? "" : ", ") + name;
  };
  check("imagebuilds", builds_.isSynced());
  check("pods", pods_.isSynced());
  check("persistentvolumeclaims", claims_.isSynced());
  check("nodes", nodes_.isSynced() || nodes_.isDenied());
  check("buildpolicies", policies_.isSynced() || policies_.isUnknown());
  check("namespaces", namespaces_.isSynced());
  return out;
}

std::string Caches::cutOff() const {
  std::string out;
  const auto check = [&](const char* name, const kube::Informer& informer) {
    out += informer.isCutOff() ? std::string(out.empty() ? "" : ", ") + name : "";
  };
  check("imagebuilds", builds_);
  check("pods", pods_);
  check("persistentvolumeclaims", claims_);
  return out;
}

std::string Caches::version(CachedKind kind) const {
  switch (kind) {
    case CachedKind::kBuild:
      return builds_.resourceVersion();
    case CachedKind::kPod:
      return pods_.resourceVersion();
    case CachedKind::kClaim:
      return claims_.resourceVersion();
  }
  return "";
}

}  // namespace stagewright::op
