// From the input of a build to its plan.
#pragma once

#include <map>
#include <memory>
#include <stop_token>
#include <string>

#include "lib/plan/planner.h"
#include "local/build_input.h"
#include "local/contexts.h"
#include "local/image_source.h"
#include "local/options.h"
#include "local/progress.h"

namespace stagewright::local {

/// Sources of images by the host in their references; "" is the source of all other hosts.
using ImageSources = std::map<std::string, std::unique_ptr<ImageSource>>;

/// The source that has an image with this pinned reference.
ImageSource& sourceFor(const ImageSources& sources, const std::string& reference);

struct Planning {
  plan::PlanInput input;
  plan::BuildPlan plan;
};

/// Compiles the Dockerfile. Named contexts become `contexts` or `sources`. Warnings go to `progress`.
/// Errors: kInvalid with place and excerpt; of registries, with the place that names the image.
Result<Planning> makePlan(const BuildOptions& options, const BuildInput& input, Store& store,
                          http::Transport& transport, Contexts& contexts, ImageSources& sources, Progress& progress,
                          std::stop_token stop);

}  // namespace stagewright::local
