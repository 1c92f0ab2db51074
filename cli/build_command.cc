#include "cli/build_command.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "builder-pod/publish/stop_signal.h"
#include "cli/arguments.h"
#include "cli/build_options.h"
#include "cli/check_command.h"
#include "cli/command.h"
#include "lib/base/clean_text.h"
#include "lib/http/curl_transport.h"
#include "local/build.h"
#include "local/mounts.h"
#include "local/rootless.h"

namespace stagewright::cli {

namespace {

constexpr int kInterrupted = 130;

int usageError(const std::string& message) {
  std::fprintf(stderr, "stagewright build: %s\n`stagewright build --help` says more\n", message.c_str());
  return kUsageError;
}

void printHelp() {
  std::printf(
      "usage: stagewright build --local [options] CONTEXT\n\n"
      "Builds a Dockerfile on this machine, as the cluster would. CONTEXT is a directory, a tar archive, `-` (an archive\n"
      "on standard input), a git repository or a URL of an archive. RUN needs crun or runc.\n\n%s",
      describeOptions(buildOptionTable()).c_str());
}

int isolationError(const Error& error) {
  std::fprintf(stderr,
               "stagewright build: %s\nA local build mounts file systems: run it as root, or as a user with ranges in /etc/subuid and "
               "/etc/subgid, newuidmap and user namespaces.\n",
               error.message.c_str());
  return static_cast<int>(plan::Exit::kIsolation);
}

int finish(const local::BuildOptions& options, const local::BuildResult& result, bool stopped) {
  if (stopped) {
    std::fputs("stagewright build: interrupted\n", stderr);
    return kInterrupted;
  }
  if (result.exit != plan::Exit::kSuccess) {
    std::fprintf(stderr, "ERROR: %s\n", cleanText(result.message, kMaxShown).c_str());
    return static_cast<int>(result.exit);
  }
  if (options.progress == local::ProgressStyle::kQuiet && !result.configDigest.empty()) {
    std::printf("%s\n", result.configDigest.c_str());
  }
  return kSuccess;
}

}  // namespace

int runBuildCommand(const std::vector<std::string>& args) {
  const auto arguments = Arguments::parse(args, buildOptionTable());
  if (!arguments) {
    return usageError(arguments.error().message);
  }
  if (arguments->has("--help") || arguments->has("-h")) {
    printHelp();
    return kSuccess;
  }
  if (arguments->has("--check")) {
    return runCheckOf(*arguments);
  }
  const auto options = makeBuildOptions(*arguments);
  if (!options) {
    return usageError(options.error().message);
  }
  // Before any thread: the mounts of a build are of this process alone, and signals are a request to stop.
  if (::geteuid() != 0) {
    if (const Status root = local::becomeRootlessRoot(); !root) {
      const bool isSaid = root.error().code == Code::kCancelled;  // by the parent process
      return isSaid ? static_cast<int>(plan::Exit::kIsolation) : isolationError(root.error());
    }
  }
  if (const Status isolated = local::enterPrivateMounts(); !isolated) {
    return isolationError(isolated.error());
  }
  ::umask(022);
  const publish::StopSignal signal;
  const auto transport = http::makeCurlTransport();
  SystemClock clock;
  local::BuildResult result;
  {
    local::Progress progress(options->progress);
    result = local::runBuild(*options, *transport, clock, progress, signal.token());
  }
  return finish(*options, result, signal.token().stop_requested());
}

}  // namespace stagewright::cli
