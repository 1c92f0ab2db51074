// stagewright-stage: PID 1 of a stage's container. Static, because the container is the user's own
// base image and may hold nothing at all.
#include <fcntl.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <exception>

#include "builder-pod/stage/environment.h"
#include "builder-pod/stage/process_runner.h"
#include "builder-pod/stage/stage.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/log.h"
#include "lib/plan/contract.h"

namespace stagewright::stage {
namespace {

constexpr std::size_t kMaxPlan = 64 * 1024 * 1024;
constexpr Millis kSecretPatience =
    std::chrono::minutes(5);  // the builder image may have to be pulled

Stop* stopSignal = nullptr;  // for the signal handler, which has no other way to it

/// Only signals from outside count: a step can send us SIGTERM too, but then the kernel puts its id
/// into the signal. From a parent namespace the sender's id reads as 0, and nobody can forge
/// SI_USER.
void onSignal(int, siginfo_t* info, void*) {
  if (::getpid() != 1 || (info->si_code == SI_USER && info->si_pid == 0)) {
    stopSignal->request();
  }
}

void listenForSignals(Stop& stop) {
  stopSignal = &stop;
  struct sigaction action {};
  action.sa_sigaction = onSignal;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGINT, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

/// Before anything else, and before any child: a step is root in our PID namespace. Not dumpable
/// means that it can neither trace us nor read our memory or environment (docs: stage executor,
/// section 8).
void protectProcess() {
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  // Never read openssl.cnf: it would be the image's, and can name modules to load into this
  // process.
  ::OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, nullptr);
  ::umask(0);  // modes come from the image, not from us; steps get 022
}

Result<plan::BuildPlan> loadPlan(const Environment& env) {
  TRY(const std::string text, loadFile(std::string(plan::kPlanFile), kMaxPlan));
  if ("sha256:" + sha256Hex(text) != env.planDigest) {
    return denied("the plan is not the one that the operator read");
  }
  TRY(plan::BuildPlan plan, plan::parsePlan(text));
  if (env.options.stage >= static_cast<int>(plan.stages.size())) {
    return invalid("the plan has no stage " + std::to_string(env.options.stage));
  }
  return plan;
}

/// What steps wrote there is overwritten: no process of theirs is left.
void writeTermination(std::string_view text) {
  const Fd fd(::open(std::string(plan::kTerminationLog).c_str(),
                     O_WRONLY | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat st {};
  if (fd && ::fstat(fd.get(), &st) == 0 && S_ISREG(st.st_mode) &&
      !writeAll(fd.get(), text, "termination log")) {
    log::warn("cannot write the termination log");
  }
}

int fail(const StageOptions& options, plan::Exit exit, plan::Failure failure) {
  log::error("stage failed", {{"reason", failure.reason}, {"cause", failure.message}});
  writeTermination(plan::makeTermination(options.key, options.runId, std::to_string(options.stage),
                                         options.attempt, std::move(failure)));
  return static_cast<int>(exit);
}

plan::Failure makeFailure(std::string reason, std::string message) {
  plan::Failure failure;
  failure.reason = std::move(reason);
  failure.message = std::move(message);
  return failure;
}

/// Nothing if the stage may go on.
std::optional<int> receiveSecrets(Environment& env, const Stop& stop, StageLog& log) {
  if (!env.awaitSecrets) {
    return std::nullopt;
  }
  auto secrets = takeSecrets(env.options.secretsDir, kSecretPatience, stop);
  if (!secrets) {
    const bool missing = secrets.error().code == Code::kNotFound;
    const bool stopped = secrets.error().code == Code::kCancelled;
    return fail(env.options, missing ? plan::Exit::kSecretMissing : plan::Exit::kInternal,
                makeFailure(missing   ? "CredentialsNotFound"
                            : stopped ? "Disrupted"
                                      : "InternalError",
                            secrets.error().message));
  }
  env.options.secrets = std::move(*secrets);
  log.hide(env.options.secrets.masks());
  return std::nullopt;
}

int runExecutor() {
  auto env = takeEnvironment();
  if (!env) {
    log::error("bad environment", {{"cause", env.error().message}});
    return static_cast<int>(plan::Exit::kInternal);
  }
  const StageOptions& options = env->options;
  if (env->userNamespaceRequired &&
      isIdentityMap(loadFile("/proc/self/uid_map", 4096).value_or("0 0 4294967295"))) {
    return fail(options, plan::Exit::kIsolation,
                makeFailure("IsolationRefused",
                            "a user namespace was asked for, but the node's runtime gave none"));
  }
  auto stop = Stop::make();
  const auto plan = loadPlan(*env);
  if (!stop || !plan) {
    return fail(options, plan::Exit::kInternal,
                makeFailure("InternalError", !stop ? stop.error().message : plan.error().message));
  }
  listenForSignals(*stop);
  StageLog log(STDOUT_FILENO, options.key, options.scope());
  if (const auto refused = receiveSecrets(*env, *stop, log)) {
    return *refused;
  }
  ProcessRunner runner("/sys/fs/cgroup");
  const StageResult result = runStage(*plan, options, runner, log, *stop);
  if (result.exit != plan::Exit::kSuccess) {
    return fail(options, result.exit, result.report.failure.value_or(plan::Failure{}));
  }
  writeTermination("");
  return 0;
}

}  // namespace
}  // namespace stagewright::stage

int main() {
  stagewright::stage::protectProcess();
  stagewright::log::setComponent("stage");
  try {
    return stagewright::stage::runExecutor();
  } catch (const std::exception& e) {
    stagewright::log::error("bug", {{"cause", e.what()}});
  }
  return static_cast<int>(stagewright::plan::Exit::kInternal);
}
