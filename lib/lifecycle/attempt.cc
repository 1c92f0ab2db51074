#include "lib/lifecycle/attempt.h"

#include <algorithm>

#include "lib/api/conditions.h"
#include "lib/api/reasons.h"
#include "lib/lifecycle/create_error.h"
#include "lib/lifecycle/pull.h"

namespace stagewright::lifecycle {

namespace {
namespace reason = api::reason;
using api::AttemptState;
using ContainerState = ObservedContainer::State;

constexpr std::size_t kMaxPast = 8;
constexpr std::size_t kMaxMessage = 1000;

bool keepsTrying(std::string_view why) {
  const std::optional<api::ReasonInfo> info = api::findReason(why);
  return info && info->retry == api::Retry::kForGrace;
}

/// The words of a stage in one line, with the place in the Dockerfile: what a step prints must not
/// pass for lines of ours.
std::string placed(const Outcome& out) {
  const std::string words = cleanLine(out.message, kMaxMessage);
  return out.line == 0 || out.instruction.empty()
             ? words
             : "stage " + quoted(out.stage, 128) + ", line " + std::to_string(out.line) + ", " +
                   cleanLine(out.instruction, 160) + ": " + words;
}

/// 10, 20, 40, 60 s.
Millis backoff(int failures) {
  const int doublings = std::clamp(failures - 1, 0, 3);
  return std::min<Millis>(std::chrono::seconds(10) * (1 << doublings), std::chrono::seconds(60));
}
}  // namespace

bool isActive(AttemptState state) {
  return state == AttemptState::kCreating || state == AttemptState::kRunning;
}

bool isLost(const Turn& turn, std::string_view node) {
  if (node.empty() || turn.world.cluster.nodes.empty()) {
    return false;
  }
  const NodeFacts* facts = turn.findNode(node);
  return facts == nullptr || (!facts->ready && turn.now - facts->notReadySince.value_or(turn.now) >=
                                                   turn.world.settings.nodeGrace);
}

Attempt::Attempt(Turn& turn, std::string_view role, int stage, std::string label,
                 api::AttemptStatus& status)
    : turn_(turn),
      role_(role),
      stage_(stage),
      label_(std::move(label)),
      status_(status),
      pod_(status.attempt > 0 ? turn.findPod(role, stage, status.attempt) : nullptr) {}

Attempt Attempt::prepare(Turn& turn) {
  return Attempt(turn, pods::kRolePrepare, -1, "prepare", turn.run().prepare);
}

Attempt Attempt::publish(Turn& turn) {
  return Attempt(turn, pods::kRolePublish, -1, "publish", turn.run().publish);
}

Attempt Attempt::ofStage(Turn& turn, api::StageStatus& stage) {
  return Attempt(turn, pods::kRoleStage, stage.index, "stage " + quoted(stage.name, 128), stage);
}

std::string Attempt::podName() { return turn_.podName(role_, stage_, status_.attempt); }

std::string Attempt::memoryLimit() const {
  const api::Resources resources =
      role_ == pods::kRoleStage
          ? pods::stageResources(turn_.build.spec, turn_.world.settings.pods,
                                 turn_.status().stages[static_cast<std::size_t>(stage_)].name,
                                 stage_)
      : role_ == pods::kRolePrepare ? turn_.build.spec.execution.prepare
                                    : turn_.build.spec.execution.publish;
  const auto limit = resources.limits.find("memory");
  return limit == resources.limits.end() ? std::string() : limit->second;
}

EndedAttempt Attempt::ended() const {
  return {*pod_, label_, memoryLimit(), turn_.runKey(), &turn_.factsOf(*pod_)};
}

Outcome Attempt::outcome(std::string_view why, std::string message) const {
  Outcome out = outcomeOf(why, std::move(message));
  out.attempt = status_.attempt;
  out.pod = pod_ == nullptr ? std::string() : pod_->name;
  out.container = pod_ == nullptr ? std::string() : pod_->container.name;
  return out;
}

TimePoint Attempt::note(std::string_view why, const std::string& message) {
  if (status_.reason != why) {
    status_.reason = why;
    status_.message = cleanText(message, kMaxMessage);
    status_.failingSince = turn_.now;
  }
  turn_.wait(why, status_.message);
  return status_.failingSince.value_or(turn_.now);
}

void Attempt::begin(std::map<int, int>* upstream) {
  ++status_.attempt;
  status_.state = AttemptState::kCreating;
  status_.pod = podName();
  status_.node.clear();
  status_.startTime.reset();
  status_.completionTime.reset();
  status_.retryAt.reset();
  pod_ = turn_.findPod(role_, stage_, status_.attempt);
  clearTrouble();
  if (upstream != nullptr) {
    turn_.status().stages[static_cast<std::size_t>(stage_)].upstream = std::move(*upstream);
  }
}

void Attempt::succeed() {
  status_.state = AttemptState::kSucceeded;
  status_.completionTime = pod_ != nullptr && pod_->container.finishedAt
                               ? pod_->container.finishedAt
                               : std::optional<TimePoint>(turn_.now);
  if (pod_ != nullptr) {
    status_.node = pod_->node;
    status_.startTime = status_.startTime ? status_.startTime : pod_->container.startedAt;
  }
  status_.reason.clear();
  status_.message.clear();
  status_.failingSince.reset();
  if (role_ == pods::kRoleStage) {
    turn_.event(false, "StageSucceeded", label_ + " succeeded");
  }
}

void Attempt::becomeRunning() {
  if (status_.state == AttemptState::kCreating) {
    status_.state = AttemptState::kRunning;
    status_.node = pod_->node;
    status_.startTime =
        pod_->container.startedAt ? pod_->container.startedAt : std::optional<TimePoint>(turn_.now);
    if (role_ == pods::kRoleStage) {
      turn_.event(false, "StageStarted",
                  label_ + " runs in pod " + pod_->name + " on node " + pod_->node);
    }
  }
}

void Attempt::noteWordsOfRunning() {
  const LogFacts& facts = turn_.factsOf(*pod_);
  // Its words come before its exit: publish says in its first second that it may not push.
  if (facts.failure && api::findReason(facts.failure->reason)) {
    note(facts.failure->reason, facts.failure->message);
    return;
  }
  // What was refused before counts until it is known to be granted; that it runs proves nothing.
  if (keepsTrying(status_.reason) && !facts.pushChecked) {
    turn_.wait(status_.reason, status_.message);
    return;
  }
  clearTrouble();
}

void Attempt::clearTrouble() {
  if (!keepsTrying(status_.reason) || (pod_ != nullptr && turn_.factsOf(*pod_).pushChecked)) {
    status_.reason.clear();
    status_.message.clear();
    status_.failingSince.reset();
  }
}

bool Attempt::isOnLostNode() const { return pod_ != nullptr && isLost(turn_, pod_->node); }

bool Attempt::isInTheWay() const {
  return pod_ != nullptr && !pod_->isTerminal() && !(pod_->deletionTimestamp && isOnLostNode());
}

std::optional<Outcome> Attempt::look() {
  if (!isActive(status_.state)) {
    return std::nullopt;
  }
  if (pod_ == nullptr) {
    return lookAtAbsence();
  }
  if (pod_->phase == PodPhase::kSucceeded) {
    return std::nullopt;
  }
  if (pod_->phase == PodPhase::kFailed) {
    return judgeFailure(ended());
  }
  if (pod_->deletionTimestamp) {
    return lookAtTermination();
  }
  if (pod_->isRunning()) {
    becomeRunning();
    noteWordsOfRunning();
    return std::nullopt;
  }
  if (keepsTrying(status_.reason)) {
    turn_.wait(status_.reason, status_.message);
  }
  return lookAtPending();
}

std::optional<Outcome> Attempt::lookAtAbsence() {
  const std::string name = podName();
  if (status_.state == AttemptState::kRunning || turn_.world.seenPods.count(name) > 0) {
    turn_.decision.confirmAbsent.push_back(name);
    return outcome(reason::kDisrupted,
                   "pod " + name + " of " + label_ + " disappeared" +
                       (status_.node.empty() ? "" : " from node " + status_.node));
  }
  if (turn_.createErrorOf(name) != nullptr) {
    return lookAtRefusal(name);
  }
  clearTrouble();
  if (!status_.reason.empty()) {
    turn_.wait(status_.reason, status_.message);
  }
  return std::nullopt;
}

std::optional<Outcome> Attempt::lookAtRefusal(const std::string& name) {
  const CreateError& error = *turn_.createErrorOf(name);
  const CreateVerdict verdict = judgeCreateError(error, turn_.world.settings.credentialGrace);
  switch (verdict.kind) {
    case CreateVerdict::Kind::kDenied:
    case CreateVerdict::Kind::kConflict:
      return refusedOutcome(verdict, error, name);
    case CreateVerdict::Kind::kQuota:
      note(reason::kQuotaExceeded, error.message);
      break;
    case CreateVerdict::Kind::kTransient:
    case CreateVerdict::Kind::kLeaving:
      turn_.wait(reason::kProgressing,
                 "creating " + quoted(name, 80) + " is tried again: " + error.message);
      break;
  }
  turn_.wakeAt(verdict.retryAt);
  return std::nullopt;
}

std::optional<Outcome> Attempt::lookAtTermination() {
  if (isOnLostNode()) {
    return outcome(reason::kNodeLost, label_ + " was on node " + pod_->node + ", which is lost");
  }
  turn_.wait(reason::kDisrupted, "pod " + pod_->name + " of " + label_ + " is being deleted");
  turn_.wakeAt(turn_.now + std::chrono::seconds(10));
  return std::nullopt;
}

std::optional<Outcome> Attempt::lookAtPull() {
  const Settings& settings = turn_.world.settings;
  // Only another configuration helps against some causes; a registry that is away comes back.
  const PullCause cause = pullCause(*pod_);
  const bool lasting = cause == PullCause::kLasting ||
                       (cause == PullCause::kUntold && status_.reason == reason::kNodeCannotPull);
  const bool ofStage = role_ == pods::kRoleStage;
  const TimePoint since = !ofStage  ? note(reason::kImagePullBackOff, builderPullTrouble(*pod_))
                          : lasting ? note(reason::kNodeCannotPull, nodeCannotPull(*pod_))
                                    : note(reason::kImagePullBackOff, registryTrouble(*pod_));
  const Millis grace = !lasting  ? settings.startGrace
                       : ofStage ? settings.pullGrace
                                 : settings.pullGrace * 3;
  if (turn_.now - since >= grace) {
    return outcome(status_.reason, status_.message);
  }
  turn_.wakeAt(since + grace);
  return std::nullopt;
}

std::optional<Outcome> Attempt::lookAtPending() {
  if (pod_->gated) {
    note(reason::kQueued,
         "pod " + pod_->name + " of " + label_ + " waits for its scheduling gates to be removed");
    return std::nullopt;
  }
  if (!pod_->unschedulable.empty()) {
    const bool volume = isVolumeTrouble(pod_->unschedulable);
    const TimePoint since =
        note(volume ? reason::kWorkspaceProvisioning : reason::kUnschedulable,
             (volume ? "the workspace " + turn_.run().claim + " is not there yet: "
                     : "no node takes " + label_ + ": ") +
                 pod_->unschedulable);
    const TimePoint end = since + turn_.world.settings.startGrace;
    if (volume && turn_.now >= end) {
      return outcome(reason::kWorkspaceProvisioning, status_.message);
    }
    turn_.wakeAt(end > turn_.now ? end : turn_.now + std::chrono::minutes(5));
    return std::nullopt;
  }
  if (pod_->container.state == ContainerState::kWaiting) {
    if (isPullTrouble(pod_->container.reason)) {
      return lookAtPull();
    }
    if (isMountTrouble(pod_->container)) {
      return outcome(
          reason::kWorkspaceIncompatible,
          "the workspace's filesystem cannot be mounted in a user namespace; use another "
          "storage class or set spec.execution.isolation: Baseline: " +
              pod_->container.message);
    }
  }
  clearTrouble();
  if (pod_->node.empty()) {
    return std::nullopt;
  }
  const TimePoint end = pod_->startTime.value_or(pod_->creationTimestamp.value_or(turn_.now)) +
                        turn_.world.settings.startGrace;
  if (turn_.now < end) {
    noteMounting(end);
    turn_.wakeAt(end);
    return std::nullopt;
  }
  if (pod_->isMounting) {
    Outcome out =
        outcome(reason::kWorkspaceProvisioning,
                mountingMessage() + " since " + formatDuration(turn_.world.settings.startGrace));
    out.retry = api::Retry::kCharged;  // the next attempt may find the volume detached elsewhere
    return out;
  }
  return outcome(reason::kInternalError,
                 label_ + " did not start on node " + pod_->node + " within " +
                     formatDuration(turn_.world.settings.startGrace) +
                     (pod_->container.message.empty() ? "; see the events of pod " + pod_->name
                                                      : ": " + pod_->container.message));
}

std::string Attempt::mountingMessage() const {
  return "node " + pod_->node + " cannot attach or mount the volumes of " + label_ +
         ", or give it a network; the Events of pod " + pod_->name + " say which";
}

/// Attaching takes a moment; after a minute a person should know.
void Attempt::noteMounting(TimePoint end) {
  if (!pod_->isMounting) {
    return;
  }
  const TimePoint soon = end - turn_.world.settings.startGrace + std::chrono::minutes(1);
  if (turn_.now >= soon) {
    turn_.wait(reason::kWorkspaceProvisioning, mountingMessage());
  } else {
    turn_.wakeAt(soon);
  }
}

bool Attempt::awaitsLog() {
  const LogFacts& facts = turn_.factsOf(*pod_);
  const bool told = pod_->phase == PodPhase::kFailed && sealedFailure(ended());
  if (told || facts.complete) {
    return false;
  }
  if (!pod_->container.finishedAt || pod_->runKey.empty()) {
    return false;  // there is no log, or none that can be believed
  }
  // Where a thousand logs wait to be read, the time until it is this one's turn does not count.
  const TimePoint end = facts.askedAtEnd.value_or(turn_.now) + turn_.world.settings.logGrace;
  if (turn_.now < end) {
    turn_.wakeAt(end);
  }
  return turn_.now < end;
}

void Attempt::retryAfter(Millis delay) {
  status_.state = AttemptState::kBackoff;
  status_.retryAt = turn_.now + delay;
  turn_.event(true, "StageRetried",
              label_ + " attempt " + std::to_string(status_.attempt) + " ended with " +
                  status_.reason + "; another one follows: " + status_.message);
  // Our own status write wakes nobody: say now why we wait and when to come back.
  turn_.wait(status_.reason, status_.message);
  turn_.wakeAt(*status_.retryAt);
}

bool Attempt::isDue() {
  if (status_.state != AttemptState::kBackoff) {
    return false;
  }
  turn_.wait(status_.reason, status_.message);
  if (status_.retryAt && turn_.now < *status_.retryAt) {
    turn_.wakeAt(*status_.retryAt);
    return false;
  }
  if (isInTheWay()) {
    turn_.wakeAt(turn_.now + std::chrono::seconds(5));
    return false;
  }
  return true;
}

void Attempt::endWith(Outcome out) {
  if (role_ == pods::kRoleStage) {
    out.stage = turn_.status().stages[static_cast<std::size_t>(stage_)].name;
    out.message = placed(out);
    turn_.event(true, "StageFailed", label_ + ": " + out.reason + ": " + out.message);
  }
  status_.attempts.push_back(
      {status_.attempt, out.reason, pod_ == nullptr ? status_.node : pod_->node, podName()});
  if (status_.attempts.size() > kMaxPast) {
    status_.attempts.erase(status_.attempts.begin());
  }
  status_.completionTime = turn_.now;
  const bool again = status_.reason == out.reason && status_.failingSince.has_value();
  status_.failingSince = again ? status_.failingSince : turn_.now;
  status_.reason = out.reason;
  status_.message = cleanText(out.message, kMaxMessage);

  const std::optional<api::ReasonInfo> info = api::findReason(out.reason);
  const api::Retry retry = out.retry ? *out.retry : info ? info->retry : api::Retry::kCharged;
  const Settings& settings = turn_.world.settings;
  const int budget = turn_.build.spec.retry.infrastructure.value_or(settings.infrastructureRetries);
  const bool roomLeft = status_.attempt < (role_ == pods::kRoleStage ? pods::kMaxAttempts : 100);
  int& charged = turn_.run().infrastructureRetries;
  if (retry == api::Retry::kForGrace && roomLeft &&
      turn_.now - *status_.failingSince < settings.credentialGrace) {
    const auto same =
        std::count_if(status_.attempts.begin(), status_.attempts.end(),
                      [&](const api::PastAttempt& past) { return past.reason == out.reason; });
    retryAfter(std::min<Millis>(backoff(static_cast<int>(same)), std::chrono::seconds(30)));
  } else if (retry == api::Retry::kCharged && roomLeft && charged < budget) {
    retryAfter(backoff(++charged));
  } else if (retry == api::Retry::kFree && roomLeft) {
    retryAfter(std::chrono::seconds(1));
  } else {
    status_.state = AttemptState::kFailed;
    if (retry == api::Retry::kCharged || retry == api::Retry::kFree) {
      out.message = label_ + " failed " + std::to_string(status_.attempt) +
                    " times, the last cause is " + out.reason + ": " + out.message;
      out.reason = reason::kInfrastructureRetriesExhausted;
    }
    turn_.fail(std::move(out));
  }
}

}  // namespace stagewright::lifecycle
