#include "cli/wait_command.h"

#include <cstdio>

#include "cli/cluster_access.h"
#include "cli/command.h"
#include "lib/base/clean_text.h"
#include "lib/api/conditions.h"
#include "lib/base/hash.h"

namespace stagewright::cli {

namespace {

constexpr Millis kWaitPoll{500};
constexpr Millis kForEver = std::chrono::hours(24 * 365);

const std::vector<Option>& waitOptions() {
  static const std::vector<Option> kOptions =
      together({{"--rebuild", "", "ask for another run first, and wait for that one"},
                {"--timeout", "DURATION", "such as 90s or 1h30m (default: no end)"},
                {"-q", "", "print nothing but the image"}},
               clusterOptions());
  return kOptions;
}

void printClusterHelp(const char* usage, const std::vector<Option>& options, const char* footer) {
  std::printf("%s\n%s%s", usage, describeOptions(options).c_str(), footer);
}

std::string newToken() { return toHex(randomBytes(8)); }

/// Prints why it does not get on whenever that changes.
class Progress {
 public:
  explicit Progress(bool quiet) : quiet_(quiet) {}
  void show(const api::ImageBuild& build) {
    const api::Condition* ready = build.status.conditions.find(api::condition::kReady);
    if (quiet_ || ready == nullptr || ready->status != api::Truth::kUnknown) {
      return;
    }
    std::string text = ready->reason + ": " + ready->message;
    if (text != last_) {
      last_ = std::move(text);
      std::fprintf(stderr, "%s\n", cleanLine(last_, 2048).c_str());
    }
  }

 private:
  bool quiet_;
  std::string last_;
};

void printEnd(const api::ImageBuild& build, int verdict) {
  if (verdict == kSuccess) {
    std::printf("%s\n", build.status.image ? build.status.image->reference.c_str() : "");
    return;
  }
  const api::Condition* ready = build.status.conditions.find(api::condition::kReady);
  if (!build.status.failure) {
    std::fprintf(stderr, "%s\n", ready == nullptr ? "" : ready->message.c_str());
    return;
  }
  const api::FailureStatus& failure = *build.status.failure;
  std::fprintf(stderr, "%s (%s): %s\n", failure.reason.c_str(), failure.class_.c_str(),
               failure.message.c_str());
  if (!failure.logTail.empty()) {
    std::fprintf(stderr, "%s\n", failure.logTail.c_str());
  }
  if (!failure.logCommand.empty()) {
    std::fprintf(stderr, "more: %s -n %s\n", failure.logCommand.c_str(),
                 build.metadata.namespace_.c_str());
  }
}

/// Looks at the build until it is over. A cluster that is away for a while is waited for.
int runWait(const ClusterAccess& access, const std::string& token, Millis timeout, bool quiet) {
  const SteadyPoint end = access.clock->steadyNow() + timeout;
  Progress progress(quiet);
  while (true) {
    const kube::ApiResult<api::ImageBuild> build = fetchBuild(access, {});
    if (!build && build.error().code != Code::kUnavailable) {
      return complain(build.error(), kWaitBroken);
    }
    if (build) {
      if (const std::optional<int> verdict = verdictOf(*build, token)) {
        printEnd(*build, *verdict);
        return *verdict;
      }
      progress.show(*build);
    }
    if (access.clock->steadyNow() >= end) {
      return complain(unavailable("ImageBuild " + stagewright::quoted(access.build) +
                                  " is not over after " + formatDuration(timeout)),
                      kWaitTimeout);
    }
    access.clock->sleepFor(kWaitPoll, {});
  }
}

}  // namespace

std::optional<int> verdictOf(const api::ImageBuild& build, const std::string& token) {
  const api::ImageBuildStatus& status = build.status;
  const api::Condition* ready = status.conditions.find(api::condition::kReady);
  const bool current = status.observedGeneration >= build.metadata.generation &&
                       (token.empty() || status.lastHandledRebuild == token);
  if (!current || ready == nullptr || ready->status == api::Truth::kUnknown) {
    return std::nullopt;
  }
  if (ready->status == api::Truth::kTrue) {
    return kSuccess;
  }
  if (!status.failure) {
    return kWaitCancelled;
  }
  return status.failure->class_ == "Platform" ? kWaitPlatformFailure : kWaitUserFailure;
}

int runWaitCommand(const std::vector<std::string>& args) {
  const Result<Arguments> arguments = Arguments::parse(args, waitOptions());
  if (!arguments) {
    return complain(arguments.error(), kWaitBroken);
  }
  if (arguments->has("--help")) {
    printClusterHelp(
        "usage: stagewright wait [options] NAME", waitOptions(),
        "\nexit codes: 0 success (the image is on standard output), 1 the build failed or is "
        "not allowed,\n2 the platform failed, 3 cancelled, 124 timeout, 125 could not ask\n");
    return kSuccess;
  }
  const Result<Millis> timeout = arguments->has("--timeout")
                                     ? parseDuration(arguments->last("--timeout", ""))
                                     : Result<Millis>(kForEver);
  if (!timeout) {
    return complain(timeout.error(), kWaitBroken);
  }
  const Result<ClusterAccess> access = makeClusterAccess(*arguments);
  if (!access) {
    return complain(access.error(), kWaitBroken);
  }
  const std::string token = arguments->has("--rebuild") ? newToken() : "";
  if (!token.empty()) {
    if (const auto asked = annotate(*access, api::kRebuildAnnotation, token); !asked) {
      return complain(asked.error(), kWaitBroken);
    }
  }
  return runWait(*access, token, *timeout, arguments->has("-q"));
}

int runRebuildCommand(const std::vector<std::string>& args) {
  const Result<Arguments> arguments = Arguments::parse(args, clusterOptions());
  if (!arguments) {
    return complain(arguments.error(), kUsageError);
  }
  if (arguments->has("--help")) {
    printClusterHelp("usage: stagewright rebuild [options] NAME", clusterOptions(), "");
    return kSuccess;
  }
  const Result<ClusterAccess> access = makeClusterAccess(*arguments);
  if (!access) {
    return complain(access.error(), access.error().code == Code::kInvalid ? kUsageError : kFailure);
  }
  const std::string token = newToken();
  if (const auto asked = annotate(*access, api::kRebuildAnnotation, token); !asked) {
    return complain(asked.error(), kFailure);
  }
  std::printf("%s/rebuild=%s\n", std::string(api::kGroup).c_str(), token.c_str());
  return kSuccess;
}

int runCancelCommand(const std::vector<std::string>& args) {
  const Result<Arguments> arguments = Arguments::parse(args, clusterOptions());
  if (!arguments) {
    return complain(arguments.error(), kUsageError);
  }
  if (arguments->has("--help")) {
    printClusterHelp("usage: stagewright cancel [options] NAME", clusterOptions(), "");
    return kSuccess;
  }
  const Result<ClusterAccess> access = makeClusterAccess(*arguments);
  if (!access) {
    return complain(access.error(), access.error().code == Code::kInvalid ? kUsageError : kFailure);
  }
  const kube::ApiResult<api::ImageBuild> build = fetchBuild(*access, {});
  if (!build) {
    return complain(build.error(), kFailure);
  }
  if (!build->status.run || api::isFinished(*build->status.run)) {
    return complain(
        notFound("ImageBuild " + stagewright::quoted(access->build) + " has no run to cancel"),
        kFailure);
  }
  const std::string& run = build->status.run->id;
  if (const auto asked = annotate(*access, api::kCancelAnnotation, run); !asked) {
    return complain(asked.error(), kFailure);
  }
  std::printf("run %s is being cancelled\n", run.c_str());
  return kSuccess;
}

}  // namespace stagewright::cli
