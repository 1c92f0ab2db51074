#include "lib/pods/parts.h"

#include "lib/plan/contract.h"

namespace stagewright::pods {

namespace {
constexpr int kGraceSeconds = 2;
constexpr int kPublishGraceSeconds = 30;  // it saves the logs of a run that was stopped
constexpr int kDeadlineSlackSeconds = 60;

std::string partOf(const PodIdentity& identity) {
  return identity.stage >= 0 ? std::to_string(identity.stage) : std::string(identity.role);
}

Json labelsOf(const RunContext& run, const PodIdentity* identity) {
  Json out = {{std::string(api::kBuildLabel), run.build.metadata.name},
              {std::string(api::kRunLabel), runOf(run).id}};
  if (identity == nullptr) {
    return out;
  }
  out[std::string(api::kRoleLabel)] = identity->role;
  out[std::string(api::kAttemptLabel)] = std::to_string(identity->attempt);
  if (identity->stage >= 0) {
    out[std::string(api::kStageLabel)] = std::to_string(identity->stage);
  }
  if (run.settings.kueue && !runOf(run).queue.empty()) {
    out["kueue.x-k8s.io/queue-name"] = runOf(run).queue;
  }
  return out;
}

Json ownerReference(const api::Metadata& metadata) {
  return {{"apiVersion", api::kApiVersion},
          {"kind", api::kKind},
          {"name", metadata.name},
          {"uid", metadata.uid},
          {"controller", true},
          {"blockOwnerDeletion", true}};
}

/// The node the workspace is on, by name and not by the hostname label, which may differ.
Json nodeAffinity(const std::string& node) {
  const Json field = {{"key", "metadata.name"}, {"operator", "In"}, {"values", {node}}};
  Json out;
  out["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"] =
      Json::array({{{"matchFields", Json::array({field})}}});
  return out;
}

/// The plan is for linux/amd64, whatever nodes the cluster has. Where all pods share the node that
/// prepare gets, that one must suit the stages.
Json nodeSelector(const RunContext& run, const PodIdentity& identity) {
  const api::ImageBuildSpec& wanted = run.build.spec;
  std::map<std::string, std::string> labels = wanted.execution.nodeSelector;
  if (identity.role == kRolePrepare && runOf(run).accessMode != "ReadWriteMany") {
    labels = commonNodeSelector(wanted).value_or(labels);  // a contradiction has ended the run
  } else if (identity.role == kRoleStage) {
    for (const auto& [key, value] :
         stageSettings(wanted, identity.stageName, identity.stage).nodeSelector) {
      labels[key] = value;
    }
  }
  Json out = {{"kubernetes.io/os", "linux"}, {"kubernetes.io/arch", "amd64"}};
  for (const auto& [key, value] : labels) {
    out[key] = value;
  }
  return out;
}

void putPlacement(Json& spec, const RunContext& run, const PodIdentity& identity) {
  const api::ImageBuildSpec& wanted = run.build.spec;
  spec["nodeSelector"] = nodeSelector(run, identity);
  for (const api::Toleration& toleration : wanted.execution.tolerations) {
    spec["tolerations"].push_back(api::toJson(toleration));
  }
  const auto putName = [&](const char* key, const std::string& name) {
    if (!name.empty()) {
      spec[key] = name;
    }
  };
  putName("priorityClassName", wanted.execution.priorityClassName);
  putName("runtimeClassName", wanted.execution.runtimeClassName);
  putName("serviceAccountName", wanted.execution.serviceAccountName);
  for (const std::string& name : wanted.imagePullSecrets) {
    spec["imagePullSecrets"].push_back({{"name", name}});
  }
  if (!run.node.empty()) {
    spec["affinity"] = nodeAffinity(run.node);
  }
}

Json secretVolume(const std::string& name, std::string_view key) {
  return {{"secret",
           {{"secretName", name},
            {"optional", true},
            {"items", Json::array({{{"key", key}, {"path", key}}})}}}};
}
}  // namespace

const api::RunStatus& runOf(const RunContext& run) { return run.build.status.run.value(); }

void VolumeList::mount(std::string_view name, Json volume, std::string_view path, bool readOnly) {
  volume["name"] = name;
  volumes_.push_back(std::move(volume));
  Json entry = {{"name", name}, {"mountPath", path}};
  if (readOnly) {
    entry["readOnly"] = true;
  }
  mounts_.push_back(std::move(entry));
}

void VolumeList::mountWorkspace(std::string_view claim, std::string_view path,
                                const std::string& subPath, bool readOnly) {
  const Json volume = {{"name", "workspace"}, {"persistentVolumeClaim", {{"claimName", claim}}}};
  if (std::find(volumes_.begin(), volumes_.end(), volume) == volumes_.end()) {
    volumes_.push_back(volume);
  }
  Json entry = {{"name", "workspace"}, {"mountPath", path}};
  if (!subPath.empty()) {
    entry["subPath"] = subPath;
  }
  if (readOnly) {
    entry["readOnly"] = true;
  }
  mounts_.push_back(std::move(entry));
}

Json objectMeta(const RunContext& run, const std::string& name, const PodIdentity* identity) {
  const api::Metadata& owner = run.build.metadata;
  return {{"name", name},
          {"namespace", owner.namespace_},
          {"labels", labelsOf(run, identity)},
          {"ownerReferences", Json::array({ownerReference(owner)})}};
}

Json podFrame(const RunContext& run, const PodIdentity& identity) {
  const std::string name =
      podName(run.build.metadata.name, runOf(run).id, partOf(identity), identity.attempt);
  Json pod = {
      {"apiVersion", "v1"}, {"kind", "Pod"}, {"metadata", objectMeta(run, name, &identity)}};
  // What is not allowed has ended the run before; ours win.
  const api::PodMetadata& wanted = run.build.spec.execution.podMetadata;
  Json& labels = pod["metadata"]["labels"];
  for (const auto& [key, value] : wanted.labels) {
    labels.emplace(key, value);
  }
  // Moving a build pod to another node to save one costs a run.
  Json& annotations = pod["metadata"]["annotations"];
  annotations = {{"cluster-autoscaler.kubernetes.io/safe-to-evict", "false"},
                 {"karpenter.sh/do-not-disrupt", "true"}};
  for (const auto& [key, value] : wanted.annotations) {
    annotations.emplace(key, value);
  }
  Json& spec = pod["spec"];
  spec = {{"containers", Json::array()},
          {"volumes", Json::array()},
          {"restartPolicy", "Never"},
          {"automountServiceAccountToken", false},
          {"enableServiceLinks", false},
          {"terminationGracePeriodSeconds",
           identity.role == kRolePublish ? kPublishGraceSeconds : kGraceSeconds},
          {"activeDeadlineSeconds",
           std::max<std::int64_t>(run.remainingSeconds, 0) + kDeadlineSlackSeconds},
          {"securityContext", {{"seccompProfile", {{"type", "RuntimeDefault"}}}}}};
  if (runOf(run).isolation == "UserNamespace") {
    spec["hostUsers"] = false;
  }
  putPlacement(spec, run, identity);
  return pod;
}

Json builderContainer(const RunContext& run, std::string_view role) {
  Json args = Json::array({role});
  return {{"name", role},
          {"image", runOf(run).builderImage},
          {"imagePullPolicy", run.settings.pullPolicy},
          {"command", {"/stagewright-builder"}},
          {"args", std::move(args)},
          {"workingDir", "/"},
          {"securityContext", builderSecurityContext()}};
}

Json builderSecurityContext() {
  return {{"runAsUser", 0},
          {"runAsGroup", 0},
          {"privileged", false},
          {"allowPrivilegeEscalation", false},
          {"readOnlyRootFilesystem", true},
          {"capabilities", {{"drop", {"ALL"}}}}};
}

Json stageSecurityContext() {
  return {{"runAsUser", 0},
          {"runAsGroup", 0},
          {"privileged", false},
          {"allowPrivilegeEscalation", false},
          {"readOnlyRootFilesystem", false},
          {"capabilities",
           {{"drop", {"ALL"}},
            {"add",
             {"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "SETUID", "SETGID", "SETFCAP", "KILL",
              "SYS_CHROOT"}}}}};
}

void addEnv(Json& env, std::string_view name, std::string_view value) {
  std::string escaped;
  for (const char c : value) {
    escaped.append(c == '$' ? 2 : 1, c);
  }
  env.push_back({{"name", name}, {"value", std::move(escaped)}});
}

void putResources(Json& container, const api::Resources& resources) {
  if (!resources.empty()) {
    container["resources"] = api::toJson(resources);
  }
}

void mountTmp(VolumeList& volumes) {
  volumes.mount("tmp", {{"emptyDir", Json::object()}}, "/tmp", false);
}

void mountPullSecrets(VolumeList& volumes, const api::ImageBuildSpec& spec) {
  for (std::size_t i = 0; i < spec.imagePullSecrets.size(); ++i) {
    const std::string number = std::to_string(i);
    volumes.mount("pull-" + number, secretVolume(spec.imagePullSecrets[i], ".dockerconfigjson"),
                  std::string(plan::kPullSecretsDir) + "/" + number, true);
  }
}

Json configMapFile(const api::ConfigMapKey& ref, const std::string& path) {
  const Json item = {{"key", ref.key}, {"path", path}};
  return {{"configMap", {{"name", ref.name}, {"optional", true}, {"items", Json::array({item})}}}};
}

void mountCertificates(VolumeList& volumes, const api::ImageBuildSpec& spec) {
  const auto mount = [&](const std::string& name, const api::ConfigMapKey& ref) {
    volumes.mount("ca-" + name, configMapFile(ref, "ca.crt"),
                  std::string(plan::kCaDir) + "/" + name, true);
  };
  for (std::size_t i = 0; i < spec.registries.size(); ++i) {
    if (spec.registries[i].trustedCA) {
      mount(std::to_string(i), *spec.registries[i].trustedCA);
    }
  }
  if (spec.trustedCA) {
    mount("all", spec.trustedCA->configMapKeyRef);
  }
}

}  // namespace stagewright::pods
