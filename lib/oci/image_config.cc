#include "lib/oci/image_config.h"

#include <nlohmann/json.hpp>

namespace stagewright::oci {

namespace {

constexpr std::size_t kMaxConfigBytes = 8U * 1024 * 1024;
constexpr std::size_t kMaxHistory = 16384;

/// Absent and null give nothing, an empty list gives an empty list.
Result<std::optional<std::vector<std::string>>> optionalStrings(const JsonReader& reader,
                                                                std::string_view key) {
  if (!reader.has(key)) {
    return std::optional<std::vector<std::string>>();
  }
  TRY(std::vector<std::string> list, reader.strings(key));
  return std::optional<std::vector<std::string>>(std::move(list));
}

/// A Go `map[string]struct{}`: the keys of an object.
Result<std::set<std::string>> parseKeys(const JsonReader& reader, std::string_view key) {
  std::set<std::string> out;
  TRY(const auto object, reader.optionalObject(key));
  if (object) {
    for (const auto& item : object->value().items()) {
      out.insert(item.key());
    }
  }
  return out;
}

Result<std::map<std::string, std::string>> parseLabels(const JsonReader& reader) {
  std::map<std::string, std::string> out;
  TRY(const auto object, reader.optionalObject("Labels"));
  if (object) {
    for (const auto& [key, value] : object->value().items()) {
      TRY(out[key], JsonReader(value, object->path() + "." + key).asString());
    }
  }
  return out;
}

Result<std::optional<HealthConfig>> parseHealth(const JsonReader& reader) {
  TRY(const auto object, reader.optionalObject("Healthcheck"));
  if (!object) {
    return std::optional<HealthConfig>();
  }
  HealthConfig out;
  TRY(out.test, object->strings("Test"));
  TRY(out.interval, object->integer("Interval", 0));
  TRY(out.timeout, object->integer("Timeout", 0));
  TRY(out.startPeriod, object->integer("StartPeriod", 0));
  TRY(out.startInterval, object->integer("StartInterval", 0));
  TRY(out.retries, object->integer("Retries", 0));
  return std::optional<HealthConfig>(std::move(out));
}

Status parseRuntime(const JsonReader& reader, ImageConfig& out) {
  TRY(out.env, reader.strings("Env"));
  TRY(out.cmd, optionalStrings(reader, "Cmd"));
  TRY(out.entrypoint, optionalStrings(reader, "Entrypoint"));
  TRY(out.user, reader.string("User", ""));
  TRY(out.workingDir, reader.string("WorkingDir", ""));
  TRY(out.exposedPorts, parseKeys(reader, "ExposedPorts"));
  TRY(out.volumes, parseKeys(reader, "Volumes"));
  TRY(out.labels, parseLabels(reader));
  TRY(out.stopSignal, reader.string("StopSignal", ""));
  TRY(out.healthcheck, parseHealth(reader));
  TRY(out.shell, reader.strings("Shell"));
  TRY(out.onBuild, reader.strings("OnBuild"));
  TRY(out.argsEscaped, reader.boolean("ArgsEscaped", false));
  return ok();
}

Result<std::vector<HistoryEntry>> parseHistory(const JsonReader& reader) {
  TRY(const auto items, reader.array("history"));
  if (items.size() > kMaxHistory) {
    return reader.error("history: more than 16384 entries");
  }
  std::vector<HistoryEntry> out;
  out.reserve(items.size());
  for (const JsonReader& item : items) {
    CHECK_OK(item.mustBeObject());
    HistoryEntry& entry = out.emplace_back();
    TRY(entry.created, item.string("created", ""));
    TRY(entry.createdBy, item.string("created_by", ""));
    TRY(entry.author, item.string("author", ""));
    TRY(entry.comment, item.string("comment", ""));
    TRY(entry.emptyLayer, item.boolean("empty_layer", false));
  }
  return out;
}

Result<std::vector<Digest>> parseDiffIds(const JsonReader& reader) {
  std::vector<Digest> out;
  TRY(const auto rootfs, reader.optionalObject("rootfs"));
  if (!rootfs) {
    return out;
  }
  TRY(const std::vector<std::string> texts, rootfs->strings("diff_ids"));
  for (const std::string& text : texts) {
    auto digest = Digest::parse(text);
    if (!digest) {
      return rootfs->error("diff_ids: " + digest.error().message);
    }
    out.push_back(*std::move(digest));
  }
  return out;
}

void setText(Json& object, const char* key, const std::string& value) {
  if (!value.empty()) {
    object[key] = value;
  }
}

void setList(Json& object, const char* key, const std::vector<std::string>& value) {
  if (!value.empty()) {
    object[key] = value;
  }
}

void setKeys(Json& object, const char* key, const std::set<std::string>& keys) {
  for (const std::string& name : keys) {
    object[key][name] = Json::object();
  }
}

void setNumber(Json& object, const char* key, std::int64_t value) {
  if (value != 0) {
    object[key] = value;
  }
}

Json toJson(const HealthConfig& health) {
  Json out = Json::object();
  setList(out, "Test", health.test);
  setNumber(out, "Interval", health.interval);
  setNumber(out, "Timeout", health.timeout);
  setNumber(out, "StartPeriod", health.startPeriod);
  setNumber(out, "StartInterval", health.startInterval);
  setNumber(out, "Retries", health.retries);
  return out;
}

Json runtimeJson(const ImageConfig& config) {
  Json out = Json::object();
  setList(out, "Env", config.env);
  if (config.cmd) {
    out["Cmd"] = *config.cmd;
  }
  if (config.entrypoint) {
    out["Entrypoint"] = *config.entrypoint;
  }
  setText(out, "User", config.user);
  setText(out, "WorkingDir", config.workingDir);
  setKeys(out, "ExposedPorts", config.exposedPorts);
  setKeys(out, "Volumes", config.volumes);
  if (!config.labels.empty()) {
    out["Labels"] = config.labels;
  }
  setText(out, "StopSignal", config.stopSignal);
  if (config.healthcheck) {
    out["Healthcheck"] = toJson(*config.healthcheck);
  }
  setList(out, "Shell", config.shell);
  setList(out, "OnBuild", config.onBuild);
  if (config.argsEscaped) {
    out["ArgsEscaped"] = true;
  }
  return out;
}

Json toJson(const HistoryEntry& entry) {
  Json out = Json::object();
  setText(out, "created", entry.created);
  setText(out, "created_by", entry.createdBy);
  setText(out, "author", entry.author);
  setText(out, "comment", entry.comment);
  if (entry.emptyLayer) {
    out["empty_layer"] = true;
  }
  return out;
}

}  // namespace

Result<ImageConfig> parseImageConfig(std::string_view bytes) {
  if (bytes.size() > kMaxConfigBytes) {
    return invalid("the image config is larger than 8 MiB");
  }
  TRY(const Json json, parseJson(bytes));
  const JsonReader reader(json);
  CHECK_OK(reader.mustBeObject());
  ImageConfig out;
  TRY(out.created, reader.string("created", ""));
  TRY(out.author, reader.string("author", ""));
  TRY(out.platform.os, reader.string("os", "linux"));
  TRY(out.platform.architecture, reader.string("architecture", ""));
  TRY(out.platform.variant, reader.string("variant", ""));
  TRY(out.osVersion, reader.string("os.version", ""));
  TRY(const auto runtime, reader.optionalObject("config"));
  if (runtime) {
    CHECK_OK(parseRuntime(*runtime, out));
  }
  TRY(out.diffIds, parseDiffIds(reader));
  TRY(out.history, parseHistory(reader));
  return out;
}

std::string serializeImageConfig(const ImageConfig& config) {
  Json out = {{"architecture", config.platform.architecture},
              {"os", config.platform.os},
              {"config", runtimeJson(config)},
              {"rootfs", {{"type", "layers"}, {"diff_ids", Json::array()}}},
              {"history", Json::array()}};
  setText(out, "created", config.created);
  setText(out, "author", config.author);
  setText(out, "variant", config.platform.variant);
  setText(out, "os.version", config.osVersion);
  for (const Digest& diffId : config.diffIds) {
    out["rootfs"]["diff_ids"].push_back(diffId.str());
  }
  for (const HistoryEntry& entry : config.history) {
    out["history"].push_back(toJson(entry));
  }
  return dumpJson(out);
}

}  // namespace stagewright::oci
