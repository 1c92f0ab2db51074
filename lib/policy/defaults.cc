#include "lib/policy/defaults.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/pods/quantity.h"
#include "lib/pods/resources.h"
#include "lib/policy/cache_default.h"

namespace stagewright::policy {

namespace {
using api::ImageBuildSpec;

void fill(std::string& field, const std::string& from) {
  if (field.empty()) {
    field = from;
  }
}

template <class T>
void fill(std::optional<T>& field, const std::optional<T>& from) {
  if (!field) {
    field = from;
  }
}

/// Adds what `list` has nothing of the same key for.
template <class T, class Key>
void fillList(std::vector<T>& list, const std::vector<T>& from, Key key) {
  for (const T& item : from) {
    const bool there =
        std::any_of(list.begin(), list.end(), [&](const T& own) { return key(own) == key(item); });
    if (!there) {
      list.push_back(item);
    }
  }
}

void fillWorkspace(api::Workspace& workspace, const api::Workspace& from) {
  if (!workspace.claimName.empty()) {
    return;  // the three fields are for a new claim
  }
  fill(workspace.storageClassName, from.storageClassName);
  fill(workspace.accessMode, from.accessMode);
  fill(workspace.size, from.size);
}

void fillExecution(api::Execution& execution, const api::Execution& from) {
  fill(execution.isolation, from.isolation);
  fill(execution.start, from.start);
  fill(execution.maxParallelStages, from.maxParallelStages);
  fill(execution.network, from.network);
  execution.resources = pods::mergeResources(from.resources, execution.resources);
  execution.prepare = pods::mergeResources(from.prepare, execution.prepare);
  execution.publish = pods::mergeResources(from.publish, execution.publish);
  execution.nodeSelector.insert(from.nodeSelector.begin(), from.nodeSelector.end());
  fillList(execution.tolerations, from.tolerations,
           [](const api::Toleration& toleration) { return dumpJson(api::toJson(toleration)); });
  fill(execution.priorityClassName, from.priorityClassName);
  fill(execution.runtimeClassName, from.runtimeClassName);
  fill(execution.serviceAccountName, from.serviceAccountName);
}

/// The same as the rule of the CRD for a cache that a build names itself.
bool isOutput(const api::Output& output, const std::string& repository) {
  return !repository.empty() && (output.repository == repository || output.image == repository ||
                                 output.image.starts_with(repository + ":"));
}

/// Mode and repository go together; where the image itself would go there is no cache.
void fillCache(api::Cache& cache, const api::Cache& from, const api::ImageBuild& build) {
  const std::string repository =
      cacheRepository(from.repository, build.metadata.namespace_, build.metadata.name);
  if (!cache.mode && from.mode && !isOutput(build.spec.output, repository)) {
    cache.mode = from.mode;
    cache.repository = repository;
  }
  fill(cache.policy, from.policy);
}

void fillRetention(api::Retention& retention, const api::Retention& from) {
  fill(retention.pods, from.pods);
  fill(retention.podTTL, from.podTTL);
  fill(retention.workspace, from.workspace);
  fill(retention.logs, from.logs);
  fill(retention.history, from.history);
  fill(retention.ttlAfterFinished, from.ttlAfterFinished);
}

void fillSpec(ImageBuildSpec& spec, const ImageBuildSpec& from, const api::ImageBuild& build) {
  fill(spec.output.secretRef, from.output.secretRef);
  fillList(spec.imagePullSecrets, from.imagePullSecrets,
           [](const std::string& name) { return name; });
  fillList(spec.registries, from.registries,
           [](const api::Registry& registry) { return registry.host; });
  fill(spec.proxy, from.proxy);
  fill(spec.trustedCA, from.trustedCA);
  fillCache(spec.cache, from.cache, build);
  fillWorkspace(spec.workspace, from.workspace);
  fillExecution(spec.execution, from.execution);
  fill(spec.queue, from.queue);
  fill(spec.timeout, from.timeout);
  fill(spec.queueTimeout, from.queueTimeout);
  fill(spec.retry.infrastructure, from.retry.infrastructure);
  fill(spec.onInputChange, from.onInputChange);
  fillRetention(spec.retention, from.retention);
}

/// A container without a limit gets the maximum for one. Kubernetes would make that its request as
/// well, so it gets one of nothing: that is what it has without a limit.
void boundResources(api::Resources& own, const api::Resources& fallback,
                    const std::map<std::string, std::string>& maximum) {
  for (const auto& [name, amount] : maximum) {
    if (own.limits.contains(name) || fallback.limits.contains(name)) {
      continue;
    }
    own.limits[name] = amount;
    if (!fallback.requests.contains(name)) {
      own.requests.try_emplace(name, "0");
    }
  }
}

/// Auto must not choose what is not allowed.
void boundIsolation(std::optional<api::Isolation>& isolation,
                    const std::optional<std::vector<api::Isolation>>& allowed) {
  const bool open = !isolation || *isolation == api::Isolation::kAuto;
  if (open && allowed && allowed->size() == 1) {
    isolation = allowed->front();
  }
}

void bound(ImageBuildSpec& spec, const ImageBuildSpec& asked, const BuildPolicy& policy,
           const Fallbacks& fallbacks) {
  const Limits& limits = policy.limits;
  boundIsolation(spec.execution.isolation, policy.allowed.isolation);
  if (limits.timeout && !asked.timeout) {
    spec.timeout = std::min(spec.timeout.value_or(fallbacks.timeout), *limits.timeout);
  }
  if (limits.parallelStages > 0 && !asked.execution.maxParallelStages) {
    spec.execution.maxParallelStages = std::min(
        spec.execution.maxParallelStages.value_or(limits.parallelStages), limits.parallelStages);
  }
  const std::string& size =
      spec.workspace.size.empty() ? fallbacks.pods.workspaceSize : spec.workspace.size;
  if (!limits.workspaceSize.empty() && asked.workspace.size.empty() &&
      asked.workspace.claimName.empty() && pods::quantityLess(limits.workspaceSize, size)) {
    spec.workspace.size = limits.workspaceSize;
  }
  boundResources(spec.execution.resources, fallbacks.pods.stageResources, limits.resources);
  boundResources(spec.execution.prepare, fallbacks.pods.prepareResources, limits.resources);
  boundResources(spec.execution.publish, fallbacks.pods.publishResources, limits.resources);
}

int smaller(int limit, std::int64_t other) {
  return other <= 0   ? limit
         : limit <= 0 ? static_cast<int>(other)
                      : static_cast<int>(std::min<std::int64_t>(limit, other));
}

std::string holdSentence(const BuildPolicy& policy) {
  const std::string who = "BuildPolicy " + quoted(policy.name, 253);
  if (policy.error) {
    return who +
           " cannot be read, so nothing is admitted until it is mended: " + policy.error->message;
  }
  return who + " holds new builds (admission: Hold)" +
         (policy.admissionMessage.empty() ? "" : ": " + policy.admissionMessage);
}
}  // namespace

ImageBuildSpec applyDefaults(const api::ImageBuild& build, const Policies& policies,
                             const Fallbacks& fallbacks) {
  ImageBuildSpec out = build.spec;
  if (!policies) {
    return out;
  }
  for (const BuildPolicy& policy : *policies) {
    fillSpec(out, policy.defaults, build);
  }
  for (const BuildPolicy& policy : *policies) {
    bound(out, build.spec, policy, fallbacks);
  }
  return out;
}

queue::NamespaceRules queueRules(const Policies& policies) {
  queue::NamespaceRules out;
  if (!policies) {
    return out;
  }
  for (const BuildPolicy& policy : *policies) {
    out.running = smaller(out.running, policy.limits.runningBuilds);
    for (const auto& [name, limit] : policy.limits.queues) {
      out.queues[name] = smaller(out.queues[name], limit);
    }
    if (out.heldBy.empty() && (policy.hold || policy.error)) {
      out.heldBy = holdSentence(policy);
    }
  }
  return out;
}

}  // namespace stagewright::policy
