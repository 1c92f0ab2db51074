#include "operator/caches.h"

#include <nlohmann/json.hpp>

#include "lib/api/image_build.h"
#include "operator/cluster_facts.h"
#include "operator/json_at.h"
#include "operator/policy_board.h"

namespace stagewright::op {

namespace {

constexpr std::string_view kRunKeyVariable = "STAGEWRIGHT_RUN_KEY";

kube::InformerOptions childOptions(const kube::Resource& resource, const std::string& ns,
                                   bool watchList, std::function<void(Json&)> trim) {
  return {.resource = resource,
          .ns = ns,
          .labelSelector = std::string(api::kBuildLabel),
          .trim = std::move(trim),
          .watchList = watchList};
}

/// Of the namespaces that we work in. Every namespace carries its name as a label.
kube::InformerOptions namespaceOptions(const Caches::Options& options) {
  std::string names;
  for (const std::string& ns : options.namespaces) {
    names += (names.empty() ? "" : ",") + ns;
  }
  return {.resource = kube::kNamespaces,
          .labelSelector = names.empty() ? "" : "kubernetes.io/metadata.name in (" + names + ")",
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

std::string workedClaimKeyOf(const Json& build) {
  const Json& run = at(at(build, "status"), "run");
  const std::string claim = textAt(run, "claim");
  const bool working = !claim.empty() && textAt(run, "result").empty();
  return working ? textAt(at(build, "metadata"), "namespace") + "/" + claim : "";
}

Caches::Caches(kube::ApiClient& client, Clock& clock, const Options& options,
               CacheListener& listener)
    : clusterReads_(options.clusterReads),
      builds_(workedClaimKeyOf),
      pods_(buildKeyOf),
      claims_(buildKeyOf),
      nodes_(client, clock,
             {.resource = kube::kNodes, .trim = trimNode, .watchList = options.watchList},
             [&listener](const kube::Change& change) { listener.onNode(change); }),
      policies_(client, clock, {.resource = kube::kBuildPolicies, .watchList = options.watchList},
                [&listener](const kube::Change& change) { listener.onPolicy(change); }),
      namespaces_(client, clock, namespaceOptions(options),
                  [&listener](const kube::Change& change) { listener.onNamespace(change); }) {
  const auto add = [&](Kind& kind, kube::InformerOptions informer, auto handler) {
    kind.informers.emplace_back(
        std::piecewise_construct, std::forward_as_tuple(informer.ns),
        std::forward_as_tuple(
            client, clock, informer, kind.store,
            [&listener, handler](const kube::Change& change) { (listener.*handler)(change); }));
  };
  const bool watchList = options.watchList;
  const std::vector<std::string> all = {""};
  for (const std::string& ns : options.namespaces.empty() ? all : options.namespaces) {
    add(builds_, {.resource = kube::kImageBuilds, .ns = ns, .watchList = watchList},
        &CacheListener::onBuild);
    add(pods_, childOptions(kube::kPods, ns, watchList, trimPod), &CacheListener::onPod);
    add(claims_, childOptions(kube::kClaims, ns, watchList, nullptr), &CacheListener::onClaim);
  }
}

Caches::~Caches() { stop(); }

void Caches::start() {
  if (clusterReads_) {
    for (kube::Informer* informer : {&policies_, &namespaces_, &nodes_}) {
      threads_.emplace_back([informer](std::stop_token stop) { informer->run(stop); });
    }
  }
  for (Kind* kind : {&builds_, &pods_, &claims_}) {
    for (auto& [ns, informer] : kind->informers) {
      threads_.emplace_back([&informer = informer](std::stop_token stop) { informer.run(stop); });
    }
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
  const auto check = [&](const std::string& name, bool synced) {
    out += synced ? "" : (out.empty() ? "" : ", ") + name;
  };
  const auto checkKind = [&](const std::string& name, const Kind& kind) {
    for (const auto& [ns, informer] : kind.informers) {
      check(ns.empty() ? name : name + " in " + ns, informer.isSynced());
    }
  };
  checkKind("imagebuilds", builds_);
  checkKind("pods", pods_);
  checkKind("persistentvolumeclaims", claims_);
  if (clusterReads_) {
    check("nodes", nodes_.isSynced() || nodes_.isDenied());
    check("buildpolicies", policies_.isSynced() || policies_.isUnknown());
    check("namespaces", namespaces_.isSynced());
  }
  return out;
}

std::string Caches::cutOff() const {
  std::string out;
  const auto check = [&](const std::string& name, const Kind& kind) {
    for (const auto& [ns, informer] : kind.informers) {
      if (informer.isCutOff()) {
        out += (out.empty() ? "" : ", ") + (ns.empty() ? name : name + " in " + ns);
      }
    }
  };
  check("imagebuilds", builds_);
  check("pods", pods_);
  check("persistentvolumeclaims", claims_);
  return out;
}

const Caches::Kind& Caches::kindOf(CachedKind kind) const {
  return kind == CachedKind::kBuild ? builds_ : kind == CachedKind::kPod ? pods_ : claims_;
}

std::string Caches::version(CachedKind kind, const std::string& ns) const {
  for (const auto& [name, informer] : kindOf(kind).informers) {
    if (name.empty() || name == ns) {
      return informer.resourceVersion();
    }
  }
  return "";
}

std::string Caches::oldestVersion(CachedKind kind) const {
  const auto& informers = kindOf(kind).informers;
  std::string oldest = informers.front().second.resourceVersion();
  for (const auto& [name, informer] : informers) {
    if (std::string version = informer.resourceVersion(); !kube::isAtLeast(version, oldest)) {
      oldest = std::move(version);
    }
  }
  return oldest;
}

}  // namespace stagewright::op
