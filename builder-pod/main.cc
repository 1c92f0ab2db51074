// stagewright-builder: the program of the builder image. Prepare and publish run it, each in a pod
// of its own.
#include <cstdio>
#include <exception>
#include <string_view>

#include "builder-pod/prepare/prepare.h"
#include "builder-pod/publish/publish.h"
#include "lib/base/log.h"
#include "lib/plan/contract.h"

namespace {

constexpr std::string_view kUsage = "usage: stagewright-builder prepare|publish|--version\n";

int runCommand(std::string_view command) {
  if (command == "prepare") {
    return stagewright::prepare::runPrepareMain();
  }
  if (command == "publish") {
    return stagewright::publish::runPublishMain();
  }
  if (command == "--version") {
    std::puts("stagewright-builder " STAGEWRIGHT_VERSION);
    return 0;
  }
  std::fputs(kUsage.data(), command == "--help" ? stdout : stderr);
  return command == "--help" ? 0 : 2;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return runCommand(argc == 2 ? argv[1] : "");
  } catch (
      const std::exception& bug) {  // a bug or no memory: the operator retries it as infrastructure
    stagewright::log::error("unexpected exception", {{"error", bug.what()}});
    return static_cast<int>(stagewright::plan::Exit::kInternal);
  }
}
