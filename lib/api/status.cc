#include "lib/api/status.h"

#include "lib/api/json_fields.h"
#include "lib/api/status_parts.h"

namespace stagewright::api {

namespace {
Result<ImageStatus> parseImage(const JsonReader& reader) {
  ImageStatus out;
  TRY(out.reference, reader.string("reference", ""));
  TRY(out.digest, reader.string("digest", ""));
  TRY(out.tags, reader.strings("tags"));
  TRY(out.mediaType, reader.string("mediaType", ""));
  TRY(out.sizeBytes, reader.integer("sizeBytes", 0));
  TRY(out.layers, intOf(reader, "layers"));
  return out;
}

Result<LastSuccessful> parseLastSuccessful(const JsonReader& reader) {
  LastSuccessful out;
  TRY(out.runID, reader.string("runID", ""));
  TRY(out.reference, reader.string("reference", ""));
  TRY(out.digest, reader.string("digest", ""));
  TRY(out.sourceRevision, reader.string("sourceRevision", ""));
  TRY(out.completionTime, optionalTime(reader, "completionTime"));
  return out;
}

Result<FailureStatus> parseFailure(const JsonReader& reader) {
  FailureStatus out;
  TRY(out.class_, reader.string("class", ""));
  TRY(out.reason, reader.string("reason", ""));
  TRY(out.policy, reader.string("policy", ""));
  TRY(out.rule, reader.string("rule", ""));
  TRY(out.stage, reader.string("stage", ""));
  TRY(out.instruction, reader.string("instruction", ""));
  TRY(out.line, intOf(reader, "line"));
  TRY(out.exitCode, intOf(reader, "exitCode"));
  TRY(out.attempt, reader.string("attempt", ""));
  TRY(out.message, reader.string("message", ""));
  TRY(out.logTail, reader.string("logTail", ""));
  TRY(out.pod, reader.string("pod", ""));
  TRY(out.container, reader.string("container", ""));
  TRY(out.logCommand, reader.string("logCommand", ""));
  return out;
}

Result<BuildWarning> parseWarning(const JsonReader& reader) {
  BuildWarning out;
  TRY(out.rule, reader.string("rule", ""));
  TRY(out.line, intOf(reader, "line"));
  TRY(out.message, reader.string("message", ""));
  TRY(out.url, reader.string("url", ""));
  return out;
}

Result<PastRun> parsePastRun(const JsonReader& reader) {
  PastRun out;
  TRY(out.runID, reader.string("runID", ""));
  TRY(out.result, reader.string("result", ""));
  TRY(out.reason, reader.string("reason", ""));
  TRY(out.digest, reader.string("digest", ""));
  TRY(out.trigger, reader.string("trigger", ""));
  TRY(out.startTime, optionalTime(reader, "startTime"));
  TRY(out.completionTime, optionalTime(reader, "completionTime"));
  return out;
}

template <class T, class Read>
Result<std::optional<T>> optionalPart(const JsonReader& reader, std::string_view key, Read read) {
  TRY(const std::optional<JsonReader> part, reader.optionalObject(key));
  if (!part) {
    return std::optional<T>();
  }
  TRY(T value, read(*part));
  return std::optional<T>(std::move(value));
}
}  // namespace

Json toJson(const ImageStatus& image) {
  Json out = Json::object();
  putText(out, "reference", image.reference);
  putText(out, "digest", image.digest);
  putJson(out, "tags", image.tags);
  putText(out, "mediaType", image.mediaType);
  putNumber(out, "sizeBytes", image.sizeBytes);
  putNumber(out, "layers", image.layers);
  return out;
}

Json toJson(const LastSuccessful& last) {
  Json out = Json::object();
  putText(out, "runID", last.runID);
  putText(out, "reference", last.reference);
  putText(out, "digest", last.digest);
  putText(out, "sourceRevision", last.sourceRevision);
  putTime(out, "completionTime", last.completionTime);
  return out;
}

Json toJson(const FailureStatus& failure) {
  Json out = Json::object();
  putText(out, "class", failure.class_);
  putText(out, "reason", failure.reason);
  putText(out, "policy", failure.policy);
  putText(out, "rule", failure.rule);
  putText(out, "stage", failure.stage);
  putText(out, "instruction", failure.instruction);
  putNumber(out, "line", failure.line);
  putNumber(out, "exitCode", failure.exitCode);
  putText(out, "attempt", failure.attempt);
  putText(out, "message", failure.message);
  putText(out, "logTail", failure.logTail);
  putText(out, "pod", failure.pod);
  putText(out, "container", failure.container);
  putText(out, "logCommand", failure.logCommand);
  return out;
}

Json toJson(const BuildWarning& warning) {
  Json out = Json::object();
  putText(out, "rule", warning.rule);
  putNumber(out, "line", warning.line);
  putText(out, "message", warning.message);
  putText(out, "url", warning.url);
  return out;
}

Json toJson(const PastRun& past) {
  Json out = Json::object();
  putText(out, "runID", past.runID);
  putText(out, "result", past.result);
  putText(out, "reason", past.reason);
  putText(out, "digest", past.digest);
  putText(out, "trigger", past.trigger);
  putTime(out, "startTime", past.startTime);
  putTime(out, "completionTime", past.completionTime);
  return out;
}

Result<ImageBuildStatus> parseStatus(const JsonReader& reader) {
  ImageBuildStatus out;
  TRY(out.observedGeneration, reader.integer("observedGeneration", -1));
  TRY(out.phase, reader.string("phase", ""));
  TRY(out.progress, reader.string("progress", ""));
  TRY(out.output, reader.string("output", ""));
  TRY(out.inputHash, reader.string("inputHash", ""));
  TRY(out.remediesHash, reader.string("remediesHash", ""));
  TRY(out.lastHandledRebuild, reader.string("lastHandledRebuild", ""));
  TRY(out.lastHandledNoCacheRebuild, reader.string("lastHandledNoCacheRebuild", ""));
  TRY(out.run, optionalPart<RunStatus>(reader, "run", parseRun));
  TRY(out.stages, listOf<StageStatus>(reader, "stages", parseStage));
  TRY(out.image, optionalPart<ImageStatus>(reader, "image", parseImage));
  TRY(out.lastSuccessful,
      optionalPart<LastSuccessful>(reader, "lastSuccessful", parseLastSuccessful));
  TRY(out.failure, optionalPart<FailureStatus>(reader, "failure", parseFailure));
  TRY(out.warnings, listOf<BuildWarning>(reader, "warnings", parseWarning));
  TRY(out.history, listOf<PastRun>(reader, "history", parsePastRun));
  TRY(const std::vector<JsonReader> conditions, reader.array("conditions"));
  TRY(out.conditions, ConditionSet::parse(conditions));
  return out;
}

Json toJson(const ImageBuildStatus& status) {
  Json out = {{"observedGeneration", status.observedGeneration}};
  putText(out, "phase", status.phase);
  putText(out, "progress", status.progress);
  putText(out, "output", status.output);
  putText(out, "inputHash", status.inputHash);
  putText(out, "remediesHash", status.remediesHash);
  putText(out, "lastHandledRebuild", status.lastHandledRebuild);
  putText(out, "lastHandledNoCacheRebuild", status.lastHandledNoCacheRebuild);
  putJson(out, "run", status.run ? toJson(*status.run) : Json::object());
  putJson(out, "stages", arrayOf(status.stages));
  putJson(out, "image", status.image ? toJson(*status.image) : Json::object());
  putJson(out, "lastSuccessful",
          status.lastSuccessful ? toJson(*status.lastSuccessful) : Json::object());
  putJson(out, "failure", status.failure ? toJson(*status.failure) : Json::object());
  putJson(out, "warnings", arrayOf(status.warnings));
  putJson(out, "history", arrayOf(status.history));
  putJson(out, "conditions", status.conditions.toJson());
  return out;
}

bool isFinished(const RunStatus& run) { return !run.result.empty(); }

}  // namespace stagewright::api
