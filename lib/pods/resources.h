// Which requests and limits each pod gets.
#pragma once

#include "lib/api/image_build.h"
#include "lib/pods/pods.h"

namespace stagewright::pods {

/// `over` wins key by key; a request that exceeds a limit set by `over` is lowered to it.
api::Resources mergeResources(const api::Resources& under, const api::Resources& over);

/// Own requests, but at least the largest of any stage, so that the node that fits prepare fits
/// them too.
api::Resources prepareResources(const api::ImageBuildSpec& spec, const PodSettings& settings);

api::Resources publishResources(const api::ImageBuildSpec& spec, const PodSettings& settings);

}  // namespace stagewright::pods
