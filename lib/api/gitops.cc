#include "lib/api/gitops.h"

#include <nlohmann/json.hpp>
#include <string_view>

namespace stagewright::api {

namespace {
std::string textAt(const Json& metadata, const char* map, const std::string& key) {
  const auto part = metadata.find(map);
  if (part == metadata.end() || !part->is_object()) {
    return {};
  }
  const auto it = part->find(key);
  return it != part->end() && it->is_string() ? it->get<std::string>() : std::string();
}

std::string fluxOwner(const Json& metadata) {
  for (const auto& [kind, group] : {std::pair("Kustomization", "kustomize.toolkit.fluxcd.io"),
                                    std::pair("HelmRelease", "helm.toolkit.fluxcd.io")}) {
    const std::string name = textAt(metadata, "labels", std::string(group) + "/name");
    if (!name.empty()) {
      return "Flux " + std::string(kind) + " " + quoted(name, 128);
    }
  }
  return {};
}

/// `<application>:<group>/<kind>:<namespace>/<name>`. Argo CD itself takes an id that names another
/// object for a copy and does not track it.
std::string argoIdOwner(const Json& metadata) {
  const std::string id = textAt(metadata, "annotations", "argocd.argoproj.io/tracking-id");
  const std::string own = ":" + metadata.value("namespace", std::string()) + "/" +
                          metadata.value("name", std::string());
  return id.ends_with(own) ? "Argo CD application " + quoted(id.substr(0, id.find(':')), 128)
                           : std::string();
}

/// Argo CD's older way of tracking is a label that everybody uses. It cannot be meant where Helm
/// itself installed the object (Argo CD renders charts, it does not install them), nor where the
/// API server made up the name: nobody could create that one again.
std::string argoLabelOwner(const Json& metadata) {
  const std::string name = textAt(metadata, "labels", "app.kubernetes.io/instance");
  const bool byHelm = !textAt(metadata, "annotations", "meta.helm.sh/release-name").empty();
  const bool generated = metadata.contains("generateName");
  return name.empty() || byHelm || generated
             ? std::string()
             : "what may be Argo CD application " + quoted(name, 128) +
                   " (label app.kubernetes.io/instance)";
}
}  // namespace

std::string findGitOpsOwner(const Json& metadata) {
  for (std::string (*const find)(const Json&) : {fluxOwner, argoIdOwner, argoLabelOwner}) {
    if (std::string owner = find(metadata); !owner.empty()) {
      return owner;
    }
  }
  return {};
}

}  // namespace stagewright::api
