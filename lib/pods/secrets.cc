// Build secrets: a container beside the stage copies them to a volume in memory and exits. Only it
// mounts the Secrets; the stage's container, where foreign code runs, never does.
#include <algorithm>

#include "lib/plan/contract.h"
#include "lib/plan/hand_over.h"
#include "lib/pods/parts.h"

namespace stagewright::pods {

namespace {
constexpr std::string_view kVolume = "secrets";
constexpr std::string_view kVolumeSize = "64Mi";  // 32 Secrets of at most 1 MiB, and what steps see

using Kind = plan::SecretGrant::Kind;

void grantUsed(std::vector<plan::SecretGrant>& out, Kind kind,
               const std::vector<api::BuildSecret>& given, const std::vector<std::string>& used) {
  for (const api::BuildSecret& secret : given) {
    if (std::find(used.begin(), used.end(), secret.id) != used.end()) {
      out.push_back({kind, secret.id, secret.name, secret.key});
    }
  }
}

/// It copies a few files; a namespace with a quota wants to know how much that takes.
Json carrierResources() {
  return {{"requests", {{"cpu", "10m"}, {"memory", "16Mi"}}},
          {"limits", {{"cpu", "500m"}, {"memory", "128Mi"}}}};
}

Json grantVolume(const plan::SecretGrant& grant, const std::string& name) {
  // Optional: a Secret that does not exist is told by the stage, not by a pod that never starts.
  return {{"name", name},
          {"secret",
           {{"secretName", grant.secretName},
            {"optional", true},
            {"defaultMode", 0400},
            {"items", Json::array({{{"key", grant.key}, {"path", "value"}}})}}}};
}
}  // namespace

void addSecrets(Json& pod, Json& container, VolumeList& volumes, const RunContext& run,
                const api::StageStatus& stage) {
  std::vector<plan::SecretGrant> grants;
  grantUsed(grants, Kind::kSecret, run.build.spec.secrets, stage.secrets);
  grantUsed(grants, Kind::kSsh, run.build.spec.ssh, stage.ssh);
  if (grants.empty()) {
    return;
  }
  volumes.mount(kVolume, {{"emptyDir", {{"medium", "Memory"}, {"sizeLimit", kVolumeSize}}}},
                plan::kSecretsDir, false);
  addEnv(container["env"], plan::kEnvGrants, "await");
  Json carrier = builderContainer(run, kCarrierName);
  carrier["resources"] = carrierResources();
  carrier["volumeMounts"].push_back({{"name", kVolume}, {"mountPath", plan::kSecretsDir}});
  for (std::size_t i = 0; i < grants.size(); ++i) {
    const std::string name = "grant-" + std::to_string(i);
    pod["spec"]["volumes"].push_back(grantVolume(grants[i], name));
    carrier["volumeMounts"].push_back(
        {{"name", name},
         {"mountPath", std::string(plan::kGrantsDir) + "/" + std::to_string(i)},
         {"readOnly", true}});
  }
  addEnv(carrier["env"], plan::kEnvGrants, dumpJson(plan::toJson(grants)));
  pod["spec"]["containers"].push_back(std::move(carrier));
}

}  // namespace stagewright::pods
