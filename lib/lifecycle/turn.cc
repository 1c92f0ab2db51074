#include "lib/lifecycle/turn.h"

#include <algorithm>

#include "lib/api/conditions.h"
#include "lib/api/reasons.h"

namespace stagewright::lifecycle {

namespace {
namespace reason = api::reason;
constexpr std::size_t kMaxNote = 1024;
constexpr std::size_t kMaxFailureText = 2048;

api::FailureStatus failureOf(const Outcome& outcome, const api::ImageBuild& build) {
  const std::optional<api::ReasonInfo> info = api::findReason(outcome.reason);
  api::FailureStatus out;
  out.class_ = api::className(info ? info->failureClass : api::FailureClass::kPlatform);
  out.reason = outcome.reason;
  out.policy = outcome.policy;
  out.rule = outcome.rule;
  out.stage = cleanLine(outcome.stage, 256);
  out.instruction = cleanLine(outcome.instruction, 512);
  out.line = outcome.line;
  out.exitCode = outcome.exitCode;
  out.message = cleanText(outcome.message, kMaxFailureText);
  out.logTail = cleanTail(outcome.logTail, kMaxFailureText);
  out.pod = outcome.pod;
  out.container = outcome.pod.empty() ? std::string() : outcome.container;
  if (!outcome.pod.empty()) {
    out.logCommand = "stagewright logs " + build.metadata.name + " --failed";
  }
  return out;
}

void stop(api::AttemptStatus& attempt, TimePoint now) {
  using api::AttemptState;
  if (attempt.state == AttemptState::kCreating || attempt.state == AttemptState::kRunning ||
      attempt.state == AttemptState::kBackoff) {
    attempt.state = AttemptState::kCancelled;
    attempt.completionTime = now;
    attempt.retryAt.reset();
  }
}

/// Publish has verified the sealed success of every stage; the kubelet may be a second behind.
void settle(api::AttemptStatus& attempt, TimePoint now) {
  if (attempt.state != api::AttemptState::kSucceeded) {
    attempt.state = api::AttemptState::kSucceeded;
    attempt.completionTime = now;
    attempt.reason.clear();
    attempt.message.clear();
    attempt.failingSince.reset();
    attempt.retryAt.reset();
  }
}
}  // namespace

const ObservedPod* Turn::findPod(std::string_view role, int stage, int attempt) {
  const auto it = std::find_if(world.pods.begin(), world.pods.end(), [&](const ObservedPod& pod) {
    return pod.runId == run().id && pod.role == role && pod.stage == stage &&
           pod.attempt == attempt;
  });
  return it == world.pods.end() ? nullptr : &*it;
}

std::string Turn::podName(std::string_view role, int stage, int attempt) {
  return pods::podName(build.metadata.name, run().id,
                       stage >= 0 ? std::to_string(stage) : std::string(role), attempt);
}

const LogFacts& Turn::factsOf(const ObservedPod& pod) const {
  static const LogFacts kNothing;
  const auto it = world.logs.find(pod.name);
  return it == world.logs.end() ? kNothing : it->second;
}

const CreateError* Turn::createErrorOf(const std::string& name) const {
  const auto it = world.createErrors.find(name);
  return it == world.createErrors.end() ? nullptr : &it->second;
}

const NodeFacts* Turn::findNode(std::string_view name) const {
  const auto it = std::find_if(world.cluster.nodes.begin(), world.cluster.nodes.end(),
                               [&](const NodeFacts& node) { return node.name == name; });
  return it == world.cluster.nodes.end() ? nullptr : &*it;
}

std::string Turn::runKey() {
  const ObservedPod* prepare = findPod(pods::kRolePrepare, -1, run().prepare.attempt);
  if (prepare != nullptr && !prepare->runKey.empty()) {
    return prepare->runKey;
  }
  for (const ObservedPod& pod : world.pods) {
    if (pod.runId == run().id && pod.role == pods::kRolePublish && !pod.runKey.empty()) {
      return pod.runKey;
    }
  }
  return {};
}

void Turn::event(bool warning, std::string_view why, std::string note) {
  decision.events.push_back({warning, std::string(why), cleanLine(note, kMaxNote)});
}

void Turn::wakeAt(TimePoint time) {
  const auto delay = std::max(std::chrono::ceil<Millis>(time - now), Millis(100));
  decision.requeueAfter = std::min(decision.requeueAfter.value_or(delay), delay);
}

void Turn::wait(std::string_view why, std::string message) {
  if (!waiting_) {
    waiting_ = Waiting{std::string(why), std::move(message)};
  }
}

void Turn::complete(std::string_view result) {
  api::RunStatus& ended = run();
  ended.result = result;
  ended.spec.clear();
  ended.completionTime = now;
  ended.durationSeconds =
      std::chrono::duration_cast<std::chrono::seconds>(now - ended.startTime.value_or(now)).count();
  stop(ended.prepare, now);
  stop(ended.publish, now);
  for (api::StageStatus& stage : status().stages) {
    stop(stage, now);
  }
  waiting_.reset();
}

void Turn::remember(std::string_view result) {
  api::PastRun past;
  past.runID = run().id;
  past.result = result;
  past.reason = status().failure ? status().failure->reason : std::string();
  past.digest = status().image ? status().image->digest : std::string();
  past.trigger = run().trigger;
  past.startTime = run().startTime;
  past.completionTime = run().completionTime.value_or(now);
  auto& history = status().history;
  history.insert(history.begin(), std::move(past));
  history.resize(std::min(history.size(), api::kMaxHistory));
}

void Turn::fail(Outcome outcome) {
  if (!isActive()) {
    return;
  }
  complete(reason::kFailed);
  status().failure = failureOf(outcome, build);
  remember(reason::kFailed);
  if (outcome.attempt > 0) {
    // Whatever ends a run is not tried again: the attempt is the last one.
    const std::string last = std::to_string(outcome.attempt);
    status().failure->attempt = last + "/" + last;
  }
  event(true, reason::kFailed,
        "run " + run().id + " failed: " + outcome.reason + ": " + outcome.message);
}

void Turn::succeed(const plan::ImageReport& image) {
  for (api::StageStatus& stage : status().stages) {
    settle(stage, now);
  }
  settle(run().publish, now);
  complete(reason::kSucceeded);
  status().image = api::ImageStatus{image.reference, image.digest.str(), image.tags,
                                    image.mediaType, image.sizeBytes,    image.layers};
  status().lastSuccessful =
      api::LastSuccessful{run().id, image.reference, image.digest.str(), run().sourceRevision, now};
  remember(reason::kSucceeded);
  event(false, "Pushed", "pushed " + image.reference);
  event(false, reason::kSucceeded,
        "run " + run().id + " succeeded in " +
            formatDuration(std::chrono::seconds(run().durationSeconds)));
}

void Turn::cancel(std::string_view why) {
  complete(reason::kCancelled);
  remember(reason::kCancelled);
  event(false, reason::kCancelled, "run " + run().id + " was cancelled: " + std::string(why));
}

}  // namespace stagewright::lifecycle
