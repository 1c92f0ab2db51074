// What policies refuse.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/api/image_build.h"
#include "lib/policy/defaults.h"
#include "lib/policy/policy.h"

namespace stagewright::policy {

struct Violation {
  std::string policy;   ///< empty: no policy allows what needs one
  std::string rule;     ///< a field of spec: allowed.outputs
  std::string message;  ///< policy, rule, the value, what is allowed
};

/// What is known before anything runs.
struct Wanted {
  const api::ImageBuildSpec& asked;      ///< by the user
  const api::ImageBuildSpec& effective;  ///< after applyDefaults
  std::string ns;
  std::string repository;  ///< of the output; empty: not known
};

/// The image of one stage, as its pod will run it.
struct Base {
  std::string stage;
  std::string name;   ///< as written in the Dockerfile
  std::string image;  ///< repository@digest
};

/// The first rule of the first policy that is broken. A build must satisfy every policy that
/// selects its namespace.
std::optional<Violation> checkSpec(const Wanted& wanted, const Policies& policies,
                                   const Fallbacks& fallbacks);

/// The same for what only the plan tells.
std::optional<Violation> checkPlan(const std::vector<Base>& bases, std::size_t stages,
                                   const std::string& ns, const Policies& policies);

}  // namespace stagewright::policy
