// The build plan: everything a Dockerfile, its arguments and the configs of its base images determine. Every variable is
// expanded, every ONBUILD trigger merged, the image config and history written, before anything runs. The executor and
// the publisher act on it without knowing the Dockerfile language.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/json.h"
#include "lib/oci/image_config.h"
#include "lib/oci/manifest.h"

namespace stagewright::plan {

/// Grows when a reader of the old shape could misread the new one. A reader refuses what it does not know.
inline constexpr int kPlanVersion = 1;

/// RUN --mount. For bind and cache, `from` says where the content comes from.
struct Mount {
  enum class Type { kBind, kCache, kTmpfs, kSecret, kSsh };
  Type type = Type::kBind;
  std::string target;            ///< absolute
  std::string source;            ///< bind, cache: path in `from`, no wildcards; context: relative, clean, `.` is all of
                                 ///< it; stage: absolute, clean
  int fromStage = -1;            ///< -1: the context (bind) or an empty directory (cache)
  int fromExport = -1;           ///< index into the exports of `fromStage`
  std::string id;                ///< cache, secret, ssh
  std::string env;               ///< secret: name of an environment variable instead of, or beside, a file
  bool envOnly = false;          ///< secret with env= and without target=
  std::string sharing = "shared";  ///< cache: shared, private, locked
  bool required = false;
  bool readOnly = false;
  std::optional<std::uint32_t> mode;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::int64_t size = 0;         ///< tmpfs, bytes
  std::string context;           ///< bind, fromStage -1: a named context; empty: the main one
};

/// A here-document that RUN gets as a read-only file /dev/pipes/<name>, mode 0755.
struct PipeFile {
  std::string name;
  std::string content;
};

struct RunStep {
  std::vector<std::string> argv;   ///< complete: the shell in front where the shell form was used
  std::vector<std::string> env;    ///< complete, "K=V", build arguments included; HOME is added by the executor if absent
  std::string workdir;             ///< absolute
  std::string user;                ///< as written and expanded; resolved against the stage's own passwd and group files
  std::vector<Mount> mounts;
  std::vector<PipeFile> pipes;
  bool networkNone = false;
  bool networkHost = false;
  bool insecure = false;           ///< RUN --security=insecure
};

/// One source of a COPY or ADD.
struct CopySource {
  enum class From {
    kContext,  ///< `path` below the context: relative and clean, `.` is all of it; may hold wildcards
    kStage,    ///< export `exportIndex` of stage `stage`; `path` is what the user wrote, absolute
    kInline,   ///< a here-document: `path` is its file name, `content` its bytes
    /// What prepare fetched for ADD: `fetched/<fetchIndex>`, a file, or a directory for git. `path` is the name that a
    /// file gets in a destination that is a directory; empty for git.
    kFetched,
    kNamedContext,  ///< `path` below named context `context`
  };
  From from = From::kContext;
  std::string path;              ///< with --parents it may hold one pivot `/./`
  int stage = -1;
  int exportIndex = -1;
  int fetchIndex = -1;
  std::string context;
  std::string content;
};

/// COPY and ADD. Semantics: reference section 6 of the Dockerfile language.
struct CopyStep {
  bool isAdd = false;              ///< local archives are unpacked unless `unpack` says otherwise
  std::vector<CopySource> sources;
  std::string destination;         ///< absolute; a trailing slash is kept, it means "directory"
  std::string chown;               ///< empty: 0:0 (the source's owner is never kept)
  std::string chmod;               ///< octal or symbolic; empty: the source's mode
  bool link = false;
  bool parents = false;
  std::vector<std::string> excludes;
  std::optional<bool> unpack;
};

/// WORKDIR: the directory is made with the step's user as owner of what is created; a layer of its own.
struct WorkdirStep {
  std::string path;                ///< absolute, cleaned
  std::string user;
};

/// A step that need not run: a cache has its layer. Only at the beginning of a stage.
struct LayerStep {
  oci::Descriptor blob;            ///< in the cache's repository; prepare puts it to fetched/<digest's hex> where a pod needs it
  oci::Digest diffId;
};

struct Step {
  std::string text;                ///< for people: `RUN go build ./...`, at most 200 bytes
  int line = 0;                    ///< of the Dockerfile; 0 for a trigger of a base image
  std::string cacheKey;            ///< hexadecimal SHA-256 over everything the step depends on except file contents
  std::variant<RunStep, CopyStep, WorkdirStep, LayerStep> action;
  std::string contentKey{};        ///< as cacheKey, with file contents, of a build with a cache; else empty
  /// cacheKey of the step alone: without what came before it and without the stages it reads from. Not in plan.json: for
  /// who plans and executes in one process and knows the contents.
  std::string ownKey{};
};

/// What later stages copy from this one: `path` (may hold wildcards) is packed into artifacts/<index>.tar at its end.
struct Export {
  std::string path;
  bool operator==(const Export&) const = default;
};

struct Base {
  enum class Kind { kScratch, kImage, kStage };
  Kind kind = Kind::kScratch;
  std::string name;                ///< kImage: as written, expanded: golang:1.22
  std::string reference;           ///< kImage: repository@digest of the platform's manifest
  int stage = -1;                  ///< kStage
  std::vector<oci::Descriptor> layers;  ///< kImage: the manifest's layers, for mounting into the output repository
  std::vector<oci::Digest> diffIds;     ///< kImage: of the config, same order
};

/// One stage that is built. `index` is its position in BuildPlan::stages, in directory names and in pod names: dense,
/// topologically ordered, only stages the target needs. An image named in COPY --from or RUN --mount=from is an
/// implicit stage without steps.
struct Stage {
  int index = 0;
  std::string name;                ///< AS name; else the number in the file as text; an implicit stage has the image name
  int line = 0;                    ///< of FROM
  bool implicit = false;
  Base base;
  std::vector<int> dependsOn;      ///< base stage and stages copied from; ascending, unique
  std::vector<Step> steps;         ///< only those that change files; configuration is compiled away
  std::vector<Export> exports;
  bool usesContext = false;
  bool skipped = false;            ///< nobody has to run it: no pod, no report; its steps are LayerSteps, or nobody reads it
  int cachedSteps = 0;             ///< how many steps a cache made unnecessary, also where they are not listed any more
  /// Config of the image this stage would be, without diffIds of its own steps. Its history holds the base's entries and
  /// this stage's; an entry with emptyLayer == false, in order, belongs to one layer: base layers first, then steps.
  oci::ImageConfig config;
};

/// Something ADD names that prepare fetches: a URL or a git reference.
struct Fetch {
  std::string url;
  std::string checksum;            ///< URL: sha256:…; git: a commit or a prefix of it; or empty
  bool git = false;
  bool keepGitDir = false;
  int line = 0;
  // git: `url` taken apart (its query and fragment merged with the flags).
  std::string remote;              ///< what `git clone` takes
  std::string ref;                 ///< branch, tag, refs/…, commit; empty: the remote's HEAD
  std::string subdir;
  bool submodules = true;
  bool commitTime = false;         ///< files get the commit's time, not that of the checkout
};

struct Warning {
  std::string rule;
  int line = 0;
  std::string message;
  std::string url;
};

struct BuildPlan {
  int version = kPlanVersion;
  oci::Platform platform;
  int target = 0;                  ///< index of the stage that becomes the image
  std::vector<Stage> stages;
  std::vector<Fetch> fetches;
  std::vector<Warning> warnings;
  bool authorities = false;        ///< RUN is told of kAuthoritiesName below fetched/
  /// Seconds since 1970 that stand for every `created`, from the build argument SOURCE_DATE_EPOCH.
  std::optional<std::int64_t> sourceDateEpoch;
};

/// The image a stage's pod runs: that of its root base. Empty for scratch.
std::string rootImage(const BuildPlan& plan, int stage);
/// The chain of stages whose layers make up `stage`: root first, `stage` last (FROM edges only).
std::vector<int> baseChain(const BuildPlan& plan, int stage);

/// Every field is checked on reading (indexes in range, no cycles, paths absolute and clean): a plan file is input.
Result<BuildPlan> parsePlan(std::string_view text);
/// Deterministic: equal plans give equal bytes.
std::string serializePlan(const BuildPlan& plan);

}  // namespace stagewright::plan
