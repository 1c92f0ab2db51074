#include "lib/api/spec_keys.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace stagewright::api {

namespace {
const std::vector<KeySet>& table() {
  static const std::vector<KeySet> kTable = {
      {"spec",
       {"source",
        "contextDir",
        "dockerfile",
        "dockerfileInline",
        "target",
        "buildArgs",
        "buildContexts",
        "secrets",
        "ssh",
        "output",
        "imagePullSecrets",
        "registries",
        "proxy",
        "trustedCA",
        "cache",
        "workspace",
        "execution",
        "queue",
        "priority",
        "timeout",
        "queueTimeout",
        "retry",
        "suspend",
        "retention",
        "onInputChange"}},
      {"spec.source", {"git", "configMap"}},
      {"spec.source.git", {"url", "ref", "secretRef"}},
      {"spec.source.git.ref", {"branch", "tag", "commit"}},
      {"spec.source.git.secretRef", {"name"}},
      {"spec.source.configMap", {"name", "items"}},
      {"spec.source.configMap.items[]", {"key", "path"}},
      {"spec.buildArgs[]", {"name", "value", "valueFrom"}},
      {"spec.buildArgs[].valueFrom", {"configMapKeyRef"}},
      {"spec.buildArgs[].valueFrom.configMapKeyRef", {"name", "key"}},
      {"spec.secrets[]", {"id", "secretKeyRef"}},
      {"spec.secrets[].secretKeyRef", {"name", "key"}},
      {"spec.ssh[]", {"id", "secretKeyRef"}},
      {"spec.ssh[].secretKeyRef", {"name", "key"}},
      {"spec.buildContexts[]", {"name", "image"}},
      {"spec.output",
       {"image", "repository", "tags", "secretRef", "labels", "annotations", "format",
        "compression", "timestamp"}},
      {"spec.output.annotations[]", {"name", "value"}},
      {"spec.output.timestamp", {"policy", "time"}},
      {"spec.output.secretRef", {"name"}},
      {"spec.output.labels[]", {"name", "value"}},
      {"spec.imagePullSecrets[]", {"name"}},
      {"spec.registries[]", {"host", "tls", "trustedCA"}},
      {"spec.registries[].trustedCA", {"configMapKeyRef"}},
      {"spec.registries[].trustedCA.configMapKeyRef", {"name", "key"}},
      {"spec.proxy", {"http", "https", "noProxy"}},
      {"spec.trustedCA", {"configMapKeyRef", "inRun"}},
      {"spec.trustedCA.configMapKeyRef", {"name", "key"}},
      {"spec.cache", {"mode", "repository", "policy"}},
      {"spec.workspace", {"storageClassName", "accessMode", "size", "claimName"}},
      {"spec.execution",
       {"isolation", "start", "maxParallelStages", "network", "resources", "prepare", "publish",
        "stages", "podMetadata", "nodeSelector", "tolerations", "priorityClassName",
        "runtimeClassName", "serviceAccountName"}},
      {"spec.execution.podMetadata", {"labels", "annotations"}},
      {"spec.execution.resources", {"requests", "limits"}},
      {"spec.execution.resources.requests", {"cpu", "memory", "ephemeral-storage"}},
      {"spec.execution.resources.limits", {"cpu", "memory", "ephemeral-storage"}},
      {"spec.execution.prepare", {"resources"}},
      {"spec.execution.prepare.resources", {"requests", "limits"}},
      {"spec.execution.prepare.resources.requests", {"cpu", "memory", "ephemeral-storage"}},
      {"spec.execution.prepare.resources.limits", {"cpu", "memory", "ephemeral-storage"}},
      {"spec.execution.publish", {"resources"}},
      {"spec.execution.publish.resources", {"requests", "limits"}},
      {"spec.execution.publish.resources.requests", {"cpu", "memory", "ephemeral-storage"}},
      {"spec.execution.publish.resources.limits", {"cpu", "memory", "ephemeral-storage"}},
      {"spec.execution.stages[]", {"stage", "timeout", "resources", "nodeSelector"}},
      {"spec.execution.stages[].resources", {"requests", "limits"}},
      {"spec.execution.stages[].resources.requests", {"cpu", "memory", "ephemeral-storage"}},
      {"spec.execution.stages[].resources.limits", {"cpu", "memory", "ephemeral-storage"}},
      {"spec.execution.tolerations[]", {"key", "operator", "value", "effect", "tolerationSeconds"}},
      {"spec.retry", {"infrastructure"}},
      {"spec.retention", {"pods", "podTTL", "workspace", "logs", "history", "ttlAfterFinished"}},
  };
  return kTable;
}
}  // namespace

std::span<const KeySet> specKeys() { return table(); }

Status onlySpecKeys(const JsonReader& reader, std::string_view path) {
  CHECK_OK(reader.mustBeObject());
  const auto set = std::find_if(table().begin(), table().end(),
                                [&](const KeySet& candidate) { return candidate.path == path; });
  if (set == table().end()) {
    return internal("no fields are known for " + std::string(path));
  }
  for (const auto& [key, unused] : reader.value().items()) {
    if (std::find(set->keys.begin(), set->keys.end(), key) == set->keys.end()) {
      return reader.error("unknown field " + quoted(key, 128));
    }
  }
  return ok();
}

}  // namespace stagewright::api
