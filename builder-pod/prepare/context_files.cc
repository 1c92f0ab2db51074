#include "builder-pod/prepare/context_files.h"

#include <variant>
#include <vector>

#include "builder-pod/prepare/context_selection.h"
#include "lib/dockerfile/diagnostic.h"

namespace stagewright::prepare {

namespace {

struct Use {
  std::string path;
  const plan::Step* step = nullptr;
};

void addUses(const plan::Step& step, std::vector<Use>& uses) {
  if (const auto* copy = std::get_if<plan::CopyStep>(&step.action)) {
    for (const plan::CopySource& source : copy->sources) {
      if (source.from == plan::CopySource::From::kContext) {
        // With --parents the part in front of the pivot `/./` is an ordinary path.
        uses.push_back({source.path, &step});
      }
    }
  } else if (const auto* run = std::get_if<plan::RunStep>(&step.action)) {
    for (const plan::Mount& mount : run->mounts) {
      if (mount.type == plan::Mount::Type::kBind && mount.fromStage < 0) {
        uses.push_back({mount.source, &step});
      }
    }
  }
}

std::vector<Use> usesOf(const plan::BuildPlan& plan) {
  std::vector<Use> uses;
  for (const plan::Stage& stage : plan.stages) {
    for (const plan::Step& step : stage.steps) {
      addUses(step, uses);
    }
  }
  return uses;
}

bool isThere(int root, const std::string& path) { return ContextSelection().add(root, path); }

Refusal sourceMissing(const Use& use, const dockerfile::Source& dockerfile, std::string_view hint) {
  const std::string message = quoted(use.path) + " is not in the context";
  const int line = use.step->line;
  if (line == 0) {  // a trigger of a base image
    return refuseInput("DockerfileInvalid",
                       dockerfile.name + ": ONBUILD " + use.step->text + ": " + message);
  }
  // As the user wrote it: planned paths have no leading slash.
  const SourceRange place =
      dockerfile::locateToken(dockerfile, {dockerfile.name, line, 1, line}, use.path);
  return refuseDockerfile(dockerfile::errorAt(dockerfile, place, message, hint));
}

bool hasWildcard(const std::string& path) { return path.find_first_of("*?[") != std::string::npos; }

}  // namespace

Outcome<TransferCount> takeContextFiles(const ContextPlaces& places,
                                        const dockerfile::Source& dockerfile,
                                        const dockerfile::IgnoreMatcher& ignore,
                                        const plan::BuildPlan& plan,
                                        const TransferOptions& options) {
  const std::vector<Use> uses = usesOf(plan);
  ContextSelection selection;
  for (const Use& use : uses) {
    if (!selection.add(places.from, use.path) && !hasWildcard(use.path)) {
      return sourceMissing(use, dockerfile,
                           "paths are relative to the context, spec.contextDir of the source");
    }
  }
  TRY_OR(const TransferCount count,
         transferContext(places.from, places.to, selection, ignore, options), error,
         refuseVolume(places.volume, error));
  for (const Use& use : uses) {
    if (!hasWildcard(use.path) && !isThere(places.to, use.path)) {
      return sourceMissing(use, dockerfile, "it is in the source, but .dockerignore excludes it");
    }
  }
  return count;
}

}  // namespace stagewright::prepare
