// What prepare and publish are asked to do, made from spec.
#pragma once

#include "lib/api/image_build.h"
#include "lib/plan/request.h"
#include "lib/pods/pods.h"

namespace stagewright::pods {

/// A request travels in one environment variable; Linux limits one to 128 KiB.
inline constexpr std::size_t kMaxRequestBytes = 120 * 1024;

/// The variables by which programs learn of spec.proxy, in both spellings.
std::vector<std::pair<std::string, std::string>> proxyVariables(const api::ImageBuildSpec& spec);

/// Without a cache.
plan::BuildRequest makeBuildRequest(const api::ImageBuildSpec& spec);
/// `read`: whether layers may be taken from it. Nothing if spec has no cache.
std::optional<plan::CacheSource> makeCacheSource(const api::ImageBuild& build, bool read);
plan::PublishRequest makePublishRequest(const api::ImageBuildSpec& spec, OutputTarget target);

/// kInvalid if the request of prepare does not fit into its environment.
Status checkRequestSize(const api::ImageBuildSpec& spec);

}  // namespace stagewright::pods
