#include "lib/plan/stage_compiler.h"

#include <algorithm>

#include "lib/dockerfile/diagnostic.h"
#include "lib/dockerfile/expand.h"
#include "lib/dockerfile/values.h"
#include "lib/plan/cache_key.h"
#include "lib/plan/json_parts.h"
#include "lib/plan/text.h"

namespace stagewright::plan {

namespace {

constexpr std::string_view kDefaultPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr std::string_view kForeignLayerComment = "buildkit.exporter.image.v0";
constexpr std::size_t kMaxPlanTexts =
    48U * 1024 * 1024;  // below what parsePlan accepts, escapes included
constexpr std::size_t kMaxStepText = 200;
constexpr std::size_t kMaxStepsOfStage = 10000;

std::string_view nameOf(std::string_view assignment) {
  return assignment.substr(0, assignment.find('='));
}

bool hasVariable(const std::vector<std::string>& env, std::string_view name) {
  return std::any_of(env.begin(), env.end(),
                     [&](const std::string& e) { return nameOf(e) == name; });
}

/// A known name is replaced in its place, a new one appended (section 5.6).
void setVariable(std::vector<std::string>& env, const std::string& name, const std::string& value) {
  const auto found =
      std::find_if(env.begin(), env.end(), [&](const std::string& e) { return nameOf(e) == name; });
  if (found != env.end()) {
    *found = name + "=" + value;
  } else {
    env.push_back(name + "=" + value);
  }
}

/// As many entries with a layer as there are layers, as BuildKit's exporter makes it of images that
/// lack some.
void normaliseHistory(oci::ImageConfig& config) {
  std::size_t layers = 0;
  for (oci::HistoryEntry& entry : config.history) {
    entry.emptyLayer = entry.emptyLayer || layers == config.diffIds.size();
    layers += entry.emptyLayer ? 0 : 1;
  }
  for (; layers < config.diffIds.size(); ++layers) {
    config.history.push_back({"", "", "", std::string(kForeignLayerComment), false});
  }
}

bool isListing(const std::vector<std::string>& texts) {
  return std::all_of(texts.begin(), texts.end(),
                     [](const std::string& t) { return t.find('\0') == std::string::npos; });
}

/// Compiles the instructions of one stage.
class StageCompiler {
 public:
  StageCompiler(const PlanInput& input, const Arguments& arguments, const StageGraph& graph,
                const KnownImages& known, int stage, PlanDraft& draft)
      : known_(known), scope_{input,
                              arguments,
                              graph,
                              stage,
                              draft.states[static_cast<std::size_t>(stage)],
                              draft} {}

  Status run() {
    describe();
    CHECK_OK(startFromBase());
    if (!scope_.node().replaced) {
      enterStage();
      CHECK_OK(compileInstructions());
    }
    finish();
    return ok();
  }

 private:
  StageState& state() { return scope_.state; }
  oci::ImageConfig& config() { return scope_.state.config; }

  void describe() {
    Stage& planned = scope_.planned();
    const GraphStage& node = scope_.node();
    planned.implicit = node.fileIndex < 0;
    planned.line = node.where.line;
    if (planned.implicit) {
      planned.name = node.baseName;
      return;
    }
    const dockerfile::Stage& stage =
        scope_.input.file.stages[static_cast<std::size_t>(node.fileIndex)];
    planned.name = stage.name.empty() ? std::to_string(node.fileIndex) : stage.name;
  }

  Status startFromBase() {
    const GraphStage& node = scope_.node();
    Base& base = scope_.planned().base;
    if (node.baseStage >= 0) {
      base.kind = Base::Kind::kStage;
      base.stage = node.baseStage;
      scope_.dependOn(node.baseStage);
      state() =
          scope_.draft.states[static_cast<std::size_t>(node.baseStage)];  // a deep copy (trap 39)
      config().onBuild.clear();  // not for grandchildren (5.11)
      return ok();
    }
    if (node.scratch) {
      base.kind = Base::Kind::kScratch;
      config().platform = node.platform;
      config().workingDir = "/";
      state().cacheKey = scratchKeyOf(node.platform);
      return node.directory.empty() ? ok() : addDirectory(node);
    }
    return startFromImage(node, base);
  }

  /// A directory as base: its files are a layer that no instruction has made.
  Status addDirectory(const GraphStage& node) {
    CopyStep copy;
    copy.destination = "/";
    CopySource source;
    source.from = CopySource::From::kNamedContext;
    source.path = ".";
    source.context = node.directory;
    copy.sources.push_back(std::move(source));
    Step step;
    step.text = cutEnd(printable("FROM " + node.baseName), kMaxStepText);
    step.line = node.where.line;
    step.cacheKey =
        copyKey(state().cacheKey, copy, scope_.draft.plan, scope_.draft.stageKeys);
    step.ownKey = copyKey("", copy, scope_.draft.plan, StageKeys(scope_.draft.stageKeys.size()));
    step.action = std::move(copy);
    state().cacheKey = step.cacheKey;
    ++state().unnamedLayers;
    scope_.planned().steps.push_back(std::move(step));
    return ok();
  }

  Status startFromImage(const GraphStage& node, Base& base) {
    const auto found = known_.find(node.imageKey);
    if (found == known_.end()) {
      return internal("plan: image " + quoted(node.imageName, 256) + " is not resolved");
    }
    const BaseImage& image = found->second;
    if (!isPinned(image.reference)) {
      return internal("plan: image reference " + quoted(image.reference, 256) + " is not pinned");
    }
    const auto bad = [&](std::string_view why) {
      return dockerfile::errorAt(scope_.input.source, node.where,
                                 "image " + node.imageName + ": " + std::string(why));
    };
    if (image.layers.size() != image.config.diffIds.size()) {
      return bad("its manifest has " + std::to_string(image.layers.size()) +
                 " layers, its config " + std::to_string(image.config.diffIds.size()));
    }
    if (!isListing(image.config.env) || !isListing(image.config.shell) ||
        !isListing({image.config.user}) || !isListing({image.config.workingDir})) {
      return bad("its config holds a NUL byte");
    }
    base.kind = Base::Kind::kImage;
    base.name = node.imageName;
    base.reference = image.reference;
    base.layers = image.layers;
    base.diffIds = image.config.diffIds;
    config() = image.config;
    config().created.clear();
    config().onBuild.clear();
    config().platform = node.platform;
    normaliseHistory(config());
    state().cacheKey = imageKeyOf(image.reference);
    return ok();
  }

  /// What BuildKit does at the start of each stage. The image's variables are set again, so in a
  /// child stage an ENV wins over an ARG of its parent that came later.
  void enterStage() {
    if (!hasVariable(config().env, "PATH")) {
      config().env.push_back("PATH=" + std::string(kDefaultPath));
    }
    for (const std::string& assignment : config().env) {
      const std::string_view name = nameOf(assignment);
      const std::size_t skip = std::min(name.size() + 1, assignment.size());
      state().variables.set(name, std::string_view(assignment).substr(skip));
    }
    if (!config().workingDir.empty() && config().workingDir.front() != '/') {
      config().workingDir = joinPath("/", config().workingDir);
    }
  }

  Status compileInstructions() {
    for (const dockerfile::Instruction& trigger : scope_.node().triggers) {
      CHECK_OK(compileOne({scope_, trigger, true}));
    }
    const auto index = static_cast<std::size_t>(scope_.node().fileIndex);
    for (const dockerfile::Instruction& instruction :
         scope_.input.file.stages[index].instructions) {
      CHECK_OK(compileOne({scope_, instruction, false}));
    }
    return ok();
  }

  Status compileOne(const Site& site) {
    const BoundedEnvironment bounded(state().variables);
    auto expanded = dockerfile::expandInstruction(site.instruction, bounded,
                                                  scope_.input.file.directives.escape);
    if (!expanded) {
      return site.error(expanded.error().message);
    }
    if (const Status bound = bounded.check(); !bound) {
      return site.error(bound.error().message);
    }
    Status done =
        std::visit([&](const auto& body) { return apply(site, body); }, expanded->instruction.body);
    if (!done && !done.error().where) {
      return site.error(done.error().message);
    }
    return done;
  }

  void record(std::string text, bool emptyLayer = true) {
    config().history.push_back({"", std::move(text), "", std::string(kHistoryComment), emptyLayer});
  }

  Status addStep(const Site& site, CompiledStep compiled) {
    std::vector<Step>& steps = scope_.planned().steps;
    if (steps.size() == kMaxStepsOfStage) {
      return site.error("the stage has more than 10000 steps");
    }
    compiled.step.text =
        cutEnd(printable((site.isTrigger ? "ONBUILD " : "") + site.instruction.text), kMaxStepText);
    compiled.step.line = site.isTrigger ? 0 : site.instruction.range.line;
    state().cacheKey = compiled.step.cacheKey;
    record(std::move(compiled.history), false);
    steps.push_back(std::move(compiled.step));
    return ok();
  }

  Status apply(const Site& site, const dockerfile::Run& run) {
    TRY(CompiledStep compiled, compileRun(scope_, site, run));
    return addStep(site, std::move(compiled));
  }

  Status apply(const Site& site, const dockerfile::Copy& copy) {
    TRY(CompiledStep compiled, compileCopy(scope_, site, copy));
    return addStep(site, std::move(compiled));
  }

  Status apply(const Site& site, const dockerfile::Add& add) {
    TRY(CompiledStep compiled, compileAdd(scope_, site, add));
    return addStep(site, std::move(compiled));
  }

  Status apply(const Site& site, const dockerfile::Workdir& workdir) {
    // What is written stays in config and history; only a relative path is joined, and thereby clean.
    const bool isAbsolute = !workdir.path.empty() && workdir.path.front() == '/';
    config().workingDir = isAbsolute ? workdir.path : joinPath(state().workdir(), workdir.path);
    if (!isCleanAbsolute(state().workdir())) {
      return invalid("the path holds a NUL byte");
    }
    if (config().workingDir == "/") {
      record("WORKDIR /");
      return ok();
    }
    CompiledStep compiled;
    const WorkdirStep step{state().workdir(), config().user};
    compiled.history = "WORKDIR " + config().workingDir;
    compiled.step.cacheKey = workdirKey(state().cacheKey, step);
    compiled.step.ownKey = workdirKey("", step);
    compiled.step.action = step;
    return addStep(site, std::move(compiled));
  }

  Status apply(const Site&, const dockerfile::Env& env) {
    for (const dockerfile::KeyValue& pair : env.pairs) {
      CHECK_OK(checkValue(pair.key, pair.value));
      state().variables.set(pair.key, pair.value);
      setVariable(config().env, pair.key, pair.value);
    }
    return recordCharged(pairsHistory("ENV", env.pairs));
  }

  Status apply(const Site&, const dockerfile::Label& label) {
    for (const dockerfile::KeyValue& pair : label.pairs) {
      config().labels[pair.key] = pair.value;
    }
    return recordCharged(pairsHistory("LABEL", label.pairs));
  }

  /// Section 5.6: the caller's value, the default, the global value. Each sees the ones before it.
  Status apply(const Site&, const dockerfile::Arg& arg) {
    std::vector<DeclaredArg> declared;
    for (const dockerfile::Arg::Entry& entry : arg.entries) {
      TRY(DeclaredArg one, declare(entry));
      // The builder's own, which it keeps out of the environment.
      const bool hidden =
          entry.name == "BUILDKIT_SBOM_SCAN_CONTEXT" || entry.name == "BUILDKIT_SBOM_SCAN_STAGE";
      if (one.second && !hidden) {
        CHECK_OK(checkValue(one.first, *one.second));
        state().variables.set(one.first, *one.second);
      }
      state().declare(one);
      declared.push_back(std::move(one));
    }
    return recordCharged(argHistory(declared));
  }

  Result<DeclaredArg> declare(const dockerfile::Arg::Entry& entry) {
    const auto& given = scope_.arguments.given;
    if (const auto found = given.find(entry.name); found != given.end()) {
      return DeclaredArg(entry.name, found->second);
    }
    if (entry.value) {
      const BoundedEnvironment bounded(state().variables);
      TRY(dockerfile::Expansion value,
          dockerfile::expandWord(*entry.value, bounded, scope_.input.file.directives.escape));
      CHECK_OK(bounded.check());
      return DeclaredArg(entry.name, std::move(value.text));
    }
    const auto global = scope_.arguments.globals.find(entry.name);
    return DeclaredArg(entry.name, global ? std::optional<std::string>(*global) : std::nullopt);
  }

  Status apply(const Site&, const dockerfile::User& user) {
    if (!isListing({user.user})) {
      return invalid("the user holds a NUL byte");
    }
    config().user = user.user;
    record("USER " + user.user);
    return ok();
  }

  std::vector<std::string> commandOf(const dockerfile::CommandLine& command) {
    if (!command.shellForm) {
      return command.args;
    }
    std::vector<std::string> out =
        config().shell.empty() ? std::vector<std::string>{"/bin/sh", "-c"} : config().shell;
    out.push_back(command.args.empty() ? std::string() : command.args.front());
    return out;
  }

  Status apply(const Site&, const dockerfile::Cmd& cmd) {
    config().cmd = commandOf(cmd.command);
    config().argsEscaped = true;
    cmdSet_ = true;
    record(quotedHistory("CMD", *config().cmd));
    return ok();
  }

  /// An inherited CMD was meant for another entry point; one of this stage, before or after, stays
  /// (section 5.3).
  Status apply(const Site&, const dockerfile::Entrypoint& entrypoint) {
    std::vector<std::string> command = commandOf(entrypoint.command);
    record(quotedHistory("ENTRYPOINT", command));
    config().entrypoint = std::move(command);
    if (config().entrypoint->empty()) {
      config().entrypoint.reset();
    }
    if (!cmdSet_) {
      config().cmd.reset();
    }
    return ok();
  }

  Status apply(const Site&, const dockerfile::Expose& expose) {
    TRY(const dockerfile::PortList list, dockerfile::parsePorts(expose.ports));
    config().exposedPorts.insert(list.ports.begin(), list.ports.end());
    return recordCharged(listHistory("EXPOSE", list.ports));
  }

  Status apply(const Site&, const dockerfile::Volume& volume) {
    for (const std::string& path : volume.paths) {
      if (path.empty()) {
        return invalid("VOLUME specified can not be an empty string");
      }
      config().volumes.insert(path);
    }
    return recordCharged(listHistory("VOLUME", volume.paths));
  }

  Status apply(const Site&, const dockerfile::StopSignal& stop) {
    CHECK_OK(dockerfile::checkStopSignal(stop.signal));
    config().stopSignal = stop.signal;
    record("STOPSIGNAL " + stop.signal);
    return ok();
  }

  Status apply(const Site&, const dockerfile::Shell& shell) {
    config().shell = shell.args;
    record(listHistory("SHELL", shell.args));
    return ok();
  }

  Status apply(const Site&, const dockerfile::Healthcheck& h) {
    config().healthcheck = oci::HealthConfig{h.test,          h.intervalNs,      h.timeoutNs,
                                             h.startPeriodNs, h.startIntervalNs, h.retries};
    record(healthHistory(*config().healthcheck));
    return ok();
  }

  Status apply(const Site&, const dockerfile::Maintainer& maintainer) {
    config().author = maintainer.name;
    record("MAINTAINER " + maintainer.name);
    return ok();
  }

  /// Stored for children, without a history entry.
  Status apply(const Site&, const dockerfile::OnBuild& onBuild) {
    config().onBuild.push_back(onBuild.expression);
    return ok();
  }

  Status apply(const Site&, const dockerfile::From&) { return internal("FROM inside a stage"); }

  Status recordCharged(std::string text) {
    CHECK_OK(scope_.draft.charge(text.size() * 2));
    record(std::move(text));
    return ok();
  }

  void finish() {
    const auto index = static_cast<std::size_t>(scope_.stage);
    scope_.planned().config = config();
    for (int i = 0; i < state().unnamedLayers; ++i) {
      scope_.planned().config.history.push_back(
          {"", "", "", std::string(kForeignLayerComment), false});
    }
    scope_.draft.stageKeys[index] = state().cacheKey;
    scope_.draft.done[index] = true;
  }

  const KnownImages& known_;
  StageScope scope_;
  bool cmdSet_ = false;
};

}  // namespace

std::string StageState::workdir() const { return joinPath("/", config.workingDir); }

void StageState::declare(const DeclaredArg& arg) {
  const auto found = std::find_if(args.begin(), args.end(),
                                  [&](const DeclaredArg& a) { return a.first == arg.first; });
  if (found != args.end()) {
    *found = arg;
  } else {
    args.push_back(arg);
  }
}

PlanDraft::PlanDraft(std::size_t stages)
    : states(stages), stageKeys(stages), done(stages), exportIndex_(stages) {
  plan.stages.resize(stages);
}

int PlanDraft::exportOf(int stage, const std::string& path) {
  const auto at = static_cast<std::size_t>(stage);
  std::vector<Export>& exports = plan.stages[at].exports;
  const auto [found, isNew] = exportIndex_[at].try_emplace(path, static_cast<int>(exports.size()));
  if (isNew) {
    exports.push_back({path});
  }
  return found->second;
}

Status PlanDraft::charge(std::size_t bytes) {
  charged_ += bytes;
  return charged_ > kMaxPlanTexts ? invalid("the plan of this Dockerfile is larger than 48 MiB")
                                  : ok();
}

void StageScope::dependOn(int other) {
  std::vector<int>& list = planned().dependsOn;
  const auto at = std::lower_bound(list.begin(), list.end(), other);
  if (at == list.end() || *at != other) {
    list.insert(at, other);
  }
}

Status compileStage(const PlanInput& input, const Arguments& arguments, const StageGraph& graph,
                    const KnownImages& known, int stage, PlanDraft& draft) {
  return StageCompiler(input, arguments, graph, known, stage, draft).run();
}

std::string belowRoot(std::string_view path) {
  const std::string clean = dockerfile::cleanPath("/" + std::string(path));
  return clean == "/" ? "." : clean.substr(1);
}

std::string joinPath(std::string_view directory, std::string_view path) {
  if (!path.empty() && path.front() == '/') {
    return dockerfile::cleanPath(path);
  }
  return dockerfile::cleanPath("/" + std::string(directory) + "/" + std::string(path));
}

}  // namespace stagewright::plan
