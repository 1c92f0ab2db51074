// stagewright-builder: the program of the builder image. Prepare and publish run it, each in a pod
// of its own; where the cluster serves no image volumes, an init container of a stage does too.
#include <cstdio>
#include <exception>
#include <string_view>

#include "builder-pod/prepare/prepare.h"
#include "builder-pod/publish/publish.h"
#include "builder-pod/secrets/hand_over.h"
#include "builder-pod/tools/install_executor.h"
#include "lib/base/log.h"
#include "lib/plan/contract.h"

namespace {

constexpr std::string_view kUsage =
    "usage: stagewright-builder prepare|publish|secrets|install-executor DIRECTORY|--version\n";

int runCommand(std::string_view command, const char* argument) {
  if (command == "install-executor" && argument != nullptr) {
    return stagewright::tools::runInstallExecutorMain(argument);
  }
  if (argument == nullptr && command == "prepare") {
    return stagewright::prepare::runPrepareMain();
  }
  if (argument == nullptr && command == "publish") {
    return stagewright::publish::runPublishMain();
  }
  if (argument == nullptr && command == "secrets") {
    return stagewright::secrets::runHandOverMain();
  }
  if (argument == nullptr && command == "--version") {
    std::puts("stagewright-builder " STAGEWRIGHT_VERSION);
    return 0;
  }
  std::fputs(kUsage.data(), command == "--help" ? stdout : stderr);
  return command == "--help" ? 0 : 2;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const bool known = argc == 2 || argc == 3;
    return runCommand(known ? argv[1] : "", argc == 3 ? argv[2] : nullptr);
  } catch (
      const std::exception& bug) {  // a bug or no memory: the operator retries it as infrastructure
    stagewright::log::error("unexpected exception", {{"error", bug.what()}});
    return static_cast<int>(stagewright::plan::Exit::kInternal);
  }
}
