// What policies fill in where a build says nothing.
#pragma once

#include "lib/api/image_build.h"
#include "lib/pods/pods.h"
#include "lib/policy/policy.h"
#include "lib/queue/fair_queue.h"

namespace stagewright::policy {

/// What the operator itself would take.
struct Fallbacks {
  const pods::PodSettings& pods;
  Millis timeout;
};

/// The spec of `build` as it is carried out: what the user set, else what the first policy gives, else nothing.
/// Lists that are maps (registries, nodeSelector, imagePullSecrets) and resources are filled key by
/// key. What the user left open is also kept below the limits. Inputs are never touched: the hash
/// over them is the same before and after.
api::ImageBuildSpec applyDefaults(const api::ImageBuild& build, const Policies& policies,
                                  const Fallbacks& fallbacks);

/// What a namespace with these policies may have running: the smallest of each limit, and who holds
/// it.
queue::NamespaceRules queueRules(const Policies& policies);

}  // namespace stagewright::policy
