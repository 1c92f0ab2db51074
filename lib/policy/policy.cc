#include "lib/policy/policy.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "lib/api/json_fields.h"
#include "lib/policy/cache_default.h"

namespace stagewright::policy {

namespace {
constexpr std::array<std::string_view, 2> kAdmissionWords = {"Open", "Hold"};
constexpr std::array<std::string_view, 3> kIsolationWords = {"Auto", "UserNamespace", "Baseline"};

/// A list that is there may be empty, and then allows nothing.
Result<std::optional<std::vector<std::string>>> optionalStrings(const JsonReader& reader,
                                                                std::string_view key) {
  if (!reader.has(key)) {
    return std::optional<std::vector<std::string>>();
  }
  TRY(std::vector<std::string> list, reader.strings(key));
  return std::optional<std::vector<std::string>>(std::move(list));
}

template <class T, class Read>
Result<std::optional<std::vector<T>>> optionalList(const JsonReader& reader, std::string_view key,
                                                   Read read) {
  if (!reader.has(key)) {
    return std::optional<std::vector<T>>();
  }
  TRY(std::vector<T> list, api::listOf<T>(reader, key, read));
  return std::optional<std::vector<T>>(std::move(list));
}

Result<std::optional<std::vector<api::Isolation>>> parseIsolation(const JsonReader& reader) {
  TRY(const auto words, optionalStrings(reader, "isolation"));
  if (!words) {
    return std::optional<std::vector<api::Isolation>>();
  }
  std::vector<api::Isolation> out;
  for (const std::string& word : *words) {
    const auto it = std::find(kIsolationWords.begin() + 1, kIsolationWords.end(), word);
    if (it == kIsolationWords.end()) {
      return reader.error("isolation: expected UserNamespace or Baseline, got " + quoted(word, 64));
    }
    out.push_back(static_cast<api::Isolation>(it - kIsolationWords.begin()));
  }
  return std::optional<std::vector<api::Isolation>>(std::move(out));
}

Result<AllowedLabel> parseLabel(const JsonReader& reader) {
  CHECK_OK(reader.onlyKeys({"key", "values"}));
  AllowedLabel out;
  TRY(out.key, reader.string("key"));
  TRY(out.values, reader.strings("values"));
  return out;
}

Result<AllowedToleration> parseAllowedToleration(const JsonReader& reader) {
  CHECK_OK(reader.onlyKeys({"key", "values", "effects"}));
  AllowedToleration out;
  TRY(out.key, reader.string("key"));
  TRY(out.values, reader.strings("values"));
  TRY(out.effects, reader.strings("effects"));
  return out;
}

Result<Allowed> parseAllowed(const JsonReader& reader) {
  CHECK_OK(
      reader.onlyKeys({"baseImages", "outputs", "isolation", "storageClasses", "nodeSelector",
                       "tolerations", "priorityClasses", "runtimeClasses", "serviceAccounts"}));
  Allowed out;
  TRY(out.baseImages, optionalStrings(reader, "baseImages"));
  TRY(out.outputs, optionalStrings(reader, "outputs"));
  TRY(out.isolation, parseIsolation(reader));
  TRY(out.storageClasses, optionalStrings(reader, "storageClasses"));
  TRY(out.nodeSelector, optionalList<AllowedLabel>(reader, "nodeSelector", parseLabel));
  TRY(out.tolerations,
      optionalList<AllowedToleration>(reader, "tolerations", parseAllowedToleration));
  TRY(out.priorityClasses, optionalStrings(reader, "priorityClasses"));
  TRY(out.runtimeClasses, optionalStrings(reader, "runtimeClasses"));
  TRY(out.serviceAccounts, optionalStrings(reader, "serviceAccounts"));
  return out;
}

/// A quantity may be a YAML number: `cpu: 2`.
Result<std::string> quantityAt(const JsonReader& reader, const std::string& key) {
  if (!reader.has(key)) {
    return std::string();
  }
  const Json& value = reader.value().at(key);
  return value.is_number() ? Result<std::string>(value.dump()) : reader.string(key);
}

Result<std::map<std::string, std::string>> parseResources(const JsonReader& limits) {
  std::map<std::string, std::string> out;
  TRY(const std::optional<JsonReader> reader, limits.optionalObject("resources"));
  if (!reader) {
    return out;
  }
  CHECK_OK(reader->onlyKeys({"cpu", "memory", "ephemeral-storage"}));
  for (const auto& [name, unused] : reader->value().items()) {
    TRY(out[name], quantityAt(*reader, name));
  }
  return out;
}

Result<Limits> parseLimits(const JsonReader& reader) {
  CHECK_OK(reader.onlyKeys({"runningBuilds", "queues", "timeout", "stages", "parallelStages",
                            "workspaceSize", "resources"}));
  Limits out;
  TRY(out.runningBuilds, reader.integer("runningBuilds", 0));
  TRY(const std::vector<JsonReader> queues, reader.array("queues"));
  for (const JsonReader& queue : queues) {
    CHECK_OK(queue.onlyKeys({"name", "runningBuilds"}));
    TRY(const std::string name, queue.string("name"));
    TRY(out.queues[name], queue.integer("runningBuilds"));
  }
  TRY(const std::optional<std::string> timeout, reader.optionalString("timeout"));
  if (timeout) {
    TRY(out.timeout, parseDuration(*timeout));
  }
  TRY(out.stages, reader.integer("stages", 0));
  TRY(out.parallelStages, reader.integer("parallelStages", 0));
  TRY(out.workspaceSize, quantityAt(reader, "workspaceSize"));
  TRY(out.resources, parseResources(reader));
  return out;
}

Status parseParts(const JsonReader& spec, BuildPolicy& out) {
  TRY(const std::optional<JsonReader> defaults, spec.optionalObject("defaults"));
  if (defaults) {
    CHECK_OK(defaults->onlyKeys({"output", "imagePullSecrets", "registries", "proxy", "trustedCA",
                                 "cache", "workspace", "execution", "queue", "timeout",
                                 "queueTimeout", "retry", "retention", "onInputChange"}));
    TRY(out.defaults, api::parseSpecDefaults(*defaults));
    if (out.defaults.cache.mode == api::CacheMode::kRegistry) {
      CHECK_OK(checkCachePattern(out.defaults.cache.repository));
    }
  }
  TRY(const std::optional<JsonReader> allowed, spec.optionalObject("allowed"));
  if (allowed) {
    TRY(out.allowed, parseAllowed(*allowed));
  }
  TRY(const std::optional<JsonReader> limits, spec.optionalObject("limits"));
  if (limits) {
    TRY(out.limits, parseLimits(*limits));
  }
  return ok();
}

Status parsePolicySpec(const JsonReader& spec, BuildPolicy& out) {
  CHECK_OK(spec.onlyKeys({"namespaceSelector", "precedence", "admission", "admissionMessage",
                          "defaults", "allowed", "limits"}));
  TRY(const std::optional<JsonReader> selector, spec.optionalObject("namespaceSelector"));
  if (selector) {
    TRY(out.namespaces, parseSelector(*selector));
  }
  TRY(out.precedence, spec.integer("precedence", 0));
  TRY(const auto hold, api::optionalEnum<bool>(spec, "admission", kAdmissionWords));
  out.hold = hold.value_or(false);
  TRY(out.admissionMessage, spec.string("admissionMessage", ""));
  return parseParts(spec, out);
}
}  // namespace

Result<BuildPolicy> parsePolicy(const Json& object) {
  const JsonReader reader(object);
  CHECK_OK(reader.mustBeObject());
  TRY(const JsonReader metadata, reader.object("metadata"));
  BuildPolicy out;
  TRY(out.name, metadata.string("name"));
  const Result<JsonReader> spec = reader.object("spec");
  const Status parsed = spec ? parsePolicySpec(*spec, out) : Status(Error(spec.error()));
  if (!parsed) {
    const std::string name = out.name;
    out = BuildPolicy();
    out.name = name;
    out.error = parsed.error();
  }
  return out;
}

Policies selectPolicies(const std::vector<BuildPolicy>& all,
                        const std::map<std::string, std::string>& labels) {
  auto out = std::make_shared<std::vector<BuildPolicy>>();
  std::copy_if(all.begin(), all.end(), std::back_inserter(*out),
               [&](const BuildPolicy& policy) { return policy.namespaces.matches(labels); });
  std::sort(out->begin(), out->end(), [](const BuildPolicy& a, const BuildPolicy& b) {
    return std::tie(b.precedence, a.name) < std::tie(a.precedence, b.name);
  });
  return out;
}

}  // namespace stagewright::policy
