// The operator's part of the plan: one sealed frame of at most 128 KiB in prepare's log.
#pragma once

#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/json.h"
#include "lib/oci/digest.h"
#include "lib/plan/plan.h"

namespace stagewright::plan {

struct StageSummary {
  int index = 0;
  std::string name;
  std::string image;       ///< repository@digest for the pod, empty for scratch
  std::string baseName;    ///< as written
  std::string baseDigest;
  int baseStage = -1;
  std::vector<int> dependsOn;
  int steps = 0;
  int line = 0;
  bool usesContext = false;
  bool usesFetched = false;
  bool usesCaches = false;  ///< RUN --mount=type=cache
  bool implicit = false;
  int cachedSteps = 0;     ///< of `steps`
  bool skipped = false;    ///< gets no pod: a cache has what others need of it
  std::vector<std::string> secrets;  ///< ids of RUN --mount=type=secret, sorted, at most kMaxIds
  std::vector<std::string> ssh;      ///< the same of type=ssh
};

struct PlanSummary {
  oci::Digest planDigest;
  int target = 0;
  std::vector<StageSummary> stages;  ///< at most 64
  std::string sourceRevision;        ///< commit, or empty
  std::vector<Warning> warnings;     ///< at most 32
};

PlanSummary summarize(const BuildPlan& plan, const oci::Digest& planDigest, std::string sourceRevision);
Json toJson(const PlanSummary& summary);
/// Checks every field (dense indexes, dependsOn below the own index, pinned images, caps).
Result<PlanSummary> parsePlanSummary(const JsonReader& reader);

inline constexpr std::size_t kMaxStages = 64;
/// Of secrets (and of ssh keys) in one stage; an id has at most kMaxIdBytes.
inline constexpr std::size_t kMaxIds = 64;
inline constexpr std::size_t kMaxIdBytes = 128;

}  // namespace stagewright::plan
