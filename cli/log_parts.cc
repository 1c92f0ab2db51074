#include "cli/log_parts.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace stagewright::cli {

namespace {

constexpr const char* kPrepare = "prepare";
constexpr const char* kPublish = "publish";

LogPart& partOf(std::vector<LogPart>& parts, const std::string& key, int attempt) {
  const auto it = std::find_if(parts.begin(), parts.end(), [&](const LogPart& part) {
    return part.key == key && part.attempt == attempt;
  });
  if (it != parts.end()) {
    return *it;
  }
  const auto sibling = std::find_if(parts.begin(), parts.end(),
                                    [&](const LogPart& part) { return part.key == key; });
  LogPart made;
  made.key = key;
  made.name = sibling == parts.end() ? key : sibling->name;
  made.attempt = attempt;
  return parts.emplace_back(std::move(made));
}

const Json& at(const Json& object, std::string_view key) {
  static const Json kNothing;
  const auto it = object.is_object() ? object.find(std::string(key)) : object.end();
  return object.is_object() && it != object.end() ? *it : kNothing;
}

std::string textAt(const Json& object, std::string_view key) {
  const Json& value = at(object, key);
  return value.is_string() ? value.get<std::string>() : std::string();
}

bool isNumber(const std::string& text) {
  return !text.empty() && text.size() <= 4 &&
         text.find_first_not_of("0123456789") == std::string::npos;
}

int rank(const LogPart& part) {
  return part.key == kPrepare ? -1 : isNumber(part.key) ? std::stoi(part.key) : 10'000;
}

bool isWished(const LogPart& part, const LogWish& wish) {
  return wish.stage.empty() ? part.key != kPublish
                            : part.name == wish.stage || part.key == wish.stage;
}

/// The part that status.failure is about: a stage, or what its pod was.
LogWish failedPart(const api::ImageBuild& build) {
  const api::FailureStatus& failure = *build.status.failure;
  const api::RunStatus& run = *build.status.run;
  return {!failure.stage.empty()                                   ? failure.stage
          : failure.pod == run.publish.pod && !failure.pod.empty() ? kPublish
                                                                   : kPrepare,
          false};
}

}  // namespace

std::vector<LogPart> partsOfStatus(const api::ImageBuild& build, const std::string& runId) {
  std::vector<LogPart> out;
  const auto& run = build.status.run;
  if (!run || run->id != runId) {
    return out;
  }
  if (run->prepare.attempt > 0) {
    partOf(out, kPrepare, run->prepare.attempt);
  }
  for (const api::StageStatus& stage : build.status.stages) {
    if (stage.attempt > 0) {
      partOf(out, std::to_string(stage.index), stage.attempt).name = stage.name;
    }
  }
  return out;
}

void addPod(std::vector<LogPart>& parts, const Json& pod) {
  const Json& labels = at(at(pod, "metadata"), "labels");
  const std::string role = textAt(labels, api::kRoleLabel);
  const std::string stage = textAt(labels, api::kStageLabel);
  const std::string attempt = textAt(labels, api::kAttemptLabel);
  const std::string key = role == "stage" ? stage : role;
  if ((key != kPrepare && key != kPublish && !isNumber(key)) || !isNumber(attempt)) {
    return;
  }
  LogPart& part = partOf(parts, key, std::stoi(attempt));
  part.pod = textAt(at(pod, "metadata"), "name");
  for (const Json& container : at(at(pod, "status"), "containerStatuses")) {
    const Json& state = at(container, "state");
    part.ended = at(state, "terminated").is_object();
    part.started = part.ended || at(state, "running").is_object();
  }
}

void addSaved(std::vector<LogPart>& parts, const SavedLog& saved) {
  LogPart& part = partOf(parts, saved.stage, saved.attempt);
  part.name = saved.name.empty() ? part.name : saved.name;
  part.saved = saved;
}

Result<std::vector<LogPart>> chooseParts(std::vector<LogPart> parts, const LogWish& wish,
                                         const api::ImageBuild& build) {
  LogWish wanted = wish;
  if (wish.failed) {
    if (!build.status.failure || !build.status.run) {
      return notFound("the build has not failed");
    }
    wanted = failedPart(build);
  }
  std::string known;
  for (const LogPart& part : parts) {
    known += (known.empty() ? "" : ", ") + part.title();
  }
  std::erase_if(parts, [&](const LogPart& part) { return !isWished(part, wanted); });
  if (parts.empty()) {
    return notFound(known.empty() ? "the run has no logs yet"
                                  : "there is no log of " + quoted(wanted.stage, 128) +
                                        "; there are: " + known);
  }
  std::stable_sort(parts.begin(), parts.end(), [](const LogPart& a, const LogPart& b) {
    return std::pair(rank(a), a.attempt) < std::pair(rank(b), b.attempt);
  });
  return parts;
}

}  // namespace stagewright::cli
