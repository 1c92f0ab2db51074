#include "builder-pod/prepare/refusal.h"

#include <sys/statvfs.h>

namespace stagewright::prepare {

Refusal refuse(plan::Exit exit, std::string_view reason, std::string message) {
  Refusal refusal;
  refusal.exit = exit;
  refusal.failure.reason = reason;
  refusal.failure.message = std::move(message);
  return refusal;
}

Refusal refuseInput(std::string_view reason, std::string message) {
  return refuse(plan::Exit::kUserInput, reason, std::move(message));
}

Refusal refuseDockerfile(const Error& error) {
  Refusal refusal = refuseInput("DockerfileInvalid", error.message);
  refusal.failure.line = error.where ? error.where->line : 0;
  return refusal;
}

bool isVolumeFull(const std::string& directory) {
  struct statvfs stats {};
  if (::statvfs(directory.c_str(), &stats) != 0) {
    return false;
  }
  const bool noSpace = stats.f_bavail * stats.f_frsize < 1024 * 1024;
  return noSpace || (stats.f_files > 0 && stats.f_favail == 0);
}

Refusal refuseVolume(const std::string& directory, const Error& error) {
  if (isVolumeFull(directory)) {
    return refuseInput("WorkspaceFull", "the workspace volume is full (" + error.message +
                                            "); raise spec.workspace.size");
  }
  return refuse(plan::Exit::kInternal, "InternalError", error.message);
}

}  // namespace stagewright::prepare
