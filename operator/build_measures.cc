#include "operator/build_measures.h"

#include <algorithm>
#include <array>
#include <functional>

#include "lib/api/reasons.h"
#include "lib/oci/reference.h"

namespace stagewright::op {

namespace {

using BuildStatus = api::ImageBuildStatus;
using Seconds = std::chrono::duration<double>;

constexpr std::array<std::string_view, 7> kRegistryReasons = {
    api::reason::kRegistryUnavailable, api::reason::kPushFailed,
    api::reason::kImagePullBackOff,    api::reason::kNodeCannotPull,
    api::reason::kPushUnauthorized,    api::reason::kBaseImageUnauthorized,
    api::reason::kBaseImageNotFound};

bool isAboutARegistry(const std::string& reason) {
  return std::find(kRegistryReasons.begin(), kRegistryReasons.end(), reason) !=
         kRegistryReasons.end();
}

/// The run ended with this change.
bool endsRun(const BuildStatus& before, const BuildStatus& after) {
  return after.run && after.run->completionTime &&
         !(before.run && before.run->id == after.run->id && before.run->completionTime);
}

bool startsRun(const BuildStatus& before, const BuildStatus& after) {
  return after.run && after.run->admittedTime &&
         !(before.run && before.run->id == after.run->id && before.run->admittedTime);
}

const api::StageStatus* stageIn(const BuildStatus& status, int index) {
  const auto it = std::find_if(status.stages.begin(), status.stages.end(),
                               [&](const api::StageStatus& s) { return s.index == index; });
  return it == status.stages.end() ? nullptr : &*it;
}

void measureStages(const BuildStatus& before, const BuildStatus& after, Metrics& metrics) {
  for (const api::StageStatus& stage : after.stages) {
    const api::StageStatus* old = stageIn(before, stage.index);
    const bool known = old != nullptr && old->attempt == stage.attempt && old->pod == stage.pod &&
                       old->completionTime;
    if (!known && stage.completionTime && stage.startTime) {
      const Seconds took = *stage.completionTime - *stage.startTime;
      metrics.onStageFinished(api::attemptStateName(stage.state), took.count());
    }
  }
}

void measurePhase(const char* phase, const std::optional<TimePoint>& from,
                  const std::optional<TimePoint>& to, Metrics& metrics) {
  if (from && to && *to >= *from) {
    metrics.onPhase(phase, Seconds(*to - *from).count());
  }
}

/// Phases overlap: publish begins with the first stage.
void measurePhases(const BuildStatus& status, Metrics& metrics) {
  const api::RunStatus& run = *status.run;
  std::optional<TimePoint> first;
  std::optional<TimePoint> last;
  for (const api::StageStatus& stage : status.stages) {
    if (stage.startTime && stage.completionTime) {
      first = first ? std::min(*first, *stage.startTime) : *stage.startTime;
      last = last ? std::max(*last, *stage.completionTime) : *stage.completionTime;
    }
  }
  measurePhase("Queued", run.startTime, run.admittedTime, metrics);
  measurePhase("Preparing", run.prepare.startTime, run.prepare.completionTime, metrics);
  measurePhase("Building", first, last, metrics);
  measurePhase("Publishing", run.publish.startTime, run.publish.completionTime, metrics);
}

void measureEnd(const BuildStatus& status, Metrics& metrics) {
  const bool failed = status.run->result == api::reason::kFailed && status.failure;
  metrics.onBuildFinished(status.run->result, static_cast<double>(status.run->durationSeconds));
  metrics.onBuildEnded(failed ? status.failure->class_ : "None",
                       failed ? status.failure->reason : status.run->result);
  measurePhases(status, metrics);
}

void measureRegistry(const api::AttemptStatus* before, const api::AttemptStatus& after,
                     const std::string& fallback, Metrics& metrics) {
  const bool isNew =
      before == nullptr || before->attempt != after.attempt || before->reason != after.reason;
  if (isNew && isAboutARegistry(after.reason)) {
    metrics.onRegistryError(registryIn(after.message, fallback));
  }
}

void measureRegistries(const BuildStatus& before, const BuildStatus& after, Metrics& metrics) {
  if (!after.run) {
    return;
  }
  const bool same = before.run && before.run->id == after.run->id;
  measureRegistry(same ? &before.run->prepare : nullptr, after.run->prepare, "unknown", metrics);
  measureRegistry(same ? &before.run->publish : nullptr, after.run->publish,
                  registryIn('"' + after.output + '"', "unknown"), metrics);
  for (const api::StageStatus& stage : after.stages) {
    measureRegistry(same ? stageIn(before, stage.index) : nullptr, stage,
                    registryIn('"' + stage.image + '"', "unknown"), metrics);
  }
}

std::string hostOfUrl(const std::string& message) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    const std::size_t at = message.find(scheme);
    if (at != std::string::npos) {
      const std::size_t start = at + scheme.size();
      return message.substr(start, message.find_first_of("/ \"',;", start) - start);
    }
  }
  return "";
}

}  // namespace

std::string registryIn(const std::string& message, const std::string& fallback) {
  if (std::string host = hostOfUrl(message); !host.empty()) {
    return host;
  }
  for (std::size_t open = message.find('"'); open != std::string::npos;) {
    const std::size_t close = message.find('"', open + 1);
    if (close == std::string::npos) {
      break;
    }
    const std::string word = message.substr(open + 1, close - open - 1);
    // A bare word in quotes may be anything, such as a stage.
    if (word.find_first_of("/:") != std::string::npos) {
      if (const Result<oci::Reference> reference = oci::parseReference(word)) {
        return reference->repository.registry;
      }
    }
    open = message.find('"', close + 1);
  }
  return fallback;
}

void measureChange(const BuildStatus& before, const BuildStatus& after, Metrics& metrics) {
  if (startsRun(before, after)) {
    metrics.onBuildStarted();
  }
  if (endsRun(before, after)) {
    measureEnd(after, metrics);
  }
  measureStages(before, after, metrics);
  measureRegistries(before, after, metrics);
}

}  // namespace stagewright::op
