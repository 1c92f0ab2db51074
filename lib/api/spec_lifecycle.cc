// What happens around runs: when one gives way to the next, and what is kept.
#include "lib/api/json_fields.h"
#include "lib/api/spec_keys.h"
#include "lib/api/spec_parts.h"

namespace stagewright::api {

namespace {
constexpr std::array<std::string_view, 3> kPodWords = {"OnFailure", "Always", "Never"};
constexpr std::array<std::string_view, 2> kLogWords = {"Registry", "None"};
constexpr std::array<std::string_view, 2> kChangeWords = {"CancelAndRebuild", "FinishFirst"};

constexpr std::string_view kNeverWord = "Never";
constexpr int kMaxRetries = 7;

/// A duration or the word Never, which is zero.
Result<std::optional<Millis>> optionalStay(const JsonReader& reader, std::string_view key) {
  TRY(const std::optional<std::string> text, reader.optionalString(key));
  if (text == kNeverWord) {
    return std::optional<Millis>(Millis(0));
  }
  return optionalDuration(reader, key);
}
}  // namespace

Result<Retention> parseRetention(const JsonReader& reader) {
  CHECK_OK(onlySpecKeys(reader, "spec.retention"));
  Retention out;
  TRY(out.pods, optionalEnum<PodRetention>(reader, "pods", kPodWords));
  TRY(out.podTTL, optionalDuration(reader, "podTTL"));
  TRY(out.workspace, optionalStay(reader, "workspace"));
  TRY(out.logs, optionalEnum<LogRetention>(reader, "logs", kLogWords));
  TRY(out.ttlAfterFinished, optionalDuration(reader, "ttlAfterFinished"));
  TRY(out.history, optionalCount(reader, "history", 0, static_cast<int>(kMaxHistory)));
  return out;
}

Result<RetryPolicy> parseRetry(const JsonReader& reader) {
  CHECK_OK(onlySpecKeys(reader, "spec.retry"));
  RetryPolicy out;
  TRY(out.infrastructure, optionalCount(reader, "infrastructure", 0, kMaxRetries));
  return out;
}

Json toJson(const RetryPolicy& retry) {
  Json out = Json::object();
  putCount(out, "infrastructure", retry.infrastructure);
  return out;
}

Result<std::optional<OnInputChange>> parseOnInputChange(const JsonReader& spec) {
  return optionalEnum<OnInputChange>(spec, "onInputChange", kChangeWords);
}

Json toJson(const Retention& retention) {
  Json out = Json::object();
  putEnum(out, "pods", retention.pods, kPodWords);
  putDuration(out, "podTTL", retention.podTTL);
  putDuration(out, "workspace", retention.workspace);
  if (retention.workspace == Millis(0)) {
    out["workspace"] = kNeverWord;
  }
  putEnum(out, "logs", retention.logs, kLogWords);
  putDuration(out, "ttlAfterFinished", retention.ttlAfterFinished);
  putCount(out, "history", retention.history);
  return out;
}

void putOnInputChange(Json& spec, const std::optional<OnInputChange>& value) {
  putEnum(spec, "onInputChange", value, kChangeWords);
}

}  // namespace stagewright::api
