#include "local/build.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>
#include <numeric>
#include <semaphore>
#include <thread>

#include "builder-pod/publish/publication.h"
#include "lib/base/file.h"
#include "lib/base/json.h"
#include "lib/dockerfile/checks.h"
#include "lib/dockerfile/diagnostic.h"
#include "lib/dockerfile/parser.h"
#include "local/export.h"
#include "local/fetched.h"
#include "local/image_collector.h"
#include "local/planning.h"
#include "local/registry_source.h"
#include "local/scratch_file.h"
#include "local/stage_build.h"
#include "local/step_cache.h"

namespace stagewright::local {

namespace {

constexpr std::size_t kResolvLimit = 64 * 1024;
constexpr int kUnlimited = 1024;
constexpr std::string_view kHostName = "buildkitsandbox";
constexpr std::string_view kOtherHosts =
    "\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\n"
    "ff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n";

plan::Exit exitOf(const Error& error) {
  switch (error.code) {
    case Code::kInvalid:
    case Code::kNotFound: return plan::Exit::kUserInput;
    case Code::kDenied: return plan::Exit::kDenied;
    case Code::kUnavailable: return plan::Exit::kUnavailable;
    default: return plan::Exit::kInternal;
  }
}

BuildResult failed(const Error& error) { return {exitOf(error), error.message, "", ""}; }

/// Stages on threads of their own; each waits only for what it reads, when it reads it.
class StageCrew {
 public:
  StageCrew(const plan::BuildPlan& plan, int jobs) : plan_(plan), states_(plan.stages.size()), slots_(jobs > 0 ? jobs : kUnlimited) {}

  void add(std::unique_ptr<StageBuild> stage) { stages_.push_back(std::move(stage)); }
  StageBuild& stage(int index) { return *stages_[static_cast<std::size_t>(index)]; }

  /// Waits for a stage, without taking a slot meanwhile. kCancelled if it failed.
  Result<StageBuild*> await(int index) {
    std::unique_lock lock(mutex_);
    State& state = states_[static_cast<std::size_t>(index)];
    if (!state.ended) {
      slots_.release();
      changed_.wait(lock, [&] { return state.ended; });
      lock.unlock();
      slots_.acquire();
      lock.lock();
    }
    return state.status ? Result<StageBuild*>(&stage(index)) : cancelled("an earlier stage failed");
  }

  /// Runs all of them; the first failure stops the others.
  void run(std::stop_token stop) {
    std::stop_source halt;
    const std::stop_callback forward(stop, [&] { halt.request_stop(); });
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      threads.emplace_back([this, i, &halt] {
        slots_.acquire();
        Status status = stages_[i]->run(halt.get_token());
        slots_.release();
        if (!status) {
          halt.request_stop();
        }
        const std::lock_guard lock(mutex_);
        states_[i] = {true, std::move(status)};
        changed_.notify_all();
      });
    }
  }

  /// The failure to tell: of a step before anything else.
  const StageBuild* findFailedStage() const {
    const auto found = std::find_if(stages_.begin(), stages_.end(), [](const auto& s) { return s->failure().has_value(); });
    return found == stages_.end() ? nullptr : found->get();
  }
  std::optional<Error> findError() const {
    std::optional<Error> first;
    for (const State& state : states_) {
      if (!state.status && (!first || first->code == Code::kCancelled)) {
        first = state.status.error();
      }
    }
    return first;
  }

 private:
  struct State {
    bool ended = false;
    Status status;
  };
  const plan::BuildPlan& plan_;
  std::vector<std::unique_ptr<StageBuild>> stages_;
  std::mutex mutex_;  ///< guards states_
  std::condition_variable changed_;
  std::vector<State> states_;
  std::counting_semaphore<kUnlimited> slots_;
};

std::vector<oci::Reference> parseTags(const std::vector<std::string>& tags) {
  std::vector<oci::Reference> out;
  for (const std::string& tag : tags) {
    if (auto reference = oci::parseReference(tag)) {
      out.push_back(std::move(*reference));
    }
  }
  return out;
}

/// `localhost:5000`, `127.0.0.1:5001`: whatever looks like one in a text.
std::vector<std::string> findLoopbackHosts(const std::string& text) {
  std::vector<std::string> out;
  for (const std::string_view name : {"localhost", "127."}) {
    for (std::size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + 1)) {
      std::size_t end = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.:", at);
      end = std::min(end, text.size());
      out.push_back(text.substr(at, end - at));
    }
  }
  return out;
}

bool hasOutput(const BuildOptions& options, Output::Type type) {
  return std::any_of(options.outputs.begin(), options.outputs.end(), [type](const Output& o) { return o.type == type; });
}

/// One build from the options to its outputs.
class Build {
 public:
  Build(const BuildOptions& options, Store& store, http::Transport& transport, Clock& clock, Progress& progress,
        std::stop_token stop)
      : options_(options),
        store_(store),
        transport_(transport),
        clock_(clock),
        progress_(progress),
        stop_(std::move(stop)) {}

  BuildResult run() {
    if (Status read = readInput(); !read) {
      return failed(read.error());
    }
    makeClient();
    auto planning = makePlan(options_, input_, store_, transport_, contexts_, sources_, progress_, stop_);
    if (!planning) {
      warnOfChecks();
      return failed(planning.error());
    }
    plan_ = std::move(planning->plan);
    for (const plan::Warning& warning : plan_.warnings) {
      warn(warning.rule, warning.message, warning.line);
    }
    isOnlyStage_ = planning->input.file.stages.size() == 1 && plan_.stages.size() == 1;
    if (Status allowed = checkEntitlements(); !allowed) {
      return failed(allowed.error());
    }
    return runStages();
  }

 private:
  static http::RetryPolicy retryPolicy() {
    http::RetryPolicy policy;
    policy.budget = Millis(30'000);
    return policy;
  }

  /// As Docker does it: registries on this machine speak plain HTTP unless the user says otherwise.
  void makeClient() {
    std::vector<plan::RegistryAccess> access = options_.registries;
    std::string texts = input_.dockerfile.text;
    for (const auto* pairs : {&options_.buildArgs, &options_.contexts}) {
      for (const auto& [name, value] : *pairs) {
        texts += "\n" + value;
      }
    }
    for (const std::string& host : findLoopbackHosts(texts)) {
      const bool known = std::any_of(access.begin(), access.end(), [&](const auto& entry) { return entry.host == host; });
      if (!known) {
        access.push_back({host, plan::RegistryAccess::Tls::kPlainHttp, "", {}});
      }
    }
    client_.emplace(transport_, clock_,
                    registry::ClientConfig{publish::hostConfigs(access), options_.credentials, retryPolicy()});
    sources_.emplace("", std::make_unique<RegistrySource>(*client_, store_, options_.pull));
  }

  Status readInput() {
    for (const auto& [id, source] : options_.secrets) {
      if (!source.file.empty() && ::access(source.file.c_str(), R_OK) != 0) {
        return invalid("secret " + id + ": " + systemError("open", source.file, errno).message);
      }
    }
    TRY(input_, loadBuildInput(options_, store_, transport_, stop_));
    TRY(dockerfile::IgnoreMatcher ignore, dockerfile::makeIgnoreMatcher(input_.ignore.patterns()));
    contexts_[""] = std::make_unique<Context>(store_, input_.context, std::move(ignore));
    hosts_ = store_.scratch() + "/hosts";
    resolv_ = store_.scratch() + "/resolv.conf";
    for (const auto& [name, value] : options_.buildArgs) {
      hostName_ = name == "BUILDKIT_SANDBOX_HOSTNAME" && !value.empty() ? value : hostName_;
    }
    CHECK_OK(saveScratchFile(hosts_, "127.0.0.1\tlocalhost " + hostName_ + std::string(kOtherHosts)));
    return saveScratchFile(resolv_, loadFile("/etc/resolv.conf", kResolvLimit).value_or(""));
  }

  void warn(const std::string& rule, const std::string& message, int line) {
    progress_.warn(rule + ": " + message + " (line " + std::to_string(line) + ")");
  }

  /// Where there is no plan, what can be found without base images.
  void warnOfChecks() {
    const auto file = dockerfile::parseDockerfile(input_.dockerfile);
    if (!file) {
      return;  // the plan has failed for that
    }
    dockerfile::CheckInputs inputs;
    inputs.buildArgs = {options_.buildArgs.begin(), options_.buildArgs.end()};
    inputs.target = options_.target;
    inputs.allStages = false;
    inputs.ignore = input_.hasIgnoreFile ? &input_.ignore : nullptr;
    for (const auto& [name, value] : options_.contexts) {
      inputs.namedContexts.push_back(name);
    }
    const auto report = dockerfile::checkFile(input_.dockerfile, *file, inputs);
    for (const dockerfile::Finding& finding : report ? report->findings : std::vector<dockerfile::Finding>()) {
      warn(finding.rule, finding.message, finding.range.line);
    }
  }

  /// What a step asks for beyond an ordinary container, the caller must have allowed.
  Status checkEntitlements() const {
    for (const plan::Stage& stage : plan_.stages) {
      for (const plan::Step& step : stage.steps) {
        const auto* run = std::get_if<plan::RunStep>(&step.action);
        const std::string needed = run == nullptr       ? ""
                                   : run->networkHost ? "network.host"
                                   : run->insecure    ? "security.insecure"
                                                      : "";
        if (!needed.empty() && !options_.entitlements.contains(needed)) {
          const SourceRange where{input_.dockerfile.name, step.line, 0, step.line};
          return invalid(step.line > 0 ? dockerfile::formatDiagnostic(input_.dockerfile, where, needed + " is not allowed",
                                                                      "--allow " + needed + " permits it")
                                       : step.text + ": " + needed + " is not allowed");
        }
      }
    }
    return ok();
  }

  BuildResult runStages() {
    FetchedSources fetched(plan_, store_, transport_, clock_, stop_);
    StageCrew crew(plan_, options_.jobs);
    const auto sourceOf = [this](const plan::Base& base) -> ImageSource& { return sourceFor(sources_, base.reference); };
    StepCache cache(store_, *client_);
    cache.load(options_.cacheFrom, plan_.platform, progress_, stop_);
    ImageCollector collector(
        plan_, store_, *client_, cache, clock_,
        {repositories(), needsFiles(), needsFiles() || exportsCache(), options_.dockerFormat, options_.layerFormat}, sourceOf);
    const BuildScope scope{options_,
                           plan_,
                           store_,
                           cache,
                           progress_,
                           contexts_,
                           clock_,
                           sourceOf,
                           [&](int stage) { return crew.await(stage); },
                           [&](StageBuild& stage, int step) { noteStep(collector, stage, step, crew); },
                           [&](int index) { return fetched.path(index); },
                           isOnlyStage_,
                           hostName_,
                           hosts_,
                           resolv_};
    for (std::size_t i = 0; i < plan_.stages.size(); ++i) {
      crew.add(std::make_unique<StageBuild>(scope, static_cast<int>(i)));
    }
    const std::stop_callback forward(stop_, [&] { collector.requestStop(); });
    if (needsLayers()) {
      collector.addBase();
    }
    crew.run(stop_);
    for (auto& [name, context] : contexts_) {
      static_cast<void>(context->digests().save());  // slower the next time, no more
    }
    if (BuildResult result = judge(crew); result.exit != plan::Exit::kSuccess) {
      collector.requestStop();
      return result;
    }
    auto exported = exportAll(crew, collector);
    if (exported) {
      if (Status saved = exportCaches(crew, collector, cache); !saved) {
        return failed(saved.error());
      }
    }
    return exported ? *exported : failed(exported.error());
  }

  void noteStep(ImageCollector& collector, StageBuild& stage, int step, StageCrew& crew) {
    if (!needsLayers()) {
      return;
    }
    for (std::size_t i = 0; i < plan_.stages.size(); ++i) {
      if (&crew.stage(static_cast<int>(i)) == &stage) {
        collector.addStep(stage, static_cast<int>(i), step);
      }
    }
  }

  BuildResult judge(const StageCrew& crew) const {
    if (const StageBuild* stage = crew.findFailedStage()) {
      const StepFailure& failure = *stage->failure();
      BuildResult result;
      result.exit = plan::Exit::kStepFailed;
      const std::string tail = progress_.tailOf(failure.vertex);
      const std::string place =
          failure.line > 0 ? dockerfile::formatDiagnostic(
                                 input_.dockerfile, {input_.dockerfile.name, failure.line, 0, failure.line}, failure.message)
                           : failure.text + ": " + failure.message;
      result.message = (tail.empty() ? "" : "------\n > " + failure.text + ":\n" + tail + (tail.ends_with('\n') ? "" : "\n") +
                                                "------\n") +
                       place;
      return result;
    }
    const auto error = crew.findError();
    return error ? failed(*error) : BuildResult{};
  }

  bool needsFiles() const { return hasOutput(options_, Output::Type::kOci) || hasOutput(options_, Output::Type::kDocker); }
  /// As a cache of its own, made of files.
  bool exportsCache() const {
    return std::any_of(options_.cacheTo.begin(), options_.cacheTo.end(),
                       [](const CacheLocation& to) { return to.type != CacheLocation::Type::kInline; });
  }
  bool pushes() const { return hasOutput(options_, Output::Type::kRegistry); }
  /// An image is made unless only its files are wanted.
  bool needsLayers() const {
    return needsFiles() || pushes() || options_.outputs.empty() || !options_.metadataFile.empty() ||
           !options_.imageIdFile.empty();
  }

  std::vector<oci::Repository> repositories() const {
    std::vector<oci::Repository> out;
    if (pushes()) {
      for (const oci::Reference& tag : parseTags(options_.tags)) {
        if (std::find(out.begin(), out.end(), tag.repository) == out.end()) {
          out.push_back(tag.repository);
        }
      }
    }
    return out;
  }

  /// The steps of the image, or of all stages.
  Result<CacheContent> cacheContent(StageCrew& crew, ImageCollector& collector, bool everyStage) {
    std::vector<int> stages = plan::baseChain(plan_, plan_.target);
    if (everyStage) {
      stages.resize(plan_.stages.size());
      std::iota(stages.begin(), stages.end(), 0);
    }
    CacheContent content;
    for (const int index : stages) {
      StageBuild& stage = crew.stage(index);
      for (std::size_t step = 0; step < stage.records().size(); ++step) {
        TRY(const BlobRecord blob, collector.blobOf(stage, static_cast<int>(step), stop_));
        stage.setBlob(static_cast<int>(step), blob);
        content.steps[stage.keys()[step]] = {"", stage.records()[step].created, blob};
      }
    }
    for (const int index : stages) {
      content.notes.merge(crew.stage(index).portableNotes());
    }
    return content;
  }

  Status exportCaches(StageCrew& crew, ImageCollector& collector, const StepCache& cache) {
    for (const CacheLocation& to : options_.cacheTo) {
      if (to.type == CacheLocation::Type::kInline) {
        continue;  // is in the image
      }
      const int vertex = progress_.begin("exporting cache to " + to.place);
      auto content = cacheContent(crew, collector, to.everyStage);
      const Status saved = content ? cache.save(*content, to, stop_) : Status(content.error());
      progress_.end(vertex, saved ? Progress::End::kDone : Progress::End::kFailed);
      if (!saved && !to.mayFail) {
        return Status(saved).error().during("export cache to " + to.place);
      }
      if (!saved) {
        progress_.warn("the cache is not exported to " + to.place + ": " + saved.error().message);
      }
    }
    return ok();
  }

  /// Annotations of the manifest; one of them may be the cache.
  std::vector<std::pair<std::string, std::string>> annotations(const std::vector<StageBuild*>& chain) const {
    auto out = options_.annotations;
    const bool isInline = std::any_of(options_.cacheTo.begin(), options_.cacheTo.end(), [](const CacheLocation& to) {
      return to.type == CacheLocation::Type::kInline;
    });
    if (isInline) {
      std::vector<std::pair<std::string, std::string>> steps;
      for (const StageBuild* stage : chain) {
        for (std::size_t step = 0; step < stage->records().size(); ++step) {
          steps.emplace_back(stage->keys()[step], stage->records()[step].created);
        }
      }
      out.emplace_back(kInlineCacheAnnotation, makeInlineCache(steps));
    }
    return out;
  }

  Result<BuildResult> exportAll(StageCrew& crew, ImageCollector& collector) {
    BuildResult result;
    const std::string what = pushes() ? "exporting and pushing image" : "exporting image";
    const int vertex = progress_.begin(what);
    Status status = exportImage(crew, collector, result);
    for (const Output& output : options_.outputs) {
      const bool isTree = output.type == Output::Type::kTar || output.type == Output::Type::kLocal;
      if (status && isTree) {
        auto view = crew.stage(plan_.target).view(stop_);
        status = view ? exportTree(*view, output) : Status(view.error());
      }
    }
    progress_.end(vertex, status ? Progress::End::kDone : Progress::End::kFailed);
    if (!status) {
      return std::move(status).error();
    }
    return result;
  }

  Status exportImage(StageCrew& crew, ImageCollector& collector, BuildResult& result) {
    if (!needsLayers()) {
      return ok();
    }
    std::vector<StageBuild*> chain;
    for (const int stage : plan::baseChain(plan_, plan_.target)) {
      chain.push_back(&crew.stage(stage));
    }
    TRY(ImageCollector::Layers layers, collector.collect(chain, stop_));
    const Image image = assembleImage(plan_, std::move(layers.layers), layers.times, formatTime(clock_.now()),
                                      annotations(chain), options_.dockerFormat);
    CHECK_OK(collector.push(image, parseTags(options_.tags), stop_));
    std::vector<std::string> names;
    for (const oci::Reference& tag : parseTags(options_.tags)) {
      names.push_back(tag.repository.str() + ":" + tag.tagOrLatest());
    }
    for (const Output& output : options_.outputs) {
      if (output.type == Output::Type::kOci) {
        CHECK_OK(exportLayout(image, names, output));
      } else if (output.type == Output::Type::kDocker) {
        CHECK_OK(exportDockerArchive(image, names, output));
      }
    }
    result.imageDigest = image.digest.str();
    result.configDigest = image.configDescriptor.digest.str();
    return saveNotes(image, names);
  }

  Status saveNotes(const Image& image, const std::vector<std::string>& names) const {
    if (!options_.imageIdFile.empty()) {
      CHECK_OK(saveScratchFile(options_.imageIdFile, image.configDescriptor.digest.str()));
    }
    if (options_.metadataFile.empty()) {
      return ok();
    }
    std::string joined;
    for (const std::string& name : names) {
      joined += (joined.empty() ? "" : ",") + name;
    }
    const Json json{{"containerimage.digest", image.digest.str()},
                    {"containerimage.config.digest", image.configDescriptor.digest.str()},
                    {"containerimage.descriptor",
                     {{"mediaType", image.mediaType}, {"digest", image.digest.str()}, {"size", image.manifest.size()}}},
                    {"image.name", joined}};
    return saveScratchFile(options_.metadataFile, json.dump(2) + "\n");
  }

  const BuildOptions& options_;
  Store& store_;
  http::Transport& transport_;
  Clock& clock_;
  Progress& progress_;
  std::stop_token stop_;
  std::optional<registry::Client> client_;
  ImageSources sources_;
  Contexts contexts_;
  BuildInput input_;
  plan::BuildPlan plan_;
  bool isOnlyStage_ = false;
  std::string hostName_ = std::string(kHostName);
  std::string hosts_;
  std::string resolv_;
};

}  // namespace

BuildResult runBuild(const BuildOptions& options, http::Transport& transport, Clock& clock, Progress& progress,
                     std::stop_token stop) {
  auto store = Store::open(options.cacheDirectory);
  if (!store) {
    return failed(store.error());
  }
  return Build(options, *store, transport, clock, progress, std::move(stop)).run();
}

}  // namespace stagewright::local
