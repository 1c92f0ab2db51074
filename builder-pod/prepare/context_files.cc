#include "builder-pod/prepare/context_files.h"

#include <variant>
#include <vector>

#include "builder-pod/prepare/context_selection.h"
#include "lib/dockerfile/diagnostic.h"
#include "lib/plan/context_use.h"

namespace stagewright::prepare {

namespace {

/// The first step that names `path`, for a place in the Dockerfile.
const plan::Step* stepThatUses(const plan::BuildPlan& plan, const std::string& path) {
  for (const plan::Stage& stage : plan.stages) {
    for (const plan::Step& step : stage.steps) {
      if (const auto* copy = std::get_if<plan::CopyStep>(&step.action)) {
        for (const plan::CopySource& source : copy->sources) {
          if (source.from == plan::CopySource::From::kContext && source.path == path) {
            return &step;
          }
        }
      }
    }
  }
  return nullptr;
}

bool isThere(int root, const plan::ContextUse& use) { return ContextSelection().add(root, use); }

Refusal sourceMissing(const plan::ContextUse& use, const dockerfile::Source& dockerfile,
                      const plan::BuildPlan& plan, std::string_view hint) {
  const std::string message = quoted(use.path) + " is not in the context";
  const plan::Step* step = stepThatUses(plan, use.path);
  if (step == nullptr || step->line == 0) {  // a mount, or a trigger of a base image
    const std::string text = step == nullptr ? "RUN --mount" : "ONBUILD " + step->text;
    return refuseInput("DockerfileInvalid", dockerfile.name + ": " + text + ": " + message + " (" +
                                                std::string(hint) + ")");
  }
  const SourceRange line{dockerfile.name, step->line, 1, step->line};
  return refuseDockerfile(dockerfile::errorAt(
      dockerfile, dockerfile::locateToken(dockerfile, line, use.path), message, hint));
}

}  // namespace

Outcome<TransferCount> takeContextFiles(const ContextPlaces& places,
                                        const dockerfile::Source& dockerfile,
                                        const dockerfile::IgnoreMatcher& ignore,
                                        const plan::BuildPlan& plan,
                                        const TransferOptions& options) {
  const std::vector<plan::ContextUse> uses = plan::contextUses(plan);
  ContextSelection selection;
  for (const plan::ContextUse& use : uses) {
    if (!selection.add(places.from, use) && !use.wildcards) {
      return sourceMissing(use, dockerfile, plan,
                           "paths are relative to the context, spec.contextDir of the source");
    }
  }
  TRY_OR(const TransferCount count,
         transferContext(places.from, places.to, selection, ignore, options), error,
         refuseVolume(places.volume, error));
  for (const plan::ContextUse& use : uses) {
    if (!use.wildcards && !isThere(places.to, use)) {
      return sourceMissing(use, dockerfile, plan,
                           "it is in the source, but .dockerignore excludes it");
    }
  }
  return count;
}

}  // namespace stagewright::prepare
