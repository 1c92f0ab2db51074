// One stage after the other from instructions to steps, config and history. Internal to lib/plan.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/dockerfile/environment.h"
#include "lib/plan/history_text.h"
#include "lib/plan/plan.h"
#include "lib/plan/stage_graph.h"

namespace stagewright::plan {

/// What an instruction sees and a child stage inherits (section 5.1).
struct StageState {
  oci::ImageConfig config;
  dockerfile::EnvironmentList variables;  ///< of the image and of ARG: one ordered set, the last writer wins (4.4)
  std::vector<DeclaredArg> args;          ///< in scope, in order of declaration, each name once
  std::string cacheKey;                   ///< of what was done so far
  int unnamedLayers = 0;                  ///< that no instruction made; their history entries come last

  /// Working directory of the next instruction: absolute and clean.
  std::string workdir() const;
  void declare(const DeclaredArg& arg);
};

/// The plan while it grows. Stages stand at their place in the graph, not yet in the order of the plan.
class PlanDraft {
 public:
  explicit PlanDraft(std::size_t stages);

  BuildPlan plan;                      ///< of stages and fetches only
  std::vector<StageState> states;      ///< at the end of each stage
  std::vector<std::string> stageKeys;  ///< cacheKey of each finished stage
  std::vector<bool> done;

  /// The index of `path` among the exports of `stage`, added if it is new.
  int exportOf(int stage, const std::string& path);
  /// kInvalid once the texts of the plan exceed what a plan may hold: variables that double in every line reach that
  /// long before memory ends.
  Status charge(std::size_t bytes);

 private:
  std::vector<std::map<std::string, int>> exportIndex_;
  std::size_t charged_ = 0;
};

/// What the compilers of single instructions share about the stage they are in.
struct StageScope {
  const PlanInput& input;
  const Arguments& arguments;
  const StageGraph& graph;
  int stage;  ///< in the graph
  StageState& state;
  PlanDraft& draft;

  const GraphStage& node() const { return graph.stages[static_cast<std::size_t>(stage)]; }
  Stage& planned() { return draft.plan.stages[static_cast<std::size_t>(stage)]; }
  /// Notes that this stage reads from `other`.
  void dependOn(int other);
};

/// One instruction at its place.
struct Site {
  const StageScope& scope;
  const dockerfile::Instruction& instruction;
  bool isTrigger = false;

  Error error(std::string_view message, std::string_view token = {}, std::string_view hint = {}) const {
    return instructionError(scope.input, scope.node(), instruction, isTrigger, message, token, hint);
  }
};

/// Compiles stage `stage` of the graph. REQUIRES: its base stage is done; known holds its image.
Status compileStage(const PlanInput& input, const Arguments& arguments, const StageGraph& graph,
                    const KnownImages& known, int stage, PlanDraft& draft);

/// RUN: the step, and its history text.
struct CompiledStep {
  Step step;
  std::string history;
};
Result<CompiledStep> compileRun(StageScope& scope, const Site& site, const dockerfile::Run& run);
/// COPY and ADD. Their values are expanded.
Result<CompiledStep> compileCopy(StageScope& scope, const Site& site, const dockerfile::Copy& copy);
Result<CompiledStep> compileAdd(StageScope& scope, const Site& site, const dockerfile::Add& add);

/// Below the root, clean, relative; `.` is the root itself (section 6.1).
std::string belowRoot(std::string_view path);
/// `path` joined to `directory` unless it is absolute; clean.
std::string joinPath(std::string_view directory, std::string_view path);

}  // namespace stagewright::plan
