// What the operator and the containers of a build agree on: paths, environment variables, exit codes. One place, so
// that operator N can drive the pods of N-1: names are never reused with another meaning.
#pragma once

#include <string>
#include <string_view>

namespace stagewright::plan {

/// Exit codes of our containers. A child's code is never passed through.
enum class Exit : int {
  kSuccess = 0,
  kStepFailed = 10,
  kStageTimeout = 11,
  kOutOfMemory = 12,      ///< a child was killed for memory
  kUserInput = 20,        ///< Dockerfile, context, source reference …: the report says what
  kSecretMissing = 21,
  kUnavailable = 30,      ///< registry or source; worth a retry
  kDenied = 31,           ///< registry or source refuses our credentials
  kInternal = 70,         ///< a bug or a broken volume; retried as infrastructure
  kIsolation = 78,        ///< a user namespace was asked for and is not there
};

// Paths inside the containers. All of ours lies below one directory.
inline constexpr std::string_view kRoot = "/.stagewright";
inline constexpr std::string_view kToolsDir = "/.stagewright/tools";       ///< stage: the builder image or an emptyDir
inline constexpr std::string_view kExecutor = "stagewright-stage";         ///< its name below kToolsDir
inline constexpr std::string_view kPlanFile = "/.stagewright/plan.json";   ///< stage
inline constexpr std::string_view kContextDir = "/.stagewright/context";   ///< stage, read-only, only if used
inline constexpr std::string_view kFetchedDir = "/.stagewright/fetched";   ///< stage, read-only, only if used
inline constexpr std::string_view kOutDir = "/.stagewright/out";           ///< stage: its own directory, read-write
inline constexpr std::string_view kFromDir = "/.stagewright/from";         ///< stage: from/<index>, read-only
inline constexpr std::string_view kWorkspaceDir = "/.stagewright/workspace";  ///< prepare: the whole claim
inline constexpr std::string_view kRunDir = "/.stagewright/run";           ///< publish: runs/<runID>, read-only
inline constexpr std::string_view kPullSecretsDir = "/.stagewright/pull";  ///< prepare, publish: pull/<i>/.dockerconfigjson
inline constexpr std::string_view kPushSecretDir = "/.stagewright/push";   ///< publish: push/.dockerconfigjson
inline constexpr std::string_view kSourceSecretDir = "/.stagewright/source-auth";  ///< prepare: username, password
inline constexpr std::string_view kBuildArgsDir = "/.stagewright/args";            ///< prepare: args/<name>, values from ConfigMaps
inline constexpr std::string_view kConfigMapDir = "/.stagewright/configmap";       ///< prepare: source configMap
/// secrets, stage: a volume in memory; secrets puts values there, the executor takes them away before the first step
inline constexpr std::string_view kSecretsDir = "/.stagewright/secrets";
inline constexpr std::string_view kGrantsDir = "/.stagewright/grants";     ///< secrets: grants/<i>/value of the i-th grant
inline constexpr std::string_view kCachesDir = "/.stagewright/cache";      ///< stage: cache mounts that outlive it, only on a named claim
inline constexpr std::string_view kCaDir = "/.stagewright/ca";             ///< prepare, publish: ca/<registry index>/ca.crt
inline constexpr std::string_view kTrustedCaFile = "/.stagewright/ca/all/ca.crt";  ///< prepare, publish: for all requests

// Environment variables.
inline constexpr std::string_view kEnvRunId = "STAGEWRIGHT_RUN_ID";
inline constexpr std::string_view kEnvAttempt = "STAGEWRIGHT_ATTEMPT";
inline constexpr std::string_view kEnvRunKey = "STAGEWRIGHT_RUN_KEY";      ///< prepare, publish: hex of 32 random bytes
inline constexpr std::string_view kEnvKey = "STAGEWRIGHT_KEY";             ///< stage: hex of attemptKey(runKey, index, attempt)
inline constexpr std::string_view kEnvStage = "STAGEWRIGHT_STAGE";         ///< stage: index
/// stage: JSON {"<index>": {"attempt": 1, "key": "<hex>"}}, exactly the attempts it may read
inline constexpr std::string_view kEnvUpstream = "STAGEWRIGHT_UPSTREAM";
inline constexpr std::string_view kEnvPlanDigest = "STAGEWRIGHT_PLAN_DIGEST";  ///< stage, publish: sha256:… of plan.json
inline constexpr std::string_view kEnvPrepareAttempt = "STAGEWRIGHT_PREPARE_ATTEMPT";  ///< publish
inline constexpr std::string_view kEnvUserNamespace = "STAGEWRIGHT_USER_NAMESPACE";    ///< stage: "required" or absent
inline constexpr std::string_view kEnvTimeoutSeconds = "STAGEWRIGHT_TIMEOUT_SECONDS";  ///< stage; absent: none
inline constexpr std::string_view kEnvNetwork = "STAGEWRIGHT_NETWORK";  ///< stage: "none" cuts every RUN off; or absent
inline constexpr std::string_view kEnvRequest = "STAGEWRIGHT_REQUEST";     ///< prepare: BuildRequest, publish: PublishRequest

inline constexpr std::string_view kEnvGrants = "STAGEWRIGHT_GRANTS";       ///< secrets: the list of SecretGrants; stage: "await"

inline constexpr std::string_view kTerminationLog = "/dev/termination-log";
inline constexpr std::size_t kTerminationLimit = 4096;

// The volume. One directory per writer; no subPath lies below a directory that a stage can write.
std::string cachesPath(std::string_view owner);                             ///< cache/<uid of the ImageBuild>
std::string runPath(std::string_view runId);                                ///< runs/<runID>
std::string preparePath(std::string_view runId, int attempt);               ///< runs/<runID>/prepare/a<n>
std::string stagePath(std::string_view runId, int stage, int attempt);      ///< runs/<runID>/stages/<i>/a<n>
inline constexpr std::string_view kOwnerFile = "owner";  ///< runs/<runID>/owner on a named claim: the ImageBuild's uid
// Below fetched/:
inline constexpr std::string_view kAuthoritiesName = "ca.crt";  ///< what RUN is to trust, the system's authorities included
std::string cachedLayerName(std::string_view digestHex);  ///< layer-<hex>: a compressed layer from a cache
// Below a stage's directory:
std::string layerPath(int step);        ///< layers/<step>.tar
std::string layerSealPath(int step);    ///< layers/<step>.json: sealed LayerReport, renamed into place after the tar
std::string artifactPath(int index);    ///< artifacts/<n>.tar
/// Below a stage's or prepare's directory: what it printed, for people. A step can write it too: hostile.
inline constexpr std::string_view kLogFile = "log";
inline constexpr std::string_view kReportFile = "report.json";  ///< sealed StageReport, the last file a stage writes

// Logs that outlive their pods (docs/adr/0003): an index under one tag of the output's repository, an entry per run.
inline constexpr std::string_view kMediaLogs = "application/vnd.stagewright.logs.v1";          ///< artifactType
inline constexpr std::string_view kMediaLog = "application/vnd.stagewright.log.v1+gzip";       ///< of each layer
inline constexpr std::string_view kLogRunAnnotation = "build.stagewright.dev/run";
inline constexpr std::string_view kLogStageAnnotation = "build.stagewright.dev/stage";         ///< index, or "prepare"
inline constexpr std::string_view kLogNameAnnotation = "build.stagewright.dev/stage-name";
inline constexpr std::string_view kLogAttemptAnnotation = "build.stagewright.dev/attempt";
inline constexpr std::size_t kMaxLogBytes = 4 * 1024 * 1024;                                   ///< of one log, raw
std::string logsTag(std::string_view buildNamespace, std::string_view build);  ///< at most 128 characters

}  // namespace stagewright::plan
