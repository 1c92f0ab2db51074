#include "builder-pod/publish/run_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/base/seal.h"
#include "lib/plan/contract.h"

namespace stagewright::publish {

namespace {

constexpr std::size_t kMaxPlan = 64 * 1024 * 1024;
constexpr std::size_t kMaxSealed = 1024 * 1024 + 128;  // a report of at most 1 MiB and its seal

}  // namespace

Result<RunDirectory> RunDirectory::open(const std::string& path, std::string runId,
                                        std::string runKey) {
  TRY(Fd directory, openDirectory(path));
  return RunDirectory(std::move(directory), std::move(runId), std::move(runKey));
}

/// Relative to runs/<runID>.
std::string RunDirectory::stageFile(int stage, int attempt, const std::string& file) const {
  const std::string directory =
      plan::stagePath(runId_, stage, attempt).substr(plan::runPath(runId_).size() + 1);
  return file.empty() ? directory : directory + "/" + file;
}

Result<plan::BuildPlan> RunDirectory::loadPlan(int prepareAttempt,
                                               const oci::Digest& expected) const {
  const std::string directory =
      plan::preparePath(runId_, prepareAttempt).substr(plan::runPath(runId_).size() + 1);
  TRY(std::string text, loadFileBeneath(directory_.get(), directory + "/plan.json", kMaxPlan));
  if (oci::Digest::ofBytes(text) != expected) {
    return internal("plan.json has digest " + oci::Digest::ofBytes(text).str() + ", expected " +
                    expected.str());
  }
  return plan::parsePlan(text);
}

bool RunDirectory::hasAttempt(int stage, int attempt) const {
  return bool(openBeneath(directory_.get(), stageFile(stage, attempt, ""),
                          O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

std::optional<std::string> RunDirectory::loadSealed(int stage, int attempt, const std::string& file,
                                                    std::string_view kind) const {
  const Result<std::string> text =
      loadFileBeneath(directory_.get(), stageFile(stage, attempt, file), kMaxSealed);
  if (!text) {
    return std::nullopt;
  }
  const std::string role = std::to_string(stage);
  Result<std::string> body =
      unsealText(attemptKey(runKey_, role, attempt), SealScope{runId_, role, attempt}, kind, *text);
  return body ? std::optional<std::string>(std::move(*body)) : std::nullopt;
}

Result<std::optional<plan::LayerReport>> RunDirectory::loadLayerReport(int stage, int attempt,
                                                                       int step) const {
  const std::optional<std::string> body =
      loadSealed(stage, attempt, plan::layerSealPath(step), "layer");
  if (!body) {
    return std::optional<plan::LayerReport>();
  }
  TRY(plan::LayerReport report, plan::parseLayerReport(*body));
  if (report.step != step) {
    return internal("layer report of stage " + std::to_string(stage) + " step " +
                    std::to_string(step) + " speaks of step " + std::to_string(report.step));
  }
  return std::optional(std::move(report));
}

Result<std::optional<plan::StageReport>> RunDirectory::loadStageReport(int stage,
                                                                       int attempt) const {
  const std::optional<std::string> body =
      loadSealed(stage, attempt, std::string(plan::kReportFile), "report");
  if (!body) {
    return std::optional<plan::StageReport>();
  }
  TRY(plan::StageReport report, plan::parseStageReport(*body));
  if (report.stage != stage || report.attempt != attempt) {
    return internal("report of stage " + std::to_string(stage) + " attempt " +
                    std::to_string(attempt) + " speaks of another");
  }
  return std::optional(std::move(report));
}

std::optional<std::string> RunDirectory::loadLog(int stage, int attempt) const {
  const std::string directory =
      stage >= 0 ? plan::stagePath(runId_, stage, attempt) : plan::preparePath(runId_, attempt);
  const std::string path =
      directory.substr(plan::runPath(runId_).size() + 1) + "/" + std::string(plan::kLogFile);
  Result<Fd> fd = openBeneath(directory_.get(), path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  struct stat info {};
  if (!fd || ::fstat(fd->get(), &info) != 0 || !S_ISREG(info.st_mode)) {
    return std::nullopt;
  }
  std::string out(plan::kMaxLogBytes, '\0');
  std::size_t size = 0;
  while (size < out.size()) {
    const ssize_t n = ::read(fd->get(), out.data() + size, out.size() - size);
    if (n <= 0) {
      break;
    }
    size += static_cast<std::size_t>(n);
  }
  out.resize(size);
  return out;
}

Result<Fd> RunDirectory::openLayer(int stage, int attempt, const plan::LayerReport& layer) const {
  const std::string path = stageFile(stage, attempt, plan::layerPath(layer.step));
  // O_NONBLOCK: a fifo planted there must not make us wait.
  Result<Fd> fd = openBeneath(directory_.get(), path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (!fd) {
    return conflict("open layer: " + fd.error().message);
  }
  struct stat info {};
  if (::fstat(fd->get(), &info) != 0 || !S_ISREG(info.st_mode)) {
    return conflict("layer " + path + " is not a regular file");
  }
  if (info.st_size != layer.size) {
    return conflict("layer " + path + " has " + std::to_string(info.st_size) +
                    " bytes, its report says " + std::to_string(layer.size));
  }
  return fd;
}

}  // namespace stagewright::publish
