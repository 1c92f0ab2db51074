// How an attempt ended, in the words of api.md. Internal to lib/lifecycle.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/api/reasons.h"
#include "lib/lifecycle/world.h"
#include "lib/plan/report.h"

namespace stagewright::lifecycle {

/// What the kubelet and the API server mean is often told by nothing but words in their messages.
inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

struct Outcome {
  std::string reason;
  std::string message;
  std::string policy;  ///< with a rule: see api::FailureStatus
  std::string rule;
  std::string stage;  ///< name, for failure.stage
  std::string instruction;
  int line = 0;
  int exitCode = 0;
  int attempt = 0;
  std::string logTail;
  std::string pod;
  std::string container;
  std::optional<api::Retry> retry{};  ///< instead of what the table says about the reason
};

Outcome outcomeOf(std::string_view reason, std::string message);

/// What is needed to judge the end of a pod.
struct EndedAttempt {
  const ObservedPod& pod;
  std::string label;        ///< for sentences: `stage "test"`, "prepare"
  std::string memoryLimit;  ///< empty: none was set
  std::string runKey;
  const LogFacts* facts = nullptr;
};

/// The sealed words of the container itself: its termination message, else a failure frame. Nothing
/// else that stands in a termination message is believed: RUN can write that file.
std::optional<plan::Failure> sealedFailure(const EndedAttempt& attempt);

/// REQUIRES: the pod's phase is Failed.
Outcome judgeFailure(const EndedAttempt& attempt);

}  // namespace stagewright::lifecycle
