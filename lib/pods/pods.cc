#include "lib/pods/pods.h"

#include <algorithm>

#include "lib/base/hash.h"
#include "lib/base/seal.h"
#include "lib/plan/contract.h"
#include "lib/pods/parts.h"
#include "lib/pods/requests.h"
#include "lib/pods/resources.h"

namespace stagewright::pods {

namespace {
constexpr int kKeptLogs = 5;

Json commonEnv(const RunContext& run, int attempt) {
  Json env = Json::array();
  addEnv(env, plan::kEnvRunId, runOf(run).id);
  addEnv(env, plan::kEnvAttempt, std::to_string(attempt));
  return env;
}

/// Of prepare and publish, whose libraries and git read the proxies from it.
Json builderEnv(const RunContext& run, int attempt, std::string_view runKey, const Json& request) {
  Json env = commonEnv(run, attempt);
  addEnv(env, plan::kEnvRunKey, toHex(runKey));
  addEnv(env, plan::kEnvRequest, dumpJson(request));
  addEnv(env, "HOME", "/tmp");
  for (const auto& [name, value] : proxyVariables(run.build.spec)) {
    addEnv(env, name, value);
  }
  return env;
}

/// In front of a container that is there already: the first is the one that counts.
void putContainer(Json& pod, Json container, const VolumeList& volumes) {
  container["volumeMounts"] = volumes.mounts();
  Json& containers = pod["spec"]["containers"];
  containers.insert(containers.begin(), std::move(container));
  Json& all = pod["spec"]["volumes"];
  all.insert(all.begin(), volumes.volumes().begin(), volumes.volumes().end());
}

void mountBuildArgs(VolumeList& volumes, const api::ImageBuildSpec& spec) {
  Json sources = Json::array();
  for (const api::BuildArg& arg : spec.buildArgs) {
    if (arg.from) {
      sources.push_back(configMapFile(*arg.from, arg.name));
    }
  }
  if (!sources.empty()) {
    volumes.mount("args", {{"projected", {{"sources", std::move(sources)}}}}, plan::kBuildArgsDir,
                  true);
  }
}

void mountSource(VolumeList& volumes, const api::ImageBuildSpec& spec) {
  if (!spec.source) {
    return;
  }
  if (spec.source->git && !spec.source->git->secretRef.empty()) {
    volumes.mount("source-auth",
                  {{"secret", {{"secretName", spec.source->git->secretRef}, {"optional", true}}}},
                  plan::kSourceSecretDir, true);
  }
  if (spec.source->configMap) {
    // Optional, so that a missing one is told by prepare instead of a pod that never starts.
    Json volume = {{"name", spec.source->configMap->name}, {"optional", true}};
    for (const api::ConfigMapItem& item : spec.source->configMap->items) {
      volume["items"].push_back({{"key", item.key}, {"path", item.path}});
    }
    volumes.mount("source", {{"configMap", std::move(volume)}}, plan::kConfigMapDir, true);
  }
}

/// The executor, from an image volume or copied by an init container.
void mountTools(Json& pod, VolumeList& volumes, const RunContext& run) {
  if (run.imageVolumes) {
    volumes.mount(
        "tools",
        {{"image",
          {{"reference", runOf(run).builderImage}, {"pullPolicy", run.settings.pullPolicy}}}},
        plan::kToolsDir, true);
    return;
  }
  volumes.mount("tools", {{"emptyDir", Json::object()}}, plan::kToolsDir, true);
  Json installer = builderContainer(run, "tools");
  installer["args"] = {"install-executor", plan::kToolsDir};
  installer["volumeMounts"] = Json::array({{{"name", "tools"}, {"mountPath", plan::kToolsDir}}});
  pod["spec"]["initContainers"] = Json::array({std::move(installer)});
}

/// Only what the stage uses, everything but its own directory read-only.
void mountExchange(VolumeList& volumes, const api::RunStatus& run, const api::StageStatus& stage) {
  const std::string prepared = plan::preparePath(run.id, run.prepare.attempt);
  volumes.mountWorkspace(run.claim, plan::kPlanFile, prepared + "/plan.json", true);
  if (stage.usesContext) {
    volumes.mountWorkspace(run.claim, plan::kContextDir, prepared + "/context", true);
  }
  if (stage.usesFetched) {
    volumes.mountWorkspace(run.claim, plan::kFetchedDir, prepared + "/fetched", true);
  }
  volumes.mountWorkspace(run.claim, plan::kOutDir,
                         plan::stagePath(run.id, stage.index, stage.attempt), false);
  for (const auto& [upstream, attempt] : stage.upstream) {
    volumes.mountWorkspace(run.claim, std::string(plan::kFromDir) + "/" + std::to_string(upstream),
                           plan::stagePath(run.id, upstream, attempt), true);
  }
}

std::string keyHex(std::string_view runKey, int stage, int attempt) {
  return toHex(attemptKey(runKey, std::to_string(stage), attempt));
}

Json stageEnv(const RunContext& run, const api::StageStatus& stage, std::string_view runKey) {
  Json upstream = Json::object();
  for (const auto& [index, attempt] : stage.upstream) {
    upstream[std::to_string(index)] = {{"attempt", attempt},
                                       {"key", keyHex(runKey, index, attempt)}};
  }
  Json env = commonEnv(run, stage.attempt);
  addEnv(env, plan::kEnvStage, std::to_string(stage.index));
  addEnv(env, plan::kEnvKey, keyHex(runKey, stage.index, stage.attempt));
  addEnv(env, plan::kEnvUpstream, dumpJson(upstream));
  addEnv(env, plan::kEnvPlanDigest, runOf(run).planDigest);
  if (runOf(run).isolation == "UserNamespace") {
    addEnv(env, plan::kEnvUserNamespace, "required");
  }
  const api::ImageBuildSpec& spec = run.build.spec;
  if (const auto timeout = stageSettings(spec, stage.name, stage.index).timeout) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(*timeout);
    addEnv(env, plan::kEnvTimeoutSeconds, std::to_string(seconds.count()));
  }
  if (spec.execution.network == api::Network::kNone) {
    addEnv(env, plan::kEnvNetwork, "none");
  }
  return env;
}
}  // namespace

std::string podName(std::string_view build, std::string_view runId, std::string_view part,
                    int attempt) {
  return std::string(build) + "-" + std::string(runId) + "-" + std::string(part) + "-" +
         std::to_string(attempt);
}

std::string claimName(std::string_view build, std::string_view runId) {
  return std::string(build) + "-" + std::string(runId);
}

Json makeClaim(const RunContext& run) {
  const api::Workspace& workspace = run.build.spec.workspace;
  Json claim = {{"apiVersion", "v1"},
                {"kind", "PersistentVolumeClaim"},
                {"metadata", objectMeta(run, runOf(run).claim, nullptr)}};
  Json& spec = claim["spec"];
  spec["accessModes"] = Json::array({runOf(run).accessMode});
  spec["resources"]["requests"]["storage"] =
      workspace.size.empty() ? run.settings.workspaceSize : workspace.size;
  const std::string& storageClass = workspace.storageClassName.empty()
                                        ? run.settings.storageClassName
                                        : workspace.storageClassName;
  if (!storageClass.empty()) {
    spec["storageClassName"] = storageClass;
  }
  return claim;
}

Json makePreparePod(const RunContext& run, int attempt, std::string_view runKey) {
  const api::ImageBuildSpec& spec = run.build.spec;
  Json pod = podFrame(run, {kRolePrepare, -1, attempt});
  Json container = builderContainer(run, kRolePrepare);
  plan::BuildRequest request = makeBuildRequest(spec);
  request.cache = makeCacheSource(run.build, !runOf(run).noCache);
  if (!spec.workspace.claimName.empty()) {
    request.claimOwner = run.build.metadata.uid;
  }
  container["env"] = builderEnv(run, attempt, runKey, plan::toJson(request));
  putResources(container, prepareResources(spec, run.settings));
  VolumeList volumes;
  volumes.mountWorkspace(runOf(run).claim, plan::kWorkspaceDir, "", false);
  mountTmp(volumes);
  mountSource(volumes, spec);
  mountBuildArgs(volumes, spec);
  mountPullSecrets(volumes, spec);
  mountCertificates(volumes, spec);
  putContainer(pod, std::move(container), volumes);
  return pod;
}

Json makeStagePod(const RunContext& run, const api::StageStatus& stage, std::string_view runKey) {
  Json pod = podFrame(run, {kRoleStage, stage.index, stage.attempt, stage.name});
  const bool scratch = stage.image.empty();
  Json container = {
      {"name", kRoleStage},
      {"image", scratch ? run.settings.emptyImage : stage.image},
      {"imagePullPolicy", scratch ? run.settings.pullPolicy : std::string("IfNotPresent")},
      {"command", {std::string(plan::kToolsDir) + "/" + std::string(plan::kExecutor)}},
      {"args", Json::array()},
      {"workingDir", "/"},
      {"env", stageEnv(run, stage, runKey)},
      {"securityContext", stageSecurityContext()}};
  putResources(container, stageResources(run.build.spec, run.settings, stage.name, stage.index));
  VolumeList volumes;
  mountTools(pod, volumes, run);
  mountExchange(volumes, runOf(run), stage);
  if (stage.usesCaches && !run.build.spec.workspace.claimName.empty()) {
    // Prepare made the directory; on the run's own claim caches end with their stage.
    volumes.mountWorkspace(runOf(run).claim, plan::kCachesDir,
                           plan::cachesPath(run.build.metadata.uid), false);
  }
  addSecrets(pod, container, volumes, run, stage);
  putContainer(pod, std::move(container), volumes);
  return pod;
}

Json makePublishPod(const RunContext& run, int attempt, std::string_view runKey) {
  const api::ImageBuildSpec& spec = run.build.spec;
  Json pod = podFrame(run, {kRolePublish, -1, attempt});
  Json container = builderContainer(run, kRolePublish);
  // An output that cannot be resolved has ended the run before; an empty request is refused by
  // publish.
  const Result<OutputTarget> target = resolveOutput(spec.output, runOf(run).sourceRevision);
  plan::PublishRequest request = makePublishRequest(spec, target.value_or(OutputTarget{}));
  if (spec.retention.logs != api::LogRetention::kNone) {
    const api::Metadata& metadata = run.build.metadata;
    request.logs = plan::LogsRequest{plan::logsTag(metadata.namespace_, metadata.name),
                                     std::max(spec.retention.history.value_or(kKeptLogs), 1)};
  }
  container["env"] = builderEnv(run, attempt, runKey, plan::toJson(request));
  addEnv(container["env"], plan::kEnvPlanDigest, runOf(run).planDigest);
  addEnv(container["env"], plan::kEnvPrepareAttempt, std::to_string(runOf(run).prepare.attempt));
  putResources(container, publishResources(spec, run.settings));
  VolumeList volumes;
  volumes.mountWorkspace(runOf(run).claim, plan::kRunDir, plan::runPath(runOf(run).id), true);
  mountTmp(volumes);
  mountPullSecrets(volumes, spec);
  mountCertificates(volumes, spec);
  if (!spec.output.secretRef.empty()) {
    volumes.mount("push", {{"secret", {{"secretName", spec.output.secretRef}, {"optional", true}}}},
                  plan::kPushSecretDir, true);
  }
  putContainer(pod, std::move(container), volumes);
  return pod;
}

}  // namespace stagewright::pods
