// The core of publish, without environment and process: used by the pod's main and by the local
// engine.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <variant>

#include "builder-pod/publish/refusal.h"
#include "lib/base/clock.h"
#include "lib/base/json.h"
#include "lib/http/retry.h"
#include "lib/http/transport.h"
#include "lib/oci/digest.h"
#include "lib/plan/report.h"
#include "lib/plan/request.h"
#include "lib/registry/credentials.h"
#include "lib/registry/host_config.h"

namespace stagewright::publish {

struct PublishJob {
  plan::PublishRequest request;
  std::string runDirectory;  ///< runs/<runID>
  std::string runId;
  std::string runKey;  ///< 32 raw bytes
  int prepareAttempt = 1;
  oci::Digest planDigest;
  registry::Credentials pushCredentials;
  registry::Credentials pullCredentials;
  http::RetryPolicy retry;  ///< against both registries
};

/// Takes frames (plan/report.h lists them); called from several threads, so it must be thread-safe.
using FrameSink = std::function<void(const Json&)>;

using PublishResult = std::variant<plan::ImageReport, Refusal>;

/// Proves that it may push, places layers as they appear in the run's directory, waits for the
/// sealed success of every stage, then pushes config, manifest and tags. Blocks until done,
/// refused, or stopped; a stop ends open uploads. The last frame (image or failure) is the
/// caller's.
PublishResult runPublication(const PublishJob& job, http::Transport& transport, Clock& clock,
                             const FrameSink& emit, std::stop_token stop);

/// The request's access rules in the registry client's words.
std::vector<registry::HostConfig> hostConfigs(const std::vector<plan::RegistryAccess>& access);

}  // namespace stagewright::publish
