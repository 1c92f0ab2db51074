// What is built and where it goes: source, build arguments, output.
#include "lib/api/json_fields.h"
#include "lib/api/spec_keys.h"
#include "lib/api/spec_parts.h"

namespace stagewright::api {

Result<std::string> parseNameRef(const JsonReader& reader, std::string_view key,
                                 std::string_view path) {
  TRY(const std::optional<JsonReader> ref, reader.optionalObject(key));
  if (!ref) {
    return std::string();
  }
  CHECK_OK(onlySpecKeys(*ref, path));
  return ref->string("name");
}

Result<NameValue> parseNameValue(const JsonReader& reader, std::string_view path) {
  CHECK_OK(onlySpecKeys(reader, path));
  NameValue out;
  TRY(out.name, reader.string("name"));
  TRY(out.value, reader.string("value", ""));
  return out;
}

Result<BuildArg> parseBuildArg(const JsonReader& reader) {
  CHECK_OK(onlySpecKeys(reader, "spec.buildArgs[]"));
  BuildArg out;
  TRY(out.name, reader.string("name"));
  TRY(out.value, reader.string("value", ""));
  TRY(const std::optional<JsonReader> from, reader.optionalObject("valueFrom"));
  if (from) {
    TRY(out.from, parseConfigMapKey(*from, "spec.buildArgs[].valueFrom"));
  }
  if (from && reader.has("value")) {
    return reader.error("needs either value or valueFrom");
  }
  return out;
}

Json toJson(const BuildArg& arg) {
  Json out = {{"name", arg.name}};
  if (arg.from) {
    out["valueFrom"] = configMapKeyJson(*arg.from);
  } else {
    out["value"] = arg.value;
  }
  return out;
}

Result<BuildContext> parseBuildContext(const JsonReader& reader) {
  CHECK_OK(onlySpecKeys(reader, "spec.buildContexts[]"));
  BuildContext out;
  TRY(out.name, reader.string("name"));
  TRY(out.image, reader.string("image"));
  return out;
}

Json toJson(const BuildContext& context) {
  return {{"name", context.name}, {"image", context.image}};
}

Result<std::vector<BuildSecret>> parseBuildSecrets(const JsonReader& spec, std::string_view list) {
  const std::string path = "spec." + std::string(list) + "[]";
  return listOf<BuildSecret>(spec, list, [&](const JsonReader& item) -> Result<BuildSecret> {
    CHECK_OK(onlySpecKeys(item, path));
    BuildSecret out;
    TRY(out.id, item.string("id"));
    TRY(const JsonReader ref, item.object("secretKeyRef"));
    CHECK_OK(onlySpecKeys(ref, path + ".secretKeyRef"));
    TRY(out.name, ref.string("name"));
    TRY(out.key, ref.string("key"));
    return out;
  });
}

namespace {
Result<GitRef> parseGitRef(const JsonReader& reader) {
  CHECK_OK(onlySpecKeys(reader, "spec.source.git.ref"));
  GitRef out;
  TRY(out.branch, reader.string("branch", ""));
  TRY(out.tag, reader.string("tag", ""));
  TRY(out.commit, reader.string("commit", ""));
  if (!out.branch.empty() + !out.tag.empty() + !out.commit.empty() > 1) {
    return reader.error("branch, tag and commit exclude each other");
  }
  return out;
}

Result<GitSource> parseGit(const JsonReader& reader) {
  CHECK_OK(onlySpecKeys(reader, "spec.source.git"));
  GitSource out;
  TRY(out.url, reader.string("url"));
  TRY(const std::optional<JsonReader> ref, reader.optionalObject("ref"));
  if (ref) {
    TRY(out.ref, parseGitRef(*ref));
  }
  TRY(out.secretRef, parseNameRef(reader, "secretRef", "spec.source.git.secretRef"));
  return out;
}

Result<ConfigMapItem> parseItem(const JsonReader& reader) {
  CHECK_OK(onlySpecKeys(reader, "spec.source.configMap.items[]"));
  ConfigMapItem out;
  TRY(out.key, reader.string("key"));
  TRY(out.path, reader.string("path"));
  return out;
}

Result<ConfigMapSource> parseConfigMap(const JsonReader& reader) {
  CHECK_OK(onlySpecKeys(reader, "spec.source.configMap"));
  ConfigMapSource out;
  TRY(out.name, reader.string("name"));
  TRY(out.items, listOf<ConfigMapItem>(reader, "items", parseItem));
  return out;
}

Json toJson(const GitSource& git) {
  Json ref = Json::object();
  putText(ref, "branch", git.ref.branch);
  putText(ref, "tag", git.ref.tag);
  putText(ref, "commit", git.ref.commit);
  Json out = {{"url", git.url}};
  putJson(out, "ref", std::move(ref));
  putJson(out, "secretRef", nameObject(git.secretRef));
  return out;
}

Json toJson(const ConfigMapSource& configMap) {
  Json items = Json::array();
  for (const ConfigMapItem& item : configMap.items) {
    items.push_back({{"key", item.key}, {"path", item.path}});
  }
  Json out = {{"name", configMap.name}};
  putJson(out, "items", std::move(items));
  return out;
}
}  // namespace

Result<Source> parseSource(const JsonReader& reader) {
  CHECK_OK(onlySpecKeys(reader, "spec.source"));
  Source out;
  TRY(const std::optional<JsonReader> git, reader.optionalObject("git"));
  if (git) {
    TRY(out.git, parseGit(*git));
  }
  TRY(const std::optional<JsonReader> configMap, reader.optionalObject("configMap"));
  if (configMap) {
    TRY(out.configMap, parseConfigMap(*configMap));
  }
  if (out.git && out.configMap) {
    return reader.error("git and configMap exclude each other: a build has one source");
  }
  return out;
}

namespace {
constexpr std::array<std::string_view, 2> kFormatWords = {"OCI", "Docker"};
constexpr std::array<std::string_view, 2> kCompressionWords = {"gzip", "zstd"};
constexpr std::array<std::string_view, 4> kPolicyWords = {"Now", "Source", "Zero", "Fixed"};

Result<Timestamp> parseTimestamp(const JsonReader& reader) {
  CHECK_OK(onlySpecKeys(reader, "spec.output.timestamp"));
  Timestamp out;
  TRY(const auto policy, optionalEnum<TimestampPolicy>(reader, "policy", kPolicyWords));
  out.policy = policy.value_or(TimestampPolicy::kNow);
  TRY(out.time, optionalTime(reader, "time"));
  if ((out.policy == TimestampPolicy::kFixed) != out.time.has_value()) {
    return reader.error("policy Fixed needs time, and no other has one");
  }
  return out;
}

Json toJson(const Timestamp& timestamp) {
  Json out = {{"policy", kPolicyWords[static_cast<std::size_t>(timestamp.policy)]}};
  putTime(out, "time", timestamp.time);
  return out;
}
}  // namespace

Result<Output> parseOutput(const JsonReader& reader) {
  CHECK_OK(onlySpecKeys(reader, "spec.output"));
  Output out;
  TRY(out.image, reader.string("image", ""));
  TRY(out.repository, reader.string("repository", ""));
  TRY(out.tags, reader.strings("tags"));
  TRY(out.secretRef, parseNameRef(reader, "secretRef", "spec.output.secretRef"));
  TRY(out.labels, listOf<NameValue>(reader, "labels", [](const JsonReader& item) {
        return parseNameValue(item, "spec.output.labels[]");
      }));
  TRY(out.annotations, listOf<NameValue>(reader, "annotations", [](const JsonReader& item) {
        return parseNameValue(item, "spec.output.annotations[]");
      }));
  TRY(out.format, optionalEnum<OutputFormat>(reader, "format", kFormatWords));
  TRY(out.compression, optionalEnum<Compression>(reader, "compression", kCompressionWords));
  TRY(const std::optional<JsonReader> timestamp, reader.optionalObject("timestamp"));
  if (timestamp) {
    TRY(out.timestamp, parseTimestamp(*timestamp));
  }
  if (out.format == OutputFormat::kDocker &&
      (out.compression == Compression::kZstd || !out.annotations.empty())) {
    return reader.error("format Docker knows neither zstd nor annotations");
  }
  if (out.image.empty() == out.repository.empty()) {
    return reader.error("needs either image or repository");
  }
  if (!out.image.empty() && !out.tags.empty()) {
    return reader.error("tags belong to repository; with image the tag stands in it");
  }
  return out;
}

Json toJson(const Source& source) {
  Json out = Json::object();
  if (source.git) {
    out["git"] = toJson(*source.git);
  }
  if (source.configMap) {
    out["configMap"] = toJson(*source.configMap);
  }
  return out;
}

Json toJson(const NameValue& pair) { return {{"name", pair.name}, {"value", pair.value}}; }

Json toJson(const BuildSecret& secret) {
  return {{"id", secret.id}, {"secretKeyRef", {{"name", secret.name}, {"key", secret.key}}}};
}

Json toJson(const Output& output) {
  Json out = Json::object();
  putText(out, "image", output.image);
  putText(out, "repository", output.repository);
  putJson(out, "tags", output.tags);
  putJson(out, "secretRef", nameObject(output.secretRef));
  putJson(out, "labels", arrayOf(output.labels));
  putJson(out, "annotations", arrayOf(output.annotations));
  putEnum(out, "format", output.format, kFormatWords);
  putEnum(out, "compression", output.compression, kCompressionWords);
  if (output.timestamp) {
    out["timestamp"] = toJson(*output.timestamp);
  }
  return out;
}

}  // namespace stagewright::api
