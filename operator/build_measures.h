// What one change of a build's status says for the metrics: what ended, how long it took, what went
// wrong with which registry.
#pragma once

#include <string>

#include "lib/api/image_build.h"
#include "operator/metrics.h"

namespace stagewright::op {

/// Each end is measured once, by the change that brings it.
void measureChange(const api::ImageBuildStatus& before, const api::ImageBuildStatus& after,
                   Metrics& metrics);

/// The registry that a message is about: of the URL or image it names. `fallback` if it names none.
std::string registryIn(const std::string& message, const std::string& fallback);

}  // namespace stagewright::op
