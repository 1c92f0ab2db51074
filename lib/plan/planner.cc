#include "lib/plan/planner.h"

#include <algorithm>

#include "lib/dockerfile/checks.h"
#include "lib/dockerfile/diagnostic.h"
#include "lib/plan/arguments.h"
#include "lib/plan/stage_compiler.h"
#include "lib/plan/stage_graph.h"
#include "lib/plan/summary.h"

namespace stagewright::plan {

namespace {

constexpr std::size_t kMaxExportsOfStage = 1000;
constexpr std::size_t kMaxFetchesOfPlan = 1000;
constexpr std::size_t kMaxWarningsOfPlan = 1000;

/// What a stage on `name` begins with, as far as the checks want to know.
std::optional<dockerfile::BaseImageFacts> factsOf(const PlanInput& input, const KnownImages& known,
                                                  std::string_view name,
                                                  std::string_view platform) {
  const auto wanted = oci::parsePlatform(platform);
  const oci::Platform& of = wanted ? *wanted : input.platform;
  const NamedContext* context = findContext(input, std::string(name), of);
  if (context != nullptr && context->kind != NamedContext::Kind::kImage) {
    return dockerfile::BaseImageFacts{};  // scratch, or files on it
  }
  const auto found = known.find((context != nullptr ? context->image : std::string(name)) + " " + of.str());
  if (found == known.end()) {
    return std::nullopt;
  }
  const oci::ImageConfig& config = found->second.config;
  const bool platformKnown = !config.platform.os.empty() && !config.platform.architecture.empty();
  return dockerfile::BaseImageFacts{config.env, config.workingDir,
                                    platformKnown ? config.platform.str() : "", config.shell,
                                    config.onBuild};
}

Result<std::vector<Warning>> findWarnings(const PlanInput& input, const KnownImages& known) {
  dockerfile::CheckInputs inputs;
  for (const auto& [name, value] : input.buildArgs) {
    inputs.buildArgs[name] = value;
  }
  inputs.target = input.target;
  inputs.allStages = false;
  inputs.targetPlatform = input.platform.str();
  inputs.buildPlatform = input.buildPlatform.str();
  for (const NamedContext& context : input.contexts) {
    inputs.namedContexts.push_back(context.name.substr(0, context.name.find("::")));
  }
  inputs.baseImage = [&](std::string_view name, std::string_view platform) {
    return factsOf(input, known, name, platform);
  };
  inputs.ignore = input.ignore;
  TRY(const dockerfile::CheckReport report,
      dockerfile::checkFile(input.source, input.file, inputs));
  std::vector<Warning> out;
  for (const dockerfile::Finding& finding : report.findings) {
    if (out.size() < kMaxWarningsOfPlan) {
      out.push_back({finding.rule, finding.range.line, finding.message, finding.url});
    }
  }
  if (report.error) {
    std::string text = report.violation();
    for (const dockerfile::Finding& finding : report.findings) {
      text += "\n" + dockerfile::formatFinding(input.source, finding);
    }
    return invalid(text);
  }
  return out;
}

/// What the target needs in the end: an edge of the graph may come from a mount that reads nothing
/// of it.
std::vector<bool> neededStages(const BuildPlan& draft, int target) {
  std::vector<bool> needed(draft.stages.size(), false);
  std::vector<int> pending = {target};
  while (!pending.empty()) {
    const auto stage = static_cast<std::size_t>(pending.back());
    pending.pop_back();
    if (!needed[stage]) {
      needed[stage] = true;
      const std::vector<int>& more = draft.stages[stage].dependsOn;
      pending.insert(pending.end(), more.begin(), more.end());
    }
  }
  return needed;
}

/// Stages in the order of the plan: each after all it depends on, so the target is last. Stages of
/// the file keep their order; an image that is only copied from comes just before its first use.
std::vector<int> planOrder(const StageGraph& graph, const BuildPlan& draft) {
  const std::vector<bool> needed = neededStages(draft, graph.target);
  std::vector<bool> taken(graph.stages.size(), false);
  std::vector<int> order;
  const auto take = [&](int stage) {
    if (!taken[static_cast<std::size_t>(stage)]) {
      taken[static_cast<std::size_t>(stage)] = true;
      order.push_back(stage);
    }
  };
  for (int i = 0; i < graph.fileStages; ++i) {
    if (needed[static_cast<std::size_t>(i)]) {
      for (const int dependency : draft.stages[static_cast<std::size_t>(i)].dependsOn) {
        take(dependency);
      }
      take(i);
    }
  }
  return order;
}

/// Puts the stages into `order` and rewrites every index.
class Renumbering {
 public:
  Renumbering(const std::vector<int>& order, std::size_t stages)
      : order_(order), place_(stages, -1) {
    for (std::size_t i = 0; i < order.size(); ++i) {
      place_[static_cast<std::size_t>(order[i])] = static_cast<int>(i);
    }
  }

  void apply(BuildPlan& plan, int target) const {
    std::vector<Stage> stages;
    for (const int old : order_) {
      Stage& stage = stages.emplace_back(std::move(plan.stages[static_cast<std::size_t>(old)]));
      stage.index = place(old);
      renumber(stage.base.stage);
      for (int& dependency : stage.dependsOn) {
        renumber(dependency);
      }
      std::sort(stage.dependsOn.begin(), stage.dependsOn.end());
      for (Step& step : stage.steps) {
        renumberStep(step);
      }
    }
    plan.stages = std::move(stages);
    plan.target = place(target);
  }

 private:
  int place(int old) const { return place_[static_cast<std::size_t>(old)]; }
  void renumber(int& index) const { index = index < 0 ? index : place(index); }

  void renumberStep(Step& step) const {
    if (auto* copy = std::get_if<CopyStep>(&step.action)) {
      for (CopySource& source : copy->sources) {
        renumber(source.stage);
      }
    } else if (auto* run = std::get_if<RunStep>(&step.action)) {
      for (Mount& mount : run->mounts) {
        renumber(mount.fromStage);
      }
    }
  }

  const std::vector<int>& order_;
  std::vector<int> place_;
};

Status compileStages(const PlanInput& input, const Arguments& arguments, const StageGraph& graph,
                     const KnownImages& known, PlanDraft& draft) {
  // Images first: they depend on nothing, and every stage may name them.
  for (int pass = 0; pass < 2; ++pass) {
    const int begin = pass == 0 ? graph.fileStages : 0;
    const int end = pass == 0 ? static_cast<int>(graph.stages.size()) : graph.fileStages;
    for (int i = begin; i < end; ++i) {
      if (graph.stages[static_cast<std::size_t>(i)].reachable) {
        CHECK_OK(compileStage(input, arguments, graph, known, i, draft));
      }
    }
  }
  return ok();
}

/// The labels of the request override, without a history entry (section 5.4); the platform is the
/// target's (9.3).
void finishTarget(const PlanInput& input, oci::ImageConfig& config) {
  for (const auto& [name, value] : input.labels) {
    config.labels[name] = value;
  }
  config.platform = input.platform;
}

Status checkSize(const BuildPlan& plan) {
  if (plan.stages.size() > kMaxStages) {
    return invalid("the target needs " + std::to_string(plan.stages.size()) +
                   " stages, images that are copied from included: at most 64 are possible");
  }
  if (plan.fetches.size() > kMaxFetchesOfPlan) {
    return invalid("the target adds more than 1000 URLs and git repositories");
  }
  for (const Stage& stage : plan.stages) {
    if (stage.exports.size() > kMaxExportsOfStage) {
      return invalid("more than 1000 different paths are copied from stage " +
                     quoted(stage.name, 128));
    }
  }
  return ok();
}

}  // namespace

Result<std::vector<NeededImage>> neededImages(const PlanInput& input, const KnownImages& known) {
  TRY(const Arguments arguments, evaluateArguments(input));
  TRY(StageGraph graph, makeStageGraph(input, arguments, known));
  return std::move(graph.missing);
}

Error imageError(const PlanInput& input, const NeededImage& image, Error cause) {
  const std::string hint =
      image.suggestion.empty() ? "" : "did you mean stage `" + image.suggestion + "`?";
  cause.message = dockerfile::formatDiagnostic(input.source, image.where,
                                               image.name + ": " + cause.message, hint);
  cause.where = image.where;
  return cause;
}

Result<BuildPlan> planBuild(const PlanInput& input, const KnownImages& known) {
  TRY(const Arguments arguments, evaluateArguments(input));
  TRY(const StageGraph graph, makeStageGraph(input, arguments, known));
  if (!graph.missing.empty()) {
    return internal("plan: image " + quoted(graph.missing.front().name, 256) + " is not resolved");
  }
  PlanDraft draft(graph.stages.size());
  CHECK_OK(compileStages(input, arguments, graph, known, draft));
  BuildPlan plan = std::move(draft.plan);
  plan.platform = input.platform;
  plan.authorities = !input.authorities.empty();
  plan.sourceDateEpoch = arguments.epoch;
  finishTarget(input, plan.stages[static_cast<std::size_t>(graph.target)].config);
  const std::vector<int> order = planOrder(graph, plan);
  Renumbering(order, graph.stages.size()).apply(plan, graph.target);
  CHECK_OK(checkSize(plan));
  TRY(plan.warnings, findWarnings(input, known));
  return plan;
}

}  // namespace stagewright::plan
