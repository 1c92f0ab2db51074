// Reading and writing the parts of spec. Internal to lib/api.
#pragma once

#include "lib/api/image_build.h"
#include "lib/base/json.h"

namespace stagewright::api {

// spec_inputs.cc
Result<Source> parseSource(const JsonReader& reader);
Result<Output> parseOutput(const JsonReader& reader);
Result<BuildArg> parseBuildArg(const JsonReader& reader);
Json toJson(const BuildArg& arg);
Result<BuildContext> parseBuildContext(const JsonReader& reader);
Json toJson(const BuildContext& context);
/// `list` is secrets or ssh.
Result<std::vector<BuildSecret>> parseBuildSecrets(const JsonReader& spec, std::string_view list);
Result<NameValue> parseNameValue(const JsonReader& reader, std::string_view path);
/// `{name: x}` at `key`, empty if absent.
Result<std::string> parseNameRef(const JsonReader& reader, std::string_view key,
                                 std::string_view path);
Json toJson(const Source& source);
Json toJson(const Output& output);
Json toJson(const NameValue& pair);
Json toJson(const BuildSecret& secret);

// spec_lifecycle.cc
Result<RetryPolicy> parseRetry(const JsonReader& reader);
Json toJson(const RetryPolicy& retry);
Result<Retention> parseRetention(const JsonReader& reader);
Result<std::optional<OnInputChange>> parseOnInputChange(const JsonReader& spec);
Json toJson(const Retention& retention);
void putOnInputChange(Json& spec, const std::optional<OnInputChange>& value);

// spec_network.cc
/// `configMapKeyRef` of the object at `path`.
Result<ConfigMapKey> parseConfigMapKey(const JsonReader& reader, const std::string& path);
/// `{configMapKeyRef: {name, key}}`
Json configMapKeyJson(const ConfigMapKey& ref);
Result<Registry> parseRegistry(const JsonReader& reader);
Result<std::optional<Proxy>> parseProxy(const JsonReader& spec);
Result<std::optional<TrustedCA>> parseTrustedCA(const JsonReader& spec);
Json toJson(const Registry& registry);
Json toJson(const Proxy& proxy);
Json toJson(const TrustedCA& trusted);

// spec_execution.cc
Result<Cache> parseCache(const JsonReader& reader);
Json toJson(const Cache& cache);
Result<Workspace> parseWorkspace(const JsonReader& reader);
Result<Execution> parseExecution(const JsonReader& reader);
Json toJson(const Workspace& workspace);
Json toJson(const StageSettings& stage);
Json toJson(const PodMetadata& metadata);
Json toJson(const Execution& execution);

}  // namespace stagewright::api
