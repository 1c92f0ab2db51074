// The objects of a build as JSON: the claim, and the prepare, stage and publish pods. Pure: equal
// arguments give equal objects. Every pod passes Pod Security "baseline".
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lib/api/image_build.h"
#include "lib/base/json.h"

namespace stagewright::pods {

inline constexpr std::string_view kRolePrepare = "prepare";
inline constexpr std::string_view kRoleStage = "stage";
inline constexpr std::string_view kRolePublish = "publish";
/// The second container of a stage's pod, if the stage mounts secrets. The first has its role's
/// name.
inline constexpr std::string_view kCarrierName = "secrets";

/// Directories a1..a8 of each stage exist in the workspace; an attempt beyond them cannot be
/// mounted.
inline constexpr int kMaxAttempts = 8;

/// What the cluster's administrator decides; the same for all builds of an operator.
struct PodSettings {
  std::string builderImage;  ///< holds /stagewright-builder and /stagewright-stage
  std::string emptyImage;    ///< FROM scratch runs in it
  std::string pullPolicy = "IfNotPresent";
  api::Resources stageResources;  ///< used where the build sets none
  api::Resources prepareResources;
  api::Resources publishResources;
  std::string workspaceSize = "10Gi";
  std::string storageClassName;  ///< empty: the cluster's default class
  bool kueue = false;            ///< the run's queue is a LocalQueue of Kueue
  /// execution.podMetadata may use names that begin with one of these; none by default, because
  /// labels select network policies and annotations inject containers.
  std::vector<std::string> podMetadataPrefixes;
};

/// What is fixed for all pods of one run. Borrows `build` and `settings`.
struct RunContext {
  const api::ImageBuild& build;  ///< status.run holds id, claim, isolation, builderImage
  const PodSettings& settings;
  bool imageVolumes = false;             ///< the cluster serves volumes of type image
  std::string node;                      ///< required node; empty: any
  std::int64_t remainingSeconds = 3600;  ///< until the build's timeout
};

/// `<build>-<runID>-<part>-<attempt>`: part is prepare, publish or a stage's index. At most 63
/// characters.
std::string podName(std::string_view build, std::string_view runId, std::string_view part,
                    int attempt);
/// `<build>-<runID>`, the run's own claim.
std::string claimName(std::string_view build, std::string_view runId);

Json makeClaim(const RunContext& run);
/// `runKey`: 32 raw bytes. Carries the strictest constraints of all stages, so that its node suits
/// the later pods.
Json makePreparePod(const RunContext& run, int attempt, std::string_view runKey);
/// `stage` is an entry of status.stages with attempt and upstream set.
Json makeStagePod(const RunContext& run, const api::StageStatus& stage, std::string_view runKey);
Json makePublishPod(const RunContext& run, int attempt, std::string_view runKey);

/// Where the image goes. Tags may hold $(source.revision) and $(source.revision.short).
struct OutputTarget {
  std::string repository;         ///< host/path
  std::vector<std::string> tags;  ///< at least one
};
/// kInvalid with the field's path: not a reference, no tag possible, a revision asked for but none
/// known.
Result<OutputTarget> resolveOutput(const api::Output& output, std::string_view revision);

/// The resources of one stage: the build's for that stage (by name or index), merged over those for
/// all, over the operator's. An own limit below an inherited request lowers the request.
api::Resources stageResources(const api::ImageBuildSpec& spec, const PodSettings& settings,
                              std::string_view name, int index);

/// The settings of one stage (by name or index) laid over each other; `stage` is left empty.
api::StageSettings stageSettings(const api::ImageBuildSpec& spec, std::string_view name, int index);

/// The labels of a node that suits all pods at once. kInvalid naming the key if there can be none.
Result<std::map<std::string, std::string>> commonNodeSelector(const api::ImageBuildSpec& spec);

/// kDenied naming the first label or annotation of execution.podMetadata that `settings` do not
/// allow.
Status checkPodMetadata(const api::ImageBuildSpec& spec, const PodSettings& settings);

/// Names in execution.stages that no stage has: an error the user wants to hear.
std::vector<std::string> unknownStages(const api::ImageBuildSpec& spec,
                                       const std::vector<api::StageStatus>& stages);

}  // namespace stagewright::pods
