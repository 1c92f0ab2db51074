// The ImageBuild as users write it: metadata we need, spec, status. Values only; a field is spelled
// as its JSON key. An empty string, list or optional means "not set": defaults are applied where a
// value is used, never stored, so that identity.h can tell what the user set.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/api/status.h"
#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/base/json.h"

namespace stagewright::api {

inline constexpr std::string_view kGroup = "build.stagewright.dev";
inline constexpr std::string_view kVersion = "v1alpha1";
inline constexpr std::string_view kApiVersion = "build.stagewright.dev/v1alpha1";
inline constexpr std::string_view kKind = "ImageBuild";
inline constexpr std::string_view kPlural = "imagebuilds";
inline constexpr std::size_t kMaxNameLength = 40;

// Annotations of an ImageBuild.
inline constexpr std::string_view kRebuildAnnotation = "build.stagewright.dev/rebuild";
inline constexpr std::string_view kRebuildNoCacheAnnotation =
    "build.stagewright.dev/rebuild-no-cache";
inline constexpr std::string_view kCancelAnnotation = "build.stagewright.dev/cancel";

// Labels of pods and claims.
inline constexpr std::string_view kBuildLabel = "build.stagewright.dev/build";
inline constexpr std::string_view kRunLabel = "build.stagewright.dev/run";
inline constexpr std::string_view kStageLabel = "build.stagewright.dev/stage";
inline constexpr std::string_view kAttemptLabel = "build.stagewright.dev/attempt";
inline constexpr std::string_view kRoleLabel = "build.stagewright.dev/role";
/// What a claim named in workspace.claimName must carry: its owner agrees that builds write to it.
inline constexpr std::string_view kWorkspaceLabel = "build.stagewright.dev/workspace";

struct GitRef {
  std::string branch;
  std::string tag;
  std::string commit;
};

struct GitSource {
  std::string url;
  GitRef ref;             ///< nothing set: the remote's HEAD
  std::string secretRef;  ///< name of a kubernetes.io/basic-auth Secret
};

struct ConfigMapItem {
  std::string key;
  std::string path;
};

struct ConfigMapSource {
  std::string name;
  std::vector<ConfigMapItem> items;
};

/// At most one is set; none needs dockerfileInline.
struct Source {
  std::optional<GitSource> git;
  std::optional<ConfigMapSource> configMap;
};

struct NameValue {
  std::string name;
  std::string value;
};

enum class OutputFormat { kOCI, kDocker };
enum class Compression { kGzip, kZstd };
enum class TimestampPolicy { kNow, kSource, kZero, kFixed };

/// What stands for the time of everything that a build makes.
struct Timestamp {
  TimestampPolicy policy = TimestampPolicy::kNow;
  std::optional<TimePoint> time;  ///< kFixed
};

/// Either `image` or `repository` with `tags`.
struct Output {
  std::string image;
  std::string repository;
  std::vector<std::string> tags;
  std::string secretRef;  ///< name of a kubernetes.io/dockerconfigjson Secret
  std::vector<NameValue> labels;
  std::vector<NameValue> annotations;  ///< of the manifest
  std::optional<OutputFormat> format;
  std::optional<Compression> compression;
  std::optional<Timestamp> timestamp;
};

struct ConfigMapKey {
  std::string name;
  std::string key;
};

/// The value of an ARG: `value`, or that of a key.
struct BuildArg {
  std::string name;
  std::string value;
  std::optional<ConfigMapKey> from{};
};

/// A named context: an image under the name by which FROM, COPY --from and mounts ask for it.
struct BuildContext {
  std::string name;
  std::string image;
};

/// A Secret's key under the id by which RUN --mount names it. JSON: {id, secretKeyRef: {name, key}}
struct BuildSecret {
  std::string id;
  std::string name;
  std::string key;
};

enum class Tls { kVerify, kSkipVerify, kPlainHTTP };

struct Registry {
  std::string host;
  std::optional<Tls> tls;
  std::optional<ConfigMapKey> trustedCA;
};

/// How requests leave the cluster. Empty: none, also where a policy has one.
struct Proxy {
  std::string http;     ///< for http:// URLs
  std::string https;    ///< for https:// URLs
  std::string noProxy;  ///< hosts that are asked directly
};

enum class CaInRun { kNone, kEnv };

/// Authorities that all of our requests trust besides the system's.
struct TrustedCA {
  ConfigMapKey configMapKeyRef;
  std::optional<CaInRun> inRun;  ///< whether RUN learns of them
};

enum class CacheMode { kNone, kRegistry };
enum class CachePolicy { kUse, kRefresh };

struct Cache {
  std::optional<CacheMode> mode;
  std::string repository;  ///< kRegistry
  std::optional<CachePolicy> policy;
};

enum class AccessMode { kReadWriteOnce, kReadWriteMany };

struct Workspace {
  std::string storageClassName;
  std::optional<AccessMode> accessMode;
  std::string size;
  std::string claimName;  ///< instead of the three above
};

/// Quantities stay text; keys are cpu, memory, ephemeral-storage.
struct Resources {
  std::map<std::string, std::string> requests;
  std::map<std::string, std::string> limits;
  bool empty() const { return requests.empty() && limits.empty(); }
};

struct Toleration {
  std::string key;
  std::string operator_;  ///< JSON key: operator
  std::string value;
  std::string effect;
  std::optional<std::int64_t> tolerationSeconds;
};

struct StageSettings {
  std::string stage;  ///< name or index in the plan
  Resources resources;
  std::optional<Millis> timeout{};
  std::map<std::string, std::string> nodeSelector{};  ///< over that of all pods
};

struct PodMetadata {
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> annotations;
};

enum class Isolation { kAuto, kUserNamespace, kBaseline };
enum class Start { kAuto, kEager, kWhenReady };
enum class Network { kDefault, kNone };

struct Execution {
  std::optional<Isolation> isolation;
  std::optional<Start> start;
  std::optional<std::int64_t> maxParallelStages;
  std::optional<Network> network;  ///< of RUN
  Resources resources;             ///< of every stage
  Resources prepare;               ///< JSON: prepare.resources
  Resources publish;               ///< JSON: publish.resources
  std::vector<StageSettings> stages;
  PodMetadata podMetadata;
  std::map<std::string, std::string> nodeSelector;
  std::vector<Toleration> tolerations;
  std::string priorityClassName;
  std::string runtimeClassName;
  std::string serviceAccountName;
};

enum class PodRetention { kOnFailure, kAlways, kNever };

struct RetryPolicy {
  std::optional<int> infrastructure;  ///< attempts after the first of a run, those that are charged
};

enum class LogRetention { kRegistry, kNone };

/// What is kept after a run.
struct Retention {
  std::optional<PodRetention> pods;
  std::optional<Millis> podTTL;
  std::optional<Millis> workspace;  ///< zero: Never
  std::optional<LogRetention> logs;
  std::optional<int> history;
  std::optional<Millis> ttlAfterFinished;
};

/// What becomes of a run whose inputs are edited.
enum class OnInputChange { kCancelAndRebuild, kFinishFirst };

struct ImageBuildSpec {
  std::optional<Source> source;
  std::string contextDir;
  std::string dockerfile;
  std::string dockerfileInline;
  std::string target;
  std::vector<BuildArg> buildArgs;
  std::vector<BuildContext> buildContexts;
  std::vector<BuildSecret> secrets;  ///< RUN --mount=type=secret
  std::vector<BuildSecret> ssh;      ///< private keys for RUN --mount=type=ssh
  Output output;
  std::vector<std::string> imagePullSecrets;
  std::vector<Registry> registries;
  std::optional<Proxy> proxy;
  std::optional<TrustedCA> trustedCA;
  Cache cache;
  Workspace workspace;
  Execution execution;
  std::string queue;
  std::optional<std::int64_t> priority;
  std::optional<Millis> timeout;
  std::optional<Millis> queueTimeout;
  RetryPolicy retry;
  bool suspend = false;
  Retention retention;
  std::optional<OnInputChange> onInputChange;
};

struct Metadata {
  std::string name;
  std::string namespace_;  ///< JSON key: namespace
  std::string uid;
  std::string resourceVersion;
  std::int64_t generation = 0;
  std::map<std::string, std::string> annotations;
  std::string gitOpsOwner;  ///< see gitops.h
  std::optional<TimePoint> creationTimestamp;
  std::optional<TimePoint> deletionTimestamp;
};

struct ImageBuild {
  Metadata metadata;
  ImageBuildSpec spec;
  /// The CRD let through what we cannot read (a newer or older CRD): becomes InvalidSpec, with the
  /// path.
  std::optional<Error> specError;
  ImageBuildStatus status;
};

/// One object as the API server sends it. A wrong spec is not an error here but `specError`; wrong
/// metadata is kInvalid.
Result<ImageBuild> parseImageBuild(const Json& object);
/// Unknown fields are refused, with their path.
Result<ImageBuildSpec> parseSpec(const JsonReader& spec);
/// What a BuildPolicy may give defaults for: the same fields under the same names, all of them
/// optional. The caller has refused unknown fields.
Result<ImageBuildSpec> parseSpecDefaults(const JsonReader& defaults);
/// Only what is set. parseSpec(toJson(x)) == x.
Json toJson(const ImageBuildSpec& spec);
Json toJson(const Resources& resources);
Json toJson(const Toleration& toleration);

}  // namespace stagewright::api
