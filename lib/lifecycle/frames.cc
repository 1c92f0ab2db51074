// Sealed lines of a log -> what they say.
#include <nlohmann/json.hpp>

#include "lib/base/seal.h"
#include "lib/lifecycle/world.h"

namespace stagewright::lifecycle {

namespace {
Status foldPlan(LogFacts& facts, const JsonReader& frame) {
  TRY(const JsonReader body, frame.object("plan"));
  TRY(facts.plan, plan::parsePlanSummary(body));
  return ok();
}

Status foldFrame(LogFacts& facts, const std::string& role, const JsonReader& frame) {
  TRY(const std::string type, frame.string("type"));
  if (type == "failure") {
    TRY(facts.failure, plan::parseFailure(frame));
  } else if (type == "plan" && role == pods::kRolePrepare) {
    return foldPlan(facts, frame);
  } else if (type == "push-check" && role == pods::kRolePublish) {
    TRY(facts.pushChecked, frame.boolean("ok", false));
  } else if (type == "image" && role == pods::kRolePublish) {
    TRY(facts.image, plan::parseImageReport(frame));
  }
  return ok();  // other types are for people
}
}  // namespace

Status foldLogLine(LogFacts& facts, const ObservedPod& pod, std::string_view line) {
  const SealScope scope{pod.runId, pod.stage >= 0 ? std::to_string(pod.stage) : pod.role,
                        pod.attempt};
  const std::string key = attemptKey(pod.runKey, scope.role, scope.attempt);
  const Result<std::string> body = openFrame(key, scope, line);
  if (!body) {
    return ok();
  }
  TRY(const Json json, parseJson(*body));
  const JsonReader frame(json);
  CHECK_OK(frame.mustBeObject());
  return foldFrame(facts, pod.role, frame);
}

}  // namespace stagewright::lifecycle
