// Checks that need the environment of a stage, evaluated along the chain of stages (§10).
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "lib/dockerfile/check_sink.h"
#include "lib/dockerfile/checks.h"
#include "lib/dockerfile/environment.h"
#include "lib/dockerfile/expand.h"
#include "lib/dockerfile/names.h"

namespace stagewright::dockerfile {

/// What a stage looks like after its instructions, as far as checks need it.
struct StageFacts {
  EnvironmentList environment;
  bool environmentKnown = false;    ///< false: no variable counts as undefined
  std::set<std::string> arguments;  ///< declared, with a value or not
  bool workdirSet = false;          ///< by an instruction of this file
  bool shellSet = false;
  std::string platform;
};

/// ` (did you mean X?)` if a name of `environment` is near, with `before` in front of it.
std::string didYouMean(const std::string& name, const Environment& environment,
                       std::string_view before);

/// The arguments before the first FROM, with the predefined ones (§7.1). `useBuildArgs` false:
/// defaults alone.
EnvironmentList makeGlobalArguments(const ParsedFile& file, const CheckInputs& inputs,
                                    bool useBuildArgs);

class StageChecker {
 public:
  StageChecker(const ParsedFile& file, const CheckInputs& inputs, const EnvironmentList& globals,
               CheckSink& sink);

  /// Checks all stages that count, in the order of the file.
  void run();

 private:
  /// The last of each kind in the stage.
  struct Trackers {
    std::optional<Instruction> cmd;
    std::optional<Instruction> entrypoint;
    std::optional<Instruction> healthcheck;
  };
  /// One instruction at its place: triggers are reported at the FROM that fires them.
  struct Site {
    const Instruction& instruction;
    SourceRange range;
  };

  std::set<int> countedStages() const;
  void addNeeded(int index, std::set<int>& counted) const;
  std::string expandedBase(const Stage& stage) const;
  /// findBaseStage() without a scan of all stages.
  std::optional<int> stageBefore(const std::string& name, int before) const;
  bool isNamedContext(const std::string& name) const;
  void checkFrom(const Stage& stage);
  void checkFromWord(const Stage& stage, const std::string& word);
  void checkPlatformFlag(const Stage& stage);
  std::string platformOf(const Stage& stage) const;
  StageFacts startOf(const Stage& stage, std::vector<std::string>& triggers);
  void useImage(const Stage& stage, const std::string& base, StageFacts& facts,
                std::vector<std::string>& triggers);
  void runStage(const Stage& stage);
  void check(const Site& site, StageFacts& facts, Trackers& trackers);
  void checkArg(const Site& site, const Arg& arg, StageFacts& facts);
  void checkEnv(const Site& site, const Env& env, StageFacts& facts);
  void checkLegacyForm(const Site& site, const std::vector<KeyValue>& pairs);
  void checkRun(const Site& site, const Run& run, const StageFacts& facts);
  void checkWorkdir(const Site& site, const Workdir& workdir, StageFacts& facts);
  void checkExpose(const Site& site, const Expose& expose);
  void checkSources(const Site& site, const Transfer& transfer, std::string_view verb);
  void checkShellForm(const Site& site, const CommandLine& command, const StageFacts& facts);
  void checkOnce(const Site& site, std::optional<Instruction>& last);
  void reportUnset(const Site& site, const VariableUse& variables, const StageFacts& facts);
  void add(const Site& site, std::string_view rule, std::string message);

  const ParsedFile& file_;
  const CheckInputs& inputs_;
  const EnvironmentList& globals_;
  CheckSink& sink_;
  std::map<std::string, std::vector<int>> stagesByName_;
  std::map<int, StageFacts> done_;
};

}  // namespace stagewright::dockerfile
