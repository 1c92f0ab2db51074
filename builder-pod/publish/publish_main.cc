#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

#include "builder-pod/publish/frames.h"
#include "builder-pod/publish/publication.h"
#include "builder-pod/publish/publish.h"
#include "builder-pod/publish/saved_logs.h"
#include "builder-pod/publish/secrets.h"
#include "builder-pod/publish/stop_signal.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/log.h"
#include "lib/http/authorities.h"
#include "lib/http/curl_transport.h"
#include "lib/plan/contract.h"

namespace stagewright::publish {

namespace {

constexpr std::string_view kRole = "publish";
constexpr Millis kLogPatience{20'000};  // the pod is given thirty seconds to end

Result<std::string> readEnv(std::string_view name) {
  const char* value = std::getenv(std::string(name).c_str());
  if (value == nullptr || *value == '\0') {
    return invalid("environment variable " + std::string(name) + " is not set");
  }
  return std::string(value);
}

Result<int> readNumber(std::string_view name) {
  TRY(std::string text, readEnv(name));
  int value = 0;
  auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || end != text.data() + text.size() || value < 1) {
    return invalid("environment variable " + std::string(name) + " is no positive number");
  }
  return value;
}

/// Who we are: needed to say anything sealed.
struct Identity {
  std::string runId;
  std::string runKey;
  int attempt = 1;

  std::string key() const { return attemptKey(runKey, kRole, attempt); }
  SealScope scope() const { return {runId, std::string(kRole), attempt}; }
};

Result<Identity> readIdentity() {
  Identity identity;
  TRY(identity.runId, readEnv(plan::kEnvRunId));
  TRY(identity.attempt, readNumber(plan::kEnvAttempt));
  TRY(std::string hex, readEnv(plan::kEnvRunKey));
  TRY(identity.runKey, fromHex(hex));
  return identity;
}

Result<PublishJob> readJob(const Identity& identity) {
  PublishJob job;
  job.runId = identity.runId;
  job.runKey = identity.runKey;
  job.runDirectory = std::string(plan::kRunDir);
  TRY(job.prepareAttempt, readNumber(plan::kEnvPrepareAttempt));
  TRY(std::string digest, readEnv(plan::kEnvPlanDigest));
  TRY(job.planDigest, oci::Digest::parse(digest));
  TRY(std::string request, readEnv(plan::kEnvRequest));
  TRY(job.request, plan::parsePublishRequest(request));
  return job;
}

/// The ConfigMap may come later, as Secrets may.
Status checkTrustedCa(const PublishJob& job) {
  if (job.request.trustedCa.empty()) {
    return ok();
  }
  Result<std::string> loaded = http::loadAuthorities({std::string(plan::kTrustedCaFile)});
  return loaded ? ok()
                : Status(std::move(loaded).error().during("read the ConfigMap " +
                                                          quoted(job.request.trustedCa, 253) +
                                                          " (spec.trustedCA)"));
}

Status loadCredentials(PublishJob& job) {
  CHECK_OK(checkTrustedCa(job));
  if (job.request.pushSecret) {
    TRY(job.pushCredentials,
        loadPushCredentials(std::string(plan::kPushSecretDir), job.request.pushSecretName));
  }
  TRY(job.pullCredentials,
      loadPullCredentials(std::string(plan::kPullSecretsDir), job.request.pullSecrets));
  return ok();
}

/// What the request asks for, with the credentials for it.
std::variant<PublishJob, Refusal> loadJob(const Identity& identity) {
  Result<PublishJob> job = readJob(identity);
  if (!job) {
    return makeRefusal(Phase::kVolume, std::move(job).error().during("read request"));
  }
  if (Status loaded = loadCredentials(*job); !loaded) {
    return makeRefusal(Phase::kCredentials, loaded.error());
  }
  return std::move(*job);
}

/// What is known to the world must not depend on it: a registry that takes no logs costs a warning,
/// and some seconds at most.
void saveLogs(const PublishJob& job, http::Transport& transport, Clock& clock) {
  std::stop_source late;
  const std::jthread timer([&](std::stop_token done) {
    if (clock.sleepFor(kLogPatience, done)) {
      late.request_stop();
    }
  });
  if (const Status saved = pushLogs(job, transport, clock, late.get_token()); !saved) {
    log::warn("the logs of this run are not saved", {{"error", saved.error().message}});
  }
}

int report(const Refusal& refusal, const Identity& identity, FrameWriter& frames) {
  log::error("publish failed",
             {{"reason", refusal.failure.reason}, {"error", refusal.failure.message}});
  Json frame = plan::toJson(refusal.failure);
  frame["type"] = "failure";
  frames.write(frame);
  const std::string message = plan::makeTermination(identity.key(), identity.runId, kRole,
                                                    identity.attempt, refusal.failure);
  Fd log(::open(std::string(plan::kTerminationLog).c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
  if (log) {
    static_cast<void>(
        writeAll(log.get(), message, plan::kTerminationLog));  // the frame says it too
  }
  return static_cast<int>(refusal.exit);
}

int tell(const PublishResult& result, const Identity& identity, FrameWriter& frames) {
  if (const auto* refusal = std::get_if<Refusal>(&result)) {
    return report(*refusal, identity, frames);
  }
  Json frame = plan::toJson(std::get<plan::ImageReport>(result));
  frame["type"] = "image";
  frames.write(frame);
  return static_cast<int>(plan::Exit::kSuccess);
}

}  // namespace

int runPublishMain() {
  StopSignal signal;
  log::setComponent(kRole);
  Result<Identity> identity = readIdentity();
  if (!identity) {
    log::error("publish cannot start", {{"error", identity.error().message}});
    return static_cast<int>(plan::Exit::kInternal);
  }
  FrameWriter frames(STDOUT_FILENO, identity->key(), identity->scope());
  const auto loaded = loadJob(*identity);
  if (const auto* refusal = std::get_if<Refusal>(&loaded)) {
    return report(*refusal, *identity, frames);
  }
  const PublishJob& job = std::get<PublishJob>(loaded);
  http::CurlOptions options;
  options.caFile = job.request.trustedCa.empty() ? "" : plan::kTrustedCaFile;
  const std::unique_ptr<http::Transport> transport = http::makeCurlTransport(std::move(options));
  SystemClock clock;
  const PublishResult result = runPublication(
      job, *transport, clock, [&](const Json& frame) { frames.write(frame); }, signal.token());
  const int exit = tell(result, *identity, frames);
  // A run that a stage has failed ends publish by a signal; a refusal of ours is tried again or
  // could not push logs either.
  const bool succeeded = std::holds_alternative<plan::ImageReport>(result);
  if (job.request.logs && (succeeded || signal.token().stop_requested())) {
    saveLogs(job, *transport, clock);
  }
  return exit;
}

}  // namespace stagewright::publish
