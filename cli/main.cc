// `stagewright`, also the kubectl plugin: dispatches to the subcommands.
#include <array>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "cli/build_command.h"
#include "cli/check_command.h"
#include "cli/command.h"
#include "cli/image_command.h"
#include "cli/logs_command.h"
#include "cli/wait_command.h"

namespace stagewright::cli {
namespace {

constexpr std::array kCommands = {
    Command{"build", "build an image on this machine", runBuildCommand},
    Command{"check", "check a Dockerfile without building it", runCheckCommand},
    Command{"logs", "the logs of a build in the cluster", runLogsCommand},
    Command{"wait", "wait for a build in the cluster", runWaitCommand},
    Command{"rebuild", "build once more", runRebuildCommand},
    Command{"cancel", "stop the present run of a build", runCancelCommand},
    Command{"image", "make, push and inspect images without Docker", runImageCommand},
};

void printUsage(std::FILE* to) {
  std::fputs("usage: stagewright COMMAND [options]\n\ncommands:\n", to);
  for (const Command& command : kCommands) {
    std::fprintf(to, "  %-12s %s\n", std::string(command.name).c_str(),
                 std::string(command.summary).c_str());
  }
  std::fputs(
      "\n`stagewright COMMAND --help` says more; `stagewright --version` prints the version.\n",
      to);
}

int run(const std::vector<std::string>& args) {
  const std::string name = args.empty() ? "" : args[0];
  if (name == "--version") {
    std::puts("stagewright " STAGEWRIGHT_VERSION);
    return kSuccess;
  }
  if (name == "--help" || name == "-h" || name == "help") {
    printUsage(stdout);
    return kSuccess;
  }
  for (const Command& command : kCommands) {
    if (command.name == name) {
      return command.run({args.begin() + 1, args.end()});
    }
  }
  if (!name.empty()) {
    std::fprintf(stderr, "stagewright: unknown command \"%s\"\n", name.c_str());
  }
  printUsage(stderr);
  return kUsageError;
}

}  // namespace
}  // namespace stagewright::cli

int main(int argc, char** argv) {
  try {
    return stagewright::cli::run({argv + 1, argv + argc});
  } catch (const std::exception& bug) {
    std::fprintf(stderr, "stagewright: unexpected exception: %s\n", bug.what());
    return stagewright::cli::kFailure;
  }
}
