#include "lib/dockerfile/check_stage.h"

#include <algorithm>

#include "lib/dockerfile/diagnostic.h"
#include "lib/dockerfile/parser.h"
#include "lib/dockerfile/text.h"
#include "lib/dockerfile/values.h"

namespace stagewright::dockerfile {
namespace {

constexpr std::string_view kDefaultPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

PlatformName platformFrom(std::string_view text) {
  return parsePlatformName(text, {"linux", "amd64", ""})
      .value_or(PlatformName{"linux", "amd64", ""});
}

void setPlatformArguments(std::string_view prefix, std::string_view text, EnvironmentList& out) {
  const PlatformName platform = platformFrom(text);
  const auto set = [&](std::string_view name, std::string_view value) {
    out.set(std::string(prefix) + std::string(name), value);
  };
  set("PLATFORM", platform.text());
  set("OS", platform.os);
  set("OSVERSION", "");
  set("ARCH", platform.architecture);
  set("VARIANT", platform.variant);
}

std::string targetName(const ParsedFile& file, const CheckInputs& inputs) {
  const std::string name = inputs.target.empty() ? file.stages.back().name : inputs.target;
  return name.empty() ? "default" : name;
}

}  // namespace

std::string didYouMean(const std::string& name, const Environment& environment,
                       std::string_view before) {
  const std::string nearest = nearestOption(name, environment.names(), false);
  return nearest.empty() ? "" : " (did you mean " + std::string(before) + nearest + "?)";
}

EnvironmentList makeGlobalArguments(const ParsedFile& file, const CheckInputs& inputs,
                                    bool useBuildArgs) {
  EnvironmentList out;
  setPlatformArguments("BUILD", inputs.buildPlatform, out);
  setPlatformArguments("TARGET", inputs.targetPlatform, out);
  out.set("TARGETSTAGE", targetName(file, inputs));
  for (const std::string& name : out.names()) {
    if (const auto given = inputs.buildArgs.find(name); given != inputs.buildArgs.end()) {
      out.set(name, given->second);
    }
  }
  for (const Instruction& instruction : file.globalArgs) {
    for (const Arg::Entry& entry : instruction.as<Arg>()->entries) {
      const auto given = inputs.buildArgs.find(entry.name);
      if (useBuildArgs && given != inputs.buildArgs.end()) {
        out.set(entry.name, given->second);
      } else if (entry.value) {
        const Result<Expansion> value = expandWord(*entry.value, out, file.directives.escape);
        out.set(entry.name, value ? value->text : std::string());
      }
    }
  }
  return out;
}

StageChecker::StageChecker(const ParsedFile& file, const CheckInputs& inputs,
                           const EnvironmentList& globals, CheckSink& sink)
    : file_(file), inputs_(inputs), globals_(globals), sink_(sink) {
  for (const Stage& stage : file_.stages) {
    if (!stage.name.empty()) {
      stagesByName_[stage.name].push_back(stage.index);
    }
  }
}

std::optional<int> StageChecker::stageBefore(const std::string& name, int before) const {
  const auto found = stagesByName_.find(name);
  if (found == stagesByName_.end()) {
    return std::nullopt;
  }
  const auto after = std::lower_bound(found->second.begin(), found->second.end(), before);
  return after == found->second.begin() ? std::nullopt : std::optional<int>(*std::prev(after));
}

void StageChecker::run() {
  const std::set<int> counted = countedStages();
  for (const Stage& stage : file_.stages) {
    checkFrom(stage);
    if (counted.count(stage.index) > 0) {
      runStage(stage);
    }
  }
}

std::set<int> StageChecker::countedStages() const {
  std::set<int> counted;
  const auto count = static_cast<int>(file_.stages.size());
  if (inputs_.allStages && inputs_.target.empty()) {
    for (int i = 0; i < count; ++i) {
      counted.insert(counted.end(), i);
    }
    return counted;
  }
  addNeeded(
      inputs_.target.empty() ? count - 1 : findStage(file_, inputs_.target).value_or(count - 1),
      counted);
  return counted;
}

void StageChecker::addNeeded(int index, std::set<int>& counted) const {
  std::vector<int> open = {index};
  while (!open.empty()) {
    const int at = open.back();
    open.pop_back();
    if (!counted.insert(at).second) {
      continue;
    }
    const Stage& stage = file_.stages[static_cast<std::size_t>(at)];
    const auto need = [&](const std::optional<int>& other) {
      if (other) {
        open.push_back(*other);
      }
    };
    need(stageBefore(expandedBase(stage), at));
    for (const Instruction& instruction : stage.instructions) {
      if (const Copy* copy = instruction.as<Copy>(); copy != nullptr && !copy->from.empty()) {
        need(findStage(file_, copy->from));
      }
      if (const Run* run = instruction.as<Run>()) {
        for (const MountFlag& mount : run->mounts) {
          need(stageBefore(lower(mount.from), static_cast<int>(file_.stages.size())));
        }
      }
    }
  }
}

std::string StageChecker::expandedBase(const Stage& stage) const {
  const Result<Expansion> base = expandWord(stage.base, globals_, file_.directives.escape);
  return base ? base->text : std::string();
}

bool StageChecker::isNamedContext(const std::string& name) const {
  return std::find(inputs_.namedContexts.begin(), inputs_.namedContexts.end(), name) !=
         inputs_.namedContexts.end();
}

void StageChecker::checkFrom(const Stage& stage) {
  checkFromWord(stage, stage.base);
  if (!stage.platform.empty()) {
    checkFromWord(stage, stage.platform);
    checkPlatformFlag(stage);
  }
}

void StageChecker::checkFromWord(const Stage& stage, const std::string& word) {
  const Result<Expansion> expansion = expandWord(word, globals_, file_.directives.escape);
  if (!expansion || expansion->variables.unset.empty()) {
    return;
  }
  EnvironmentList known = globals_;
  for (const Instruction& instruction : file_.globalArgs) {
    for (const Arg::Entry& entry : instruction.as<Arg>()->entries) {
      if (!known.find(entry.name)) {
        known.set(entry.name, "");
      }
    }
  }
  for (const std::string& name : expansion->variables.unset) {
    if (!known.find(name)) {
      sink_.add("UndefinedArgInFrom",
                "FROM argument '" + name + "' is not declared" + didYouMean(name, known, ""),
                stage.range, stage.from.comments);
    }
  }
}

void StageChecker::checkPlatformFlag(const Stage& stage) {
  const Result<Expansion> expansion = expandWord(stage.platform, globals_, file_.directives.escape);
  if (!expansion) {
    return;
  }
  const VariableUse& variables = expansion->variables;
  if (variables.unset.empty() && variables.used == std::set<std::string>{"TARGETPLATFORM"} &&
      expansion->text == globals_.find("TARGETPLATFORM").value_or("")) {
    sink_.add("RedundantTargetPlatform",
              "Setting platform to predefined " + stage.platform +
                  " in FROM is redundant as this is the default behavior",
              stage.range, stage.from.comments);
  }
  const std::optional<PlatformName> platform =
      parsePlatformName(expansion->text, platformFrom(inputs_.buildPlatform));
  if (!variables.unset.empty() || !variables.used.empty() || !platform ||
      stage.name.find(platform->os) != std::string::npos ||
      stage.name.find(platform->architecture) != std::string::npos) {
    return;
  }
  sink_.add("FromPlatformFlagConstDisallowed",
            "FROM --platform flag should not use constant value " + goQuoted(expansion->text),
            stage.range, stage.from.comments);
}

std::string StageChecker::platformOf(const Stage& stage) const {
  const Result<Expansion> platform = expandWord(stage.platform, globals_, file_.directives.escape);
  return platform && !platform->text.empty() ? platform->text : inputs_.targetPlatform;
}

void StageChecker::useImage(const Stage& stage, const std::string& base, StageFacts& facts,
                            std::vector<std::string>& triggers) {
  const std::optional<BaseImageFacts> image =
      inputs_.baseImage ? inputs_.baseImage(base, facts.platform) : std::nullopt;
  if (!image) {
    return;
  }
  facts.environment = EnvironmentList(image->env);
  facts.environmentKnown = true;
  facts.shellSet = !image->shell.empty();
  triggers = image->onBuild;
  if (image->platform.empty()) {
    return;
  }
  const PlatformName actual = platformFrom(image->platform);
  const PlatformName expected = platformFrom(facts.platform);
  if (actual.os != expected.os || actual.architecture != expected.architecture) {
    sink_.add("InvalidBaseImagePlatform",
              "Base image " + base + " was pulled with platform " + goQuoted(actual.text()) +
                  ", expected " + goQuoted(expected.text()) + " for current build",
              stage.range, stage.from.comments);
  }
}

/// The state that a stage begins with, and the triggers that fire first.
StageFacts StageChecker::startOf(const Stage& stage, std::vector<std::string>& triggers) {
  StageFacts facts;
  const std::string base = expandedBase(stage);
  if (const std::optional<int> parent = stageBefore(base, stage.index)) {
    facts = done_[*parent];
    for (const Instruction& instruction :
         file_.stages[static_cast<std::size_t>(*parent)].instructions) {
      if (const OnBuild* trigger = instruction.as<OnBuild>()) {
        triggers.push_back(trigger->expression);
      }
    }
    return facts;
  }
  facts.platform = platformOf(stage);
  if (base == "scratch") {
    facts.environmentKnown = true;
  } else {
    useImage(stage, base, facts, triggers);
  }
  return facts;
}

void StageChecker::runStage(const Stage& stage) {
  std::vector<std::string> triggers;
  if (!stage.name.empty() && isNamedContext(stage.name)) {  // replaced as a whole
    StageFacts facts;
    facts.platform = platformOf(stage);
    useImage(stage, stage.name, facts, triggers);
    done_[stage.index] = std::move(facts);
    return;
  }
  StageFacts facts = startOf(stage, triggers);
  if (!facts.environment.find("PATH")) {
    facts.environment.set("PATH", kDefaultPath);
  }
  Trackers trackers;
  for (const std::string& trigger : triggers) {
    if (const Result<Instruction> instruction = parseTrigger(trigger)) {
      check({*instruction, stage.range}, facts, trackers);
    }
  }
  for (const Instruction& instruction : stage.instructions) {
    check({instruction, instruction.range}, facts, trackers);
  }
  done_[stage.index] = std::move(facts);
}

}  // namespace stagewright::dockerfile
