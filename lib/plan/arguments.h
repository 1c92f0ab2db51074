// Build arguments and the global scope (reference section 7.1 to 7.3). Internal to lib/plan.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/dockerfile/environment.h"
#include "lib/plan/planner.h"

namespace stagewright::plan {

struct Arguments {
  std::map<std::string, std::string> given;  ///< by the caller
  dockerfile::EnvironmentList globals;  ///< platform arguments, then the ARGs before the first FROM
  /// What every RUN sees, declared or not, without a trace in keys and history.
  std::vector<std::pair<std::string, std::string>> unkeyed;
  std::optional<std::int64_t> epoch;
  std::string cacheNamespace;  ///< BUILDKIT_CACHE_MOUNT_NS
};

/// The most bytes that one variable may hold, and that the variables of one instruction may add up to: far more than a
/// kernel accepts in an environment, and few enough that variables which double in every line end in an error.
inline constexpr std::size_t kMaxValueBytes = 1024 * 1024;
inline constexpr std::size_t kMaxServedBytes = 64 * 1024 * 1024;

/// Variables for one expansion, within that bound. Borrows.
class BoundedEnvironment final : public dockerfile::Environment {
 public:
  explicit BoundedEnvironment(const dockerfile::Environment& inner) : inner_(inner) {}
  std::optional<std::string_view> find(std::string_view name) const override;
  std::vector<std::string> names() const override { return inner_.names(); }
  /// kInvalid if the variables were cut off.
  Status check() const;

 private:
  const dockerfile::Environment& inner_;
  mutable std::size_t served_ = 0;
};

Result<Arguments> evaluateArguments(const PlanInput& input);

/// kInvalid if `value` is longer than a variable may be.
Status checkValue(const std::string& name, const std::string& value);

/// Expands like dockerfile::expandWord, within bounds, with an error that has a place.
Result<std::string> expandAt(const PlanInput& input, const SourceRange& where,
                             std::string_view word, const dockerfile::Environment& environment);

}  // namespace stagewright::plan
