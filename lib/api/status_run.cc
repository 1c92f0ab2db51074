// status.run and status.stages: the memory of the operator.
#include "lib/api/json_fields.h"
#include "lib/api/status_parts.h"

namespace stagewright::api {

namespace {
constexpr std::array<std::string_view, 7> kStateWords = {
    "Waiting", "Creating", "Running", "Succeeded", "Failed", "Backoff", "Cancelled"};

Result<PastAttempt> parsePastAttempt(const JsonReader& reader) {
  PastAttempt out;
  TRY(out.attempt, intOf(reader, "attempt"));
  TRY(out.reason, reader.string("reason", ""));
  TRY(out.node, reader.string("node", ""));
  TRY(out.pod, reader.string("pod", ""));
  return out;
}

Status parseAttempt(const JsonReader& reader, AttemptStatus& out) {
  TRY(const std::optional<AttemptState> state,
      optionalEnum<AttemptState>(reader, "state", kStateWords));
  out.state = state.value_or(AttemptState::kWaiting);
  TRY(out.attempt, intOf(reader, "attempt"));
  TRY(out.pod, reader.string("pod", ""));
  TRY(out.node, reader.string("node", ""));
  TRY(out.startTime, optionalTime(reader, "startTime"));
  TRY(out.completionTime, optionalTime(reader, "completionTime"));
  TRY(out.attempts, listOf<PastAttempt>(reader, "attempts", parsePastAttempt));
  TRY(out.reason, reader.string("reason", ""));
  TRY(out.message, reader.string("message", ""));
  TRY(out.failingSince, optionalTime(reader, "failingSince"));
  TRY(out.retryAt, optionalTime(reader, "retryAt"));
  return ok();
}

void putAttempt(Json& out, const AttemptStatus& attempt) {
  out["state"] = attemptStateName(attempt.state);
  putNumber(out, "attempt", attempt.attempt);
  putText(out, "pod", attempt.pod);
  putText(out, "node", attempt.node);
  putTime(out, "startTime", attempt.startTime);
  putTime(out, "completionTime", attempt.completionTime);
  putJson(out, "attempts", arrayOf(attempt.attempts));
  putText(out, "reason", attempt.reason);
  putText(out, "message", attempt.message);
  putTime(out, "failingSince", attempt.failingSince);
  putTime(out, "retryAt", attempt.retryAt);
}

Result<AttemptStatus> attemptAt(const JsonReader& run, std::string_view key) {
  AttemptStatus out;
  TRY(const std::optional<JsonReader> reader, run.optionalObject(key));
  if (reader) {
    CHECK_OK(parseAttempt(*reader, out));
  }
  return out;
}

/// Left out while nothing has happened.
void putAttemptAt(Json& run, const char* key, const AttemptStatus& attempt) {
  if (attempt.attempt > 0 || attempt.state != AttemptState::kWaiting) {
    putAttempt(run[key], attempt);
  }
}

Result<BaseImage> parseBaseImage(const JsonReader& reader) {
  BaseImage out;
  TRY(out.stage, intOf(reader, "stage"));
  TRY(out.name, reader.string("name", ""));
  TRY(out.digest, reader.string("digest", ""));
  return out;
}

Status parseRunIdentity(const JsonReader& reader, RunStatus& out) {
  TRY(out.id, reader.string("id"));
  TRY(out.sequence, reader.integer("sequence", 0));
  TRY(out.generation, reader.integer("generation", 0));
  TRY(out.result, reader.string("result", ""));
  TRY(out.trigger, reader.string("trigger", ""));
  TRY(out.sourceRevision, reader.string("sourceRevision", ""));
  TRY(out.isolation, reader.string("isolation", ""));
  TRY(out.start, reader.string("start", ""));
  TRY(out.accessMode, reader.string("accessMode", ""));
  TRY(out.claim, reader.string("claim", ""));
  TRY(out.node, reader.string("node", ""));
  TRY(out.builderImage, reader.string("builderImage", ""));
  TRY(out.spec, reader.string("spec", ""));
  return ok();
}

/// dependsOn as plain numbers.
Result<std::vector<int>> parseIndexes(const JsonReader& reader, std::string_view key) {
  TRY(const std::vector<JsonReader> items, reader.array(key));
  std::vector<int> out;
  for (const JsonReader& item : items) {
    if (!item.value().is_number_integer()) {
      return item.error("expected integer");
    }
    out.push_back(item.value().get<int>());
  }
  return out;
}

Result<std::map<int, int>> parseUpstream(const JsonReader& reader) {
  std::map<int, int> out;
  TRY(const std::vector<JsonReader> items, reader.array("upstream"));
  for (const JsonReader& item : items) {
    TRY(const int stage, intOf(item, "stage"));
    TRY(out[stage], intOf(item, "attempt"));
  }
  return out;
}

Json upstreamJson(const std::map<int, int>& upstream) {
  Json out = Json::array();
  for (const auto& [stage, attempt] : upstream) {
    out.push_back({{"stage", stage}, {"attempt", attempt}});
  }
  return out;
}
}  // namespace

Json toJson(const PastAttempt& past) {
  Json out = {{"attempt", past.attempt}};
  putText(out, "reason", past.reason);
  putText(out, "node", past.node);
  putText(out, "pod", past.pod);
  return out;
}

Json toJson(const BaseImage& base) {
  Json out = {{"stage", base.stage}};
  putText(out, "name", base.name);
  putText(out, "digest", base.digest);
  return out;
}

Result<int> intOf(const JsonReader& reader, std::string_view key, int fallback) {
  TRY(const std::int64_t number, reader.integer(key, fallback));
  if (number < INT32_MIN || number > INT32_MAX) {
    return reader.error(std::string(key) + ": out of range");
  }
  return static_cast<int>(number);
}

std::string_view attemptStateName(AttemptState state) {
  return kStateWords[static_cast<std::size_t>(state)];
}

Result<RunStatus> parseRun(const JsonReader& reader) {
  RunStatus out;
  CHECK_OK(parseRunIdentity(reader, out));
  TRY(out.planDigest, reader.string("planDigest", ""));
  TRY(out.target, intOf(reader, "target"));
  TRY(out.baseImages, listOf<BaseImage>(reader, "baseImages", parseBaseImage));
  TRY(out.prepare, attemptAt(reader, "prepare"));
  TRY(out.publish, attemptAt(reader, "publish"));
  TRY(out.infrastructureRetries, intOf(reader, "infrastructureRetries"));
  TRY(out.restarts, intOf(reader, "restarts"));
  TRY(out.noCache, reader.boolean("noCache", false));
  TRY(out.startTime, optionalTime(reader, "startTime"));
  TRY(out.queue, reader.string("queue", ""));
  TRY(out.queuePosition, intOf(reader, "queuePosition"));
  TRY(out.admittedTime, optionalTime(reader, "admittedTime"));
  TRY(out.activeTime, optionalTime(reader, "activeTime"));
  TRY(out.completionTime, optionalTime(reader, "completionTime"));
  TRY(out.durationSeconds, reader.integer("durationSeconds", 0));
  return out;
}

Json toJson(const RunStatus& run) {
  Json out = {{"id", run.id}, {"sequence", run.sequence}, {"generation", run.generation}};
  putText(out, "result", run.result);
  putText(out, "trigger", run.trigger);
  putText(out, "sourceRevision", run.sourceRevision);
  putText(out, "isolation", run.isolation);
  putText(out, "start", run.start);
  putText(out, "accessMode", run.accessMode);
  putText(out, "claim", run.claim);
  putText(out, "node", run.node);
  putText(out, "builderImage", run.builderImage);
  putText(out, "spec", run.spec);
  putText(out, "planDigest", run.planDigest);
  putNumber(out, "target", run.target);
  putJson(out, "baseImages", arrayOf(run.baseImages));
  putAttemptAt(out, "prepare", run.prepare);
  putAttemptAt(out, "publish", run.publish);
  putNumber(out, "infrastructureRetries", run.infrastructureRetries);
  putNumber(out, "restarts", run.restarts);
  if (run.noCache) {
    out["noCache"] = true;
  }
  putTime(out, "startTime", run.startTime);
  putText(out, "queue", run.queue);
  putNumber(out, "queuePosition", run.queuePosition);
  putTime(out, "admittedTime", run.admittedTime);
  putTime(out, "activeTime", run.activeTime);
  putTime(out, "completionTime", run.completionTime);
  if (run.completionTime) {
    out["durationSeconds"] = run.durationSeconds;
    out["duration"] = formatDuration(std::chrono::seconds(run.durationSeconds));
  }
  return out;
}

Result<StageStatus> parseStage(const JsonReader& reader) {
  StageStatus out;
  CHECK_OK(parseAttempt(reader, out));
  TRY(out.index, intOf(reader, "index"));
  TRY(out.name, reader.string("name", ""));
  TRY(out.steps, intOf(reader, "steps"));
  TRY(out.cachedSteps, intOf(reader, "cachedSteps"));
  TRY(out.line, intOf(reader, "line"));
  TRY(out.image, reader.string("image", ""));
  TRY(out.baseStage, intOf(reader, "baseStage", -1));
  TRY(out.dependsOn, parseIndexes(reader, "dependsOn"));
  TRY(out.usesContext, reader.boolean("usesContext", false));
  TRY(out.usesFetched, reader.boolean("usesFetched", false));
  TRY(out.usesCaches, reader.boolean("usesCaches", false));
  TRY(out.secrets, reader.strings("secrets"));
  TRY(out.ssh, reader.strings("ssh"));
  TRY(out.upstream, parseUpstream(reader));
  return out;
}

Json toJson(const StageStatus& stage) {
  Json out = {{"index", stage.index}, {"name", stage.name}, {"steps", stage.steps}};
  putNumber(out, "cachedSteps", stage.cachedSteps);
  putNumber(out, "line", stage.line);
  putText(out, "image", stage.image);
  if (stage.baseStage >= 0) {
    out["baseStage"] = stage.baseStage;
  }
  putJson(out, "dependsOn", stage.dependsOn);
  if (stage.usesContext) {
    out["usesContext"] = true;
  }
  if (stage.usesFetched) {
    out["usesFetched"] = true;
  }
  if (stage.usesCaches) {
    out["usesCaches"] = true;
  }
  putJson(out, "secrets", stage.secrets);
  putJson(out, "ssh", stage.ssh);
  putJson(out, "upstream", upstreamJson(stage.upstream));
  putAttempt(out, stage);
  return out;
}

}  // namespace stagewright::api
