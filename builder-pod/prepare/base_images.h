// Finds every base image that a Dockerfile needs, with its config, and pins it to a digest.
#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "builder-pod/prepare/refusal.h"
#include "builder-pod/prepare/registry_access.h"
#include "lib/plan/planner.h"
#include "lib/registry/client.h"

namespace stagewright::prepare {

/// Tells people what is being done, one line at a time.
using Narrator = std::function<void(const std::string&)>;

/// Asks the registries for all needed images at once, and again as long as ONBUILD triggers name
/// further ones. Refuses: DockerfileInvalid (names), BaseImageNotFound, BaseImageUnauthorized,
/// RegistryUnavailable; each with the place in the Dockerfile, the image and the registry.
Outcome<plan::KnownImages> fetchBaseImages(const plan::PlanInput& input, registry::Client& client,
                                           const PullCredentials& credentials, const Narrator& tell,
                                           std::stop_token stop);

}  // namespace stagewright::prepare
