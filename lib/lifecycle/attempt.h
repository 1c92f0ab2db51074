// The life of one attempt, the same for prepare, stages and publish: created, running, ended, tried
// again or not. Internal to lib/lifecycle.
#pragma once

#include <string>
#include <string_view>

#include "lib/lifecycle/turn.h"

namespace stagewright::lifecycle {

/// Its pod is intended or runs.
bool isActive(api::AttemptState state);

/// The newest attempt of prepare, publish or a stage. Borrows the turn and its status.
class Attempt {
 public:
  static Attempt prepare(Turn& turn);
  static Attempt publish(Turn& turn);
  static Attempt ofStage(Turn& turn, api::StageStatus& stage);

  api::AttemptStatus& status() { return status_; }
  const ObservedPod* pod() const { return pod_; }
  std::string podName();
  const std::string& label() const { return label_; }  ///< `stage "test"`, "prepare"

  /// Takes in what the pod shows. A container that runs is noted; trouble before it runs becomes
  /// the reason why we wait. Returns the outcome if the attempt ended without success.
  std::optional<Outcome> look();
  /// The API server refused to create `name`, the pod or the claim. REQUIRES: it is in
  /// World::createErrors.
  std::optional<Outcome> lookAtRefusal(const std::string& name);
  /// The pod ended with success.
  bool hasExitedWell() const { return pod_ != nullptr && pod_->phase == PodPhase::kSucceeded; }
  /// True if its log may still bring what its end does not tell; asks for another look.
  bool awaitsLog();

  void begin(std::map<int, int>* upstream = nullptr);
  void succeed();
  /// Backoff and another attempt, or the end of the run: what the table of reasons says.
  void endWith(Outcome outcome);
  /// kBackoff is over and nothing of the last attempt is left that could disturb.
  bool isDue();
  /// Its pod is still there and could still act.
  bool isInTheWay() const;

 private:
  Attempt(Turn& turn, std::string_view role, int stage, std::string label,
          api::AttemptStatus& status);

  std::optional<Outcome> lookAtAbsence();
  std::optional<Outcome> lookAtPending();
  std::optional<Outcome> lookAtTermination();
  std::optional<Outcome> lookAtPull();
  std::string mountingMessage() const;
  void noteMounting(TimePoint end);
  void becomeRunning();
  void noteWordsOfRunning();
  /// Forgets why it did not get on, except what is tried again for a grace: that lasts until it is
  /// known to be over.
  void clearTrouble();
  /// Remembers trouble; returns since when it lasts.
  TimePoint note(std::string_view reason, const std::string& message);
  bool isOnLostNode() const;
  EndedAttempt ended() const;
  Outcome outcome(std::string_view reason, std::string message) const;
  void retryAfter(Millis delay);
  std::string memoryLimit() const;

  Turn& turn_;
  std::string_view role_;
  int stage_;
  std::string label_;
  api::AttemptStatus& status_;
  const ObservedPod* pod_;
};

/// Whether the node of `pod` is known to be gone or not ready for longer than the grace.
bool isLost(const Turn& turn, std::string_view node);

}  // namespace stagewright::lifecycle
