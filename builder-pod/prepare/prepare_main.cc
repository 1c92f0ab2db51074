#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "builder-pod/prepare/build_args.h"
#include "builder-pod/prepare/fetched_sources.h"
#include "builder-pod/prepare/git_source.h"
#include "builder-pod/prepare/pod_voice.h"
#include "builder-pod/prepare/preparation.h"
#include "builder-pod/prepare/prepare.h"
#include "builder-pod/prepare/words.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/log.h"
#include "lib/http/authorities.h"
#include "lib/http/curl_transport.h"
#include "lib/plan/contract.h"
#include "lib/plan/summary.h"

namespace stagewright::prepare {

namespace {

/// Nothing is lost when prepare gives up: the operator says in the status which registry does not
/// answer, and tries again in a new pod. So people learn it after half a minute, not after two.
constexpr Millis kRegistryPatience{30'000};

constexpr std::string_view kGitAuthorities = "/tmp/ca.crt";

Result<std::string> readEnv(std::string_view name) {
  const char* value = std::getenv(std::string(name).c_str());
  if (value == nullptr || *value == '\0') {
    return invalid("environment variable " + std::string(name) + " is not set");
  }
  return std::string(value);
}

Result<PodVoice::Identity> readIdentity() {
  PodVoice::Identity identity;
  TRY(identity.runId, readEnv(plan::kEnvRunId));
  TRY(const std::string attempt, readEnv(plan::kEnvAttempt));
  const auto [end, error] =
      std::from_chars(attempt.data(), attempt.data() + attempt.size(), identity.attempt);
  if (error != std::errc() || end != attempt.data() + attempt.size() || identity.attempt < 1) {
    return invalid("environment variable " + std::string(plan::kEnvAttempt) +
                   " is no positive number");
  }
  if (identity.runId.find_first_of("/.") != std::string::npos) {
    return invalid("environment variable " + std::string(plan::kEnvRunId) + " is no run id");
  }
  TRY(const std::string hex, readEnv(plan::kEnvRunKey));
  TRY(identity.runKey, fromHex(hex));
  return identity;
}

/// For git, which takes one file instead of the system's, and for RUN. Our own transport reads the
/// mounted one.
Outcome<void> trustMore(PreparationJob& job) {
  if (job.request.trustedCa.empty()) {
    return {};
  }
  TRY_OR(job.authorities, http::loadAuthorities({std::string(plan::kTrustedCaFile)}), error,
         refuse(plan::Exit::kSecretMissing, "CredentialsNotFound",
                "read the ConfigMap " + quoted(job.request.trustedCa, 253) +
                    " (spec.trustedCA): " + error.message));
  CHECK_OR(saveFileAtomically(std::string(kGitAuthorities), job.authorities), error,
           refuse(plan::Exit::kInternal, "InternalError", error.message));
  for (const char* name : {"GIT_SSL_CAINFO=", "GIT_PROXY_SSL_CAINFO="}) {
    job.gitEnvironment.push_back(name + std::string(kGitAuthorities));
  }
  return {};
}

Outcome<PreparationJob> readJob(const PodVoice::Identity& identity) {
  const auto broken = [](const Error& error) {
    return refuse(plan::Exit::kInternal, "InternalError", "read request: " + error.message);
  };
  PreparationJob job;
  job.runId = identity.runId;
  job.attempt = identity.attempt;
  job.workspace = plan::kWorkspaceDir;
  job.configMapDir = plan::kConfigMapDir;
  job.sourceSecretDir = plan::kSourceSecretDir;
  job.gitEnvironment = inheritedGitEnvironment();
  job.retry.budget = kRegistryPatience;
  std::vector<std::string> denied;
  if (auto apiServer = readEnv("KUBERNETES_SERVICE_HOST")) {  // the kubelet sets it in every pod
    denied.push_back(std::move(*apiServer));
  }
  job.checkAddress = podAddressCheck(std::move(denied));
  TRY_OR(const std::string request, readEnv(plan::kEnvRequest), error, broken(error));
  TRY_OR(job.request, plan::parseBuildRequest(request), error, broken(error));
  CHECK_OK(loadBuildArgs(std::string(plan::kBuildArgsDir), job.request));
  CHECK_OK(trustMore(job));
  TRY(job.pullCredentials,
      loadPullCredentials(std::string(plan::kPullSecretsDir), job.request.pullSecrets));
  return job;
}

Outcome<void> prepareAndSend(const PreparationJob& job, PodVoice& voice) {
  http::CurlOptions options;
  options.caFile = job.request.trustedCa.empty() ? "" : plan::kTrustedCaFile;
  const auto transport = http::makeCurlTransport(std::move(options));
  SystemClock clock;
  const Narrator tell = [&voice](const std::string& line) { voice.tell(line); };
  TRY(const Preparation result, runPreparation(job, *transport, clock, tell, {}));
  const plan::PlanSummary summary =
      plan::summarize(result.plan, result.planDigest, result.sourceRevision);
  CHECK_OR(voice.sendFrame("plan", Json{{"plan", plan::toJson(summary)}}), error,
           refuseDockerfile(error));
  return {};
}

Outcome<void> runPod(const PodVoice::Identity& identity, PodVoice& voice) {
  const Stopwatch watch;
  TRY(const PreparationJob job, readJob(identity));
  const Outcome<void> outcome = prepareAndSend(job, voice);
  if (outcome) {
    voice.tell("prepared in " + seconds(watch.elapsed()));
    const std::string path = job.workspace + "/" + plan::preparePath(job.runId, job.attempt) + "/" +
                             std::string(plan::kLogFile);
    if (const Status kept = saveFileAtomically(path, voice.told()); !kept) {
      log::warn("log not kept", {{"error", kept.error().message}});
    }
  }
  if (const Status removed = removeSource(job); !removed) {
    log::warn("source not removed", {{"error", removed.error().message}});
  }
  return outcome;
}

/// Excerpts with a caret have several lines.
void tellLines(PodVoice& voice, std::string_view text) {
  while (!text.empty()) {
    const std::size_t newline = std::min(text.find('\n'), text.size());
    voice.tell(text.substr(0, newline));
    text.remove_prefix(std::min(newline + 1, text.size()));
  }
}

/// PID 1 gets no default actions for signals; nothing here is worth finishing once the pod is to
/// go.
void endOnTermination() {
  struct sigaction action {};
  action.sa_handler = [](int) { ::_exit(128 + SIGTERM); };
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGINT, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

}  // namespace

int runPrepareMain() {
  ::prctl(PR_SET_DUMPABLE, 0);
  ::umask(022);
  endOnTermination();
  log::setComponent("prepare");
  const Result<PodVoice::Identity> identity = readIdentity();
  if (!identity) {
    log::error("prepare cannot start", {{"error", identity.error().message}});
    return static_cast<int>(plan::Exit::kInternal);
  }
  PodVoice voice(STDOUT_FILENO, *identity);
  const Outcome<void> outcome = runPod(*identity, voice);
  if (outcome) {
    return static_cast<int>(plan::Exit::kSuccess);
  }
  const Refusal& refusal = outcome.error();
  voice.tell("failed: " + refusal.failure.reason);
  tellLines(voice, refusal.failure.message);
  voice.sendFailure(refusal.failure, std::string(plan::kTerminationLog));
  return static_cast<int>(refusal.exit);
}

}  // namespace stagewright::prepare
