#include "lib/plan/report.h"

#include <climits>
#include <nlohmann/json.hpp>

#include "lib/base/seal.h"
#include "lib/plan/contract.h"
#include "lib/plan/json_parts.h"
#include "lib/plan/text.h"

namespace stagewright::plan {

namespace {

constexpr std::size_t kMaxReportBytes = 1024 * 1024;
constexpr std::size_t kMaxLayers = 10000;
constexpr std::size_t kMaxArtifacts = 1000;
constexpr std::size_t kMaxTags = 1000;
constexpr std::size_t kMaxReason = 64;
constexpr std::size_t kMaxMessage = 2048;
constexpr std::size_t kMaxInstruction = 256;
constexpr std::size_t kMaxLogTail = 2048;

std::string_view trimmedSlashes(std::string_view path) {
  while (!path.empty() && path.front() == '/') {
    path.remove_prefix(1);
  }
  return path;
}

Result<LayerReport> readLayer(const JsonReader& reader) {
  CHECK_OK(reader.mustBeObject());
  LayerReport out;
  TRY(out.step, parseInt(reader, "step", 0, static_cast<int>(kMaxLayers) - 1));
  TRY(out.diffId, parseDigest(reader, "diffId"));
  TRY(out.size, parseSize(reader, "size"));
  return out;
}

Result<ArtifactReport> readArtifact(const JsonReader& reader) {
  CHECK_OK(reader.mustBeObject());
  ArtifactReport out;
  TRY(out.index, parseInt(reader, "index", 0, static_cast<int>(kMaxArtifacts) - 1));
  TRY(out.digest, parseDigest(reader, "digest"));
  TRY(out.size, parseSize(reader, "size"));
  TRY(out.matches, reader.strings("matches"));
  for (const std::string& match : out.matches) {
    const std::string_view path = trimmedSlashes(match);
    if (!path.empty() && !isCleanRelative(path)) {
      return reader.error("matches: expected clean paths");
    }
  }
  return out;
}

/// Keys of the object are stage indexes in decimal.
Result<std::map<int, int>> readUpstream(const JsonReader& reader) {
  std::map<int, int> out;
  TRY(const auto object, reader.optionalObject("upstream"));
  if (!object) {
    return out;
  }
  for (const auto& item : object->value().items()) {
    const std::string& key = item.key();
    if (key.empty() || key.size() > 6 || key.find_first_not_of("0123456789") != std::string::npos) {
      return object->error("expected stage indexes as keys");
    }
    TRY(out[std::stoi(key)], parseInt(*object, key, 1, INT_MAX));
  }
  return out;
}

Json toJson(const ArtifactReport& r) {
  return {{"index", r.index}, {"digest", r.digest.str()}, {"size", r.size}, {"matches", r.matches}};
}

Result<std::vector<StepTime>> readTimes(const JsonReader& reader) {
  std::vector<StepTime> out;
  TRY(const auto items, reader.array("times"));
  if (items.size() > kMaxLayers) {
    return reader.error("times: more than 10000 entries");
  }
  for (const JsonReader& item : items) {
    CHECK_OK(item.mustBeObject());
    StepTime& time = out.emplace_back();
    TRY(time.step, parseInt(item, "step", 0, INT_MAX));
    TRY(time.millis, parseSize(item, "millis"));
  }
  return out;
}

Status readOutputs(const JsonReader& reader, StageReport& out) {
  TRY(const auto layers, reader.array("layers"));
  TRY(const auto artifacts, reader.array("artifacts"));
  if (layers.size() > kMaxLayers || artifacts.size() > kMaxArtifacts) {
    return reader.error("more than 10000 layers or 1000 artifacts");
  }
  for (const JsonReader& item : layers) {
    TRY(LayerReport layer, readLayer(item));
    out.layers.push_back(std::move(layer));
  }
  for (const JsonReader& item : artifacts) {
    TRY(ArtifactReport artifact, readArtifact(item));
    out.artifacts.push_back(std::move(artifact));
  }
  return ok();
}

/// Clean and within the caps: `cutFront` for a log, whose end says most.
Failure bounded(Failure f) {
  f.reason = cutEnd(printable(f.reason), kMaxReason);
  f.message = cutEnd(printable(f.message), kMaxMessage);
  f.instruction = cutEnd(printable(f.instruction), kMaxInstruction);
  f.logTail = cutFront(printable(f.logTail), kMaxLogTail);
  return f;
}

/// Makes `f` smaller where it hurts least. False if there is nothing left to take.
bool shrink(Failure& f, std::size_t excess) {
  // JSON escapes grow a byte to at most six, so taking a sixth of the excess per round never takes
  // too much by far.
  const std::size_t by = excess / 6 + 1;
  for (std::string* text : {&f.logTail, &f.message, &f.instruction, &f.reason}) {
    if (text->empty()) {
      continue;
    }
    const std::size_t keep = text->size() > by ? text->size() - by : 0;
    *text = text == &f.logTail ? cutFront(*text, keep) : cutEnd(*text, keep);
    return true;
  }
  return false;
}

}  // namespace

Json toJson(const LayerReport& r) {
  return {{"step", r.step}, {"diffId", r.diffId.str()}, {"size", r.size}};
}

Json toJson(const StageReport& r) {
  Json out = {{"stage", r.stage},           {"attempt", r.attempt},    {"succeeded", r.succeeded},
              {"upstream", Json::object()}, {"layers", Json::array()}, {"artifacts", Json::array()},
              {"times", Json::array()}};
  for (const auto& [stage, attempt] : r.upstream) {
    out["upstream"][std::to_string(stage)] = attempt;
  }
  for (const LayerReport& layer : r.layers) {
    out["layers"].push_back(toJson(layer));
  }
  for (const ArtifactReport& artifact : r.artifacts) {
    out["artifacts"].push_back(toJson(artifact));
  }
  for (const StepTime& time : r.times) {
    out["times"].push_back({{"step", time.step}, {"millis", time.millis}});
  }
  if (r.failure) {
    out["failure"] = toJson(*r.failure);
  }
  return out;
}

Json toJson(const Failure& f) {
  Json out = {{"reason", f.reason}, {"message", f.message}};
  if (!f.instruction.empty()) {
    out["instruction"] = f.instruction;
  }
  if (f.line != 0) {
    out["line"] = f.line;
  }
  if (f.exitCode != 0) {
    out["exitCode"] = f.exitCode;
  }
  if (!f.logTail.empty()) {
    out["logTail"] = f.logTail;
  }
  return out;
}

Json toJson(const ImageReport& r) {
  return {{"reference", r.reference},    {"digest", r.digest.str()}, {"mediaType", r.mediaType},
          {"sizeBytes", r.sizeBytes},    {"layers", r.layers},       {"tags", r.tags},
          {"pushedBytes", r.pushedBytes}};
}

Result<LayerReport> parseLayerReport(std::string_view text) {
  if (text.size() > kMaxReportBytes) {
    return invalid("the layer report is larger than 1 MiB");
  }
  TRY(const Json json, parseJson(text));
  return readLayer(JsonReader(json));
}

Result<StageReport> parseStageReport(std::string_view text) {
  if (text.size() > kMaxReportBytes) {
    return invalid("the stage report is larger than 1 MiB");
  }
  TRY(const Json json, parseJson(text));
  const JsonReader reader(json);
  CHECK_OK(reader.mustBeObject());
  StageReport out;
  TRY(out.stage, parseInt(reader, "stage", 0, INT_MAX));
  TRY(out.attempt, parseInt(reader, "attempt", 1, INT_MAX));
  TRY(out.succeeded, reader.boolean("succeeded", false));
  TRY(out.upstream, readUpstream(reader));
  CHECK_OK(readOutputs(reader, out));
  TRY(out.times, readTimes(reader));
  TRY(const auto failure, reader.optionalObject("failure"));
  if (failure) {
    TRY(out.failure, parseFailure(*failure));
  }
  return out;
}

Result<Failure> parseFailure(const JsonReader& reader) {
  CHECK_OK(reader.mustBeObject());
  Failure out;
  TRY(out.reason, reader.string("reason"));
  TRY(out.message, reader.string("message", ""));
  TRY(out.instruction, reader.string("instruction", ""));
  if (reader.has("line")) {
    TRY(out.line, parseInt(reader, "line", 0, INT_MAX));
  }
  if (reader.has("exitCode")) {
    TRY(out.exitCode, parseInt(reader, "exitCode", INT_MIN, INT_MAX));
  }
  TRY(out.logTail, reader.string("logTail", ""));
  return bounded(std::move(out));
}

Result<ImageReport> parseImageReport(const JsonReader& reader) {
  CHECK_OK(reader.mustBeObject());
  ImageReport out;
  TRY(out.reference, reader.string("reference"));
  if (!isPinned(out.reference)) {
    return reader.error("reference: expected repository@digest");
  }
  TRY(out.digest, parseDigest(reader, "digest"));
  TRY(out.mediaType, reader.string("mediaType"));
  TRY(out.sizeBytes, parseSize(reader, "sizeBytes"));
  TRY(out.layers, parseInt(reader, "layers", 0, INT_MAX));
  TRY(out.tags, reader.strings("tags"));
  if (out.tags.size() > kMaxTags) {
    return reader.error("tags: more than 1000");
  }
  TRY(out.pushedBytes, reader.integer("pushedBytes", 0));
  if (out.pushedBytes < 0) {
    return reader.error("pushedBytes: must not be negative");
  }
  return out;
}

std::string makeTermination(std::string_view key, std::string_view runId, std::string_view role,
                            int attempt, Failure f) {
  const SealScope scope{std::string(runId), std::string(role), attempt};
  f = bounded(std::move(f));
  while (true) {
    std::string sealed = sealText(key, scope, "termination", dumpJson(toJson(f)));
    if (sealed.size() <= kTerminationLimit || !shrink(f, sealed.size() - kTerminationLimit)) {
      return sealed;
    }
  }
}

}  // namespace stagewright::plan
