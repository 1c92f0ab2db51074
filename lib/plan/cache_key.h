// Keys of cached steps. Internal to lib/plan.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/hash.h"
#include "lib/plan/plan.h"

namespace stagewright::plan {

/// SHA-256 over parts with their lengths in front, so that no two lists of parts give the same
/// bytes (trap 49).
class CacheKey {
 public:
  explicit CacheKey(std::string_view kind) { add(kind); }

  CacheKey& add(std::string_view part);
  CacheKey& add(std::int64_t number) { return add(std::to_string(number)); }
  CacheKey& addList(const std::vector<std::string>& parts);
  std::string hex() { return hash_.hex(); }

 private:
  Sha256 hash_;
};

/// Keys of the stages that a step reads from, by stage.
using StageKeys = std::vector<std::string>;

std::string imageKeyOf(const std::string& pinnedReference);
std::string scratchKeyOf(const oci::Platform& platform);

/// `env` is what counts of the environment: without undeclared proxies (section 7.2).
std::string runKey(const std::string& parent, const RunStep& run,
                   const std::vector<std::string>& env, const BuildPlan& plan,
                   const StageKeys& stageKeys);
std::string copyKey(const std::string& parent, const CopyStep& copy, const BuildPlan& plan,
                    const StageKeys& stageKeys);
std::string workdirKey(const std::string& parent, const WorkdirStep& workdir);

}  // namespace stagewright::plan
