#include "builder-pod/stage/upstream.h"

#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <chrono>

#include "lib/base/file.h"
#include "lib/plan/contract.h"

namespace stagewright::stage {

namespace {
constexpr int kFirstPoll = 20;
constexpr int kLongestPoll = 250;
constexpr std::size_t kMaxReport = 2 * 1024 * 1024;
}  // namespace

Result<const Fd*> UpstreamStages::directoryOf(int stage) {
  auto it = directories_.find(stage);
  if (it == directories_.end()) {
    TRY(Fd fd, openDirectory(options_.from + "/" + std::to_string(stage)));
    it = directories_.emplace(stage, std::move(fd)).first;
  }
  return &it->second;
}

Result<plan::StageReport> UpstreamStages::loadReport(int stage, const Upstream& upstream) {
  TRY(const Fd* directory, directoryOf(stage));
  TRY(const std::string text,
      loadFileBeneath(directory->get(), std::string(plan::kReportFile), kMaxReport));
  const SealScope scope{options_.runId, std::to_string(stage), upstream.attempt};
  TRY(const std::string body, unsealText(upstream.key, scope, "report", text));
  TRY(plan::StageReport report, plan::parseStageReport(body));
  if (report.stage != stage || report.attempt != upstream.attempt) {
    return denied("the report is of another stage or attempt");
  }
  return report;
}

Result<const plan::StageReport*> UpstreamStages::await(int stage) {
  if (const auto known = reports_.find(stage); known != reports_.end()) {
    return &known->second;
  }
  const auto upstream = options_.upstream.find(stage);
  if (upstream == options_.upstream.end()) {
    return internal("no key was given for stage " + std::to_string(stage) +
                    ", from which this one copies");
  }
  const auto began = std::chrono::steady_clock::now();
  for (int pause = kFirstPoll;; pause = std::min(pause * 3 / 2, kLongestPoll)) {
    auto report = loadReport(stage, upstream->second);
    if (report) {
      waited_ += std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - began);
      if (!report->succeeded) {
        return unavailable("stage " + std::to_string(stage) +
                           ", from which this one copies, ended without success");
      }
      return &reports_.emplace(stage, std::move(*report)).first->second;
    }
    pollfd p{stop_.fd(), POLLIN, 0};
    if (::poll(&p, 1, pause) > 0) {
      return cancelled("stopped while waiting for stage " + std::to_string(stage));
    }
  }
}

Result<ArtifactTree*> UpstreamStages::artifact(int stage, int index) {
  const auto key = std::pair(stage, index);
  if (const auto known = artifacts_.find(key); known != artifacts_.end()) {
    return known->second.get();
  }
  TRY(const plan::StageReport* report, await(stage));
  const auto described =
      std::find_if(report->artifacts.begin(), report->artifacts.end(),
                   [index](const plan::ArtifactReport& a) { return a.index == index; });
  if (described == report->artifacts.end()) {
    return internal("stage " + std::to_string(stage) + " reports no export " +
                    std::to_string(index));
  }
  TRY(const Fd* directory, directoryOf(stage));
  const std::string name = plan::artifactPath(index);
  TRY(Fd file, openBeneath(directory->get(), name, O_RDONLY | O_NONBLOCK));
  TRY(auto tree, loadArtifact(std::move(file), described->digest.str(), name));
  return artifacts_.emplace(key, std::move(tree)).first->second.get();
}

Result<Fd> UpstreamStages::openLayer(int stage, int step) {
  TRY(const Fd* directory, directoryOf(stage));
  return openBeneath(directory->get(), plan::layerPath(step), O_RDONLY | O_NONBLOCK);
}

}  // namespace stagewright::stage
