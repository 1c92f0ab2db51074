// BuildPolicy: what a platform team decides for the builds of namespaces. Values and their JSON.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/api/image_build.h"
#include "lib/base/error.h"
#include "lib/base/json.h"
#include "lib/policy/selector.h"

namespace stagewright::policy {

inline constexpr std::string_view kKind = "BuildPolicy";
inline constexpr std::string_view kPlural = "buildpolicies";

/// One entry of allowed.nodeSelector: a label key, and its values; none: any value.
struct AllowedLabel {
  std::string key;
  std::vector<std::string> values;
};

/// One entry of allowed.tolerations. Key `*` is every key; no values or effects: any.
struct AllowedToleration {
  std::string key;
  std::vector<std::string> values;
  std::vector<std::string> effects;
};

/// What builds may ask for. A list that is not there allows everything, except for the last three,
/// which reach beyond the namespace: they need a policy that lists them.
struct Allowed {
  std::optional<std::vector<std::string>> baseImages;
  std::optional<std::vector<std::string>> outputs;
  std::optional<std::vector<api::Isolation>> isolation;
  std::optional<std::vector<std::string>> storageClasses;
  std::optional<std::vector<AllowedLabel>> nodeSelector;
  std::optional<std::vector<AllowedToleration>> tolerations;
  std::optional<std::vector<std::string>> priorityClasses;
  std::optional<std::vector<std::string>> runtimeClasses;
  std::optional<std::vector<std::string>> serviceAccounts;
};

/// 0 and empty: no limit.
struct Limits {
  std::int64_t runningBuilds = 0;              ///< in each namespace
  std::map<std::string, std::int64_t> queues;  ///< in each namespace, by queue
  std::optional<Millis> timeout;
  std::int64_t stages = 0;
  std::int64_t parallelStages = 0;
  std::string workspaceSize;
  std::map<std::string, std::string>
      resources;  ///< of one container: cpu, memory, ephemeral-storage
};

struct BuildPolicy {
  std::string name;
  std::int64_t precedence = 0;
  Selector namespaces;
  bool hold = false;
  std::string admissionMessage;
  api::ImageBuildSpec defaults;  ///< only what parseSpecDefaults reads
  Allowed allowed;
  Limits limits;
  /// It cannot be read, so nobody knows what it forbids: it holds every namespace.
  std::optional<Error> error;
};

/// kInvalid only without a name; everything else that is wrong becomes `error`.
Result<BuildPolicy> parsePolicy(const Json& object);

/// The policies of one namespace, in the order in which they count. Shared by the operator's board
/// and the plans that are being made with them; null: there are none.
using Policies = std::shared_ptr<const std::vector<BuildPolicy>>;

/// Those of `all` that select a namespace with these labels: higher precedence first, then by name.
Policies selectPolicies(const std::vector<BuildPolicy>& all,
                        const std::map<std::string, std::string>& labels);

}  // namespace stagewright::policy
