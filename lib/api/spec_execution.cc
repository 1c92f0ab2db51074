// How and where it is built: cache, workspace, execution.
#include "lib/api/json_fields.h"
#include "lib/api/spec_keys.h"
#include "lib/api/spec_parts.h"

namespace stagewright::api {

namespace {
constexpr std::array<std::string_view, 2> kCacheModeWords = {"None", "Registry"};
constexpr std::array<std::string_view, 2> kCachePolicyWords = {"Use", "Refresh"};
constexpr std::array<std::string_view, 2> kAccessModeWords = {"ReadWriteOnce", "ReadWriteMany"};
constexpr std::array<std::string_view, 3> kIsolationWords = {"Auto", "UserNamespace", "Baseline"};
constexpr std::array<std::string_view, 3> kStartWords = {"Auto", "Eager", "WhenReady"};
constexpr std::array<std::string_view, 2> kNetworkWords = {"Default", "None"};

using Quantities = std::map<std::string, std::string>;

/// A quantity may be a YAML number: `cpu: 2`.
Result<std::string> parseQuantityText(const JsonReader& reader, std::string_view key) {
  const Json& value = reader.value().at(std::string(key));
  return value.is_number() ? Result<std::string>(value.dump()) : reader.string(key);
}

Result<Quantities> parseQuantities(const JsonReader& reader, std::string_view key,
                                   const std::string& path) {
  Quantities out;
  TRY(const std::optional<JsonReader> map, reader.optionalObject(key));
  if (!map) {
    return out;
  }
  CHECK_OK(onlySpecKeys(*map, path + "." + std::string(key)));
  for (const auto& [name, unused] : map->value().items()) {
    if (map->has(name)) {
      TRY(out[name], parseQuantityText(*map, name));
    }
  }
  return out;
}

Result<Resources> parseResources(const JsonReader& owner, const std::string& ownerPath) {
  Resources out;
  TRY(const std::optional<JsonReader> reader, owner.optionalObject("resources"));
  if (!reader) {
    return out;
  }
  const std::string path = ownerPath + ".resources";
  CHECK_OK(onlySpecKeys(*reader, path));
  TRY(out.requests, parseQuantities(*reader, "requests", path));
  TRY(out.limits, parseQuantities(*reader, "limits", path));
  return out;
}

Result<Resources> parseRoleResources(const JsonReader& execution, std::string_view role) {
  TRY(const std::optional<JsonReader> reader, execution.optionalObject(role));
  if (!reader) {
    return Resources();
  }
  const std::string path = "spec.execution." + std::string(role);
  CHECK_OK(onlySpecKeys(*reader, path));
  return parseResources(*reader, path);
}

Result<std::map<std::string, std::string>> parseTextMap(const JsonReader& reader,
                                                        std::string_view key) {
  std::map<std::string, std::string> out;
  TRY(const std::optional<JsonReader> map, reader.optionalObject(key));
  if (map) {
    for (const auto& [name, unused] : map->value().items()) {
      TRY(out[name], map->string(name));
    }
  }
  return out;
}

Result<StageSettings> parseStageSettings(const JsonReader& reader) {
  CHECK_OK(onlySpecKeys(reader, "spec.execution.stages[]"));
  StageSettings out;
  TRY(out.stage, reader.string("stage"));
  TRY(out.timeout, optionalDuration(reader, "timeout"));
  TRY(out.resources, parseResources(reader, "spec.execution.stages[]"));
  TRY(out.nodeSelector, parseTextMap(reader, "nodeSelector"));
  return out;
}

Result<Toleration> parseToleration(const JsonReader& reader) {
  CHECK_OK(onlySpecKeys(reader, "spec.execution.tolerations[]"));
  Toleration out;
  TRY(out.key, reader.string("key", ""));
  TRY(out.operator_, reader.string("operator", ""));
  TRY(out.value, reader.string("value", ""));
  TRY(out.effect, reader.string("effect", ""));
  if (reader.has("tolerationSeconds")) {
    TRY(out.tolerationSeconds, reader.integer("tolerationSeconds"));
  }
  return out;
}

Result<PodMetadata> parsePodMetadata(const JsonReader& reader) {
  CHECK_OK(onlySpecKeys(reader, "spec.execution.podMetadata"));
  PodMetadata out;
  TRY(out.labels, parseTextMap(reader, "labels"));
  TRY(out.annotations, parseTextMap(reader, "annotations"));
  return out;
}

Json roleJson(const Resources& resources) {
  return resources.empty() ? Json::object() : Json{{"resources", toJson(resources)}};
}
}  // namespace

Result<Cache> parseCache(const JsonReader& reader) {
  CHECK_OK(onlySpecKeys(reader, "spec.cache"));
  Cache out;
  TRY(out.mode, optionalEnum<CacheMode>(reader, "mode", kCacheModeWords));
  TRY(out.repository, reader.string("repository", ""));
  TRY(out.policy, optionalEnum<CachePolicy>(reader, "policy", kCachePolicyWords));
  if ((out.mode == CacheMode::kRegistry) == out.repository.empty()) {
    return reader.error("mode Registry needs repository, and no other has one");
  }
  return out;
}

Json toJson(const Cache& cache) {
  Json out = Json::object();
  putEnum(out, "mode", cache.mode, kCacheModeWords);
  putText(out, "repository", cache.repository);
  putEnum(out, "policy", cache.policy, kCachePolicyWords);
  return out;
}

Result<Workspace> parseWorkspace(const JsonReader& reader) {
  CHECK_OK(onlySpecKeys(reader, "spec.workspace"));
  Workspace out;
  TRY(out.storageClassName, reader.string("storageClassName", ""));
  TRY(out.accessMode, optionalEnum<AccessMode>(reader, "accessMode", kAccessModeWords));
  if (reader.has("size")) {
    TRY(out.size, parseQuantityText(reader, "size"));
  }
  TRY(out.claimName, reader.string("claimName", ""));
  if (!out.claimName.empty() &&
      (!out.storageClassName.empty() || out.accessMode || !out.size.empty())) {
    return reader.error(
        "claimName names an existing claim; storageClassName, accessMode and size are for a new "
        "one");
  }
  return out;
}

Result<Execution> parseExecution(const JsonReader& reader) {
  CHECK_OK(onlySpecKeys(reader, "spec.execution"));
  Execution out;
  TRY(out.isolation, optionalEnum<Isolation>(reader, "isolation", kIsolationWords));
  TRY(out.start, optionalEnum<Start>(reader, "start", kStartWords));
  if (reader.has("maxParallelStages")) {
    TRY(out.maxParallelStages, reader.integer("maxParallelStages"));
  }
  TRY(out.network, optionalEnum<Network>(reader, "network", kNetworkWords));
  TRY(out.resources, parseResources(reader, "spec.execution"));
  TRY(out.prepare, parseRoleResources(reader, "prepare"));
  TRY(out.publish, parseRoleResources(reader, "publish"));
  TRY(out.stages, listOf<StageSettings>(reader, "stages", parseStageSettings));
  TRY(const std::optional<JsonReader> metadata, reader.optionalObject("podMetadata"));
  if (metadata) {
    TRY(out.podMetadata, parsePodMetadata(*metadata));
  }
  TRY(out.nodeSelector, parseTextMap(reader, "nodeSelector"));
  TRY(out.tolerations, listOf<Toleration>(reader, "tolerations", parseToleration));
  TRY(out.priorityClassName, reader.string("priorityClassName", ""));
  TRY(out.runtimeClassName, reader.string("runtimeClassName", ""));
  TRY(out.serviceAccountName, reader.string("serviceAccountName", ""));
  return out;
}

Json toJson(const Resources& resources) {
  Json out = Json::object();
  putJson(out, "requests", resources.requests);
  putJson(out, "limits", resources.limits);
  return out;
}

Json toJson(const Toleration& toleration) {
  Json out = Json::object();
  putText(out, "key", toleration.key);
  putText(out, "operator", toleration.operator_);
  putText(out, "value", toleration.value);
  putText(out, "effect", toleration.effect);
  if (toleration.tolerationSeconds) {
    out["tolerationSeconds"] = *toleration.tolerationSeconds;
  }
  return out;
}

Json toJson(const StageSettings& stage) {
  Json out = {{"stage", stage.stage}};
  putDuration(out, "timeout", stage.timeout);
  putJson(out, "resources", toJson(stage.resources));
  putJson(out, "nodeSelector", stage.nodeSelector);
  return out;
}

Json toJson(const PodMetadata& metadata) {
  Json out = Json::object();
  putJson(out, "labels", metadata.labels);
  putJson(out, "annotations", metadata.annotations);
  return out;
}

Json toJson(const Workspace& workspace) {
  Json out = Json::object();
  putText(out, "storageClassName", workspace.storageClassName);
  putEnum(out, "accessMode", workspace.accessMode, kAccessModeWords);
  putText(out, "size", workspace.size);
  putText(out, "claimName", workspace.claimName);
  return out;
}

Json toJson(const Execution& execution) {
  Json out = Json::object();
  putEnum(out, "isolation", execution.isolation, kIsolationWords);
  putEnum(out, "start", execution.start, kStartWords);
  if (execution.maxParallelStages) {
    out["maxParallelStages"] = *execution.maxParallelStages;
  }
  putEnum(out, "network", execution.network, kNetworkWords);
  putJson(out, "resources", toJson(execution.resources));
  putJson(out, "prepare", roleJson(execution.prepare));
  putJson(out, "publish", roleJson(execution.publish));
  putJson(out, "stages", arrayOf(execution.stages));
  putJson(out, "podMetadata", toJson(execution.podMetadata));
  putJson(out, "nodeSelector", execution.nodeSelector);
  putJson(out, "tolerations", arrayOf(execution.tolerations));
  putText(out, "priorityClassName", execution.priorityClassName);
  putText(out, "runtimeClassName", execution.runtimeClassName);
  putText(out, "serviceAccountName", execution.serviceAccountName);
  return out;
}

}  // namespace stagewright::api
