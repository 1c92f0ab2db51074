#include "builder-pod/prepare/preparation.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "builder-pod/prepare/config_map_source.h"
#include "builder-pod/prepare/content_keys.h"
#include "builder-pod/prepare/context_files.h"
#include "builder-pod/prepare/directory.h"
#include "builder-pod/prepare/fetched_sources.h"
#include "builder-pod/prepare/git_source.h"
#include "builder-pod/prepare/layer_cache.h"
#include "builder-pod/prepare/named_claim.h"
#include "builder-pod/prepare/source_tree.h"
#include "builder-pod/prepare/words.h"
#include "lib/base/file.h"
#include "lib/dockerfile/diagnostic.h"
#include "lib/dockerfile/ignore.h"
#include "lib/dockerfile/parser.h"
#include "lib/plan/contract.h"
#include "lib/plan/planner.h"
#include "lib/plan/summary.h"
#include "lib/plan/supported.h"

namespace stagewright::prepare {

namespace {

/// Modification time of files that come without one: 1980-01-01, the earliest that zip archives can
/// hold.
constexpr std::int64_t kTimeless = 315532800;

/// A cache that does not answer must not cost more than it saves.
constexpr Millis kCachePatience{5'000};

/// What prepare does not fetch or the executor does not run. It is planned like the rest of the
/// language, and refused.
plan::Supported executorSupport() {
  plan::Supported supported;
  supported.namedDirectories = false;
  return supported;
}

struct Source {
  std::string directory;
  std::string revision;
  bool ours = false;                      ///< files may be moved out of it
  std::optional<std::int64_t> fixedTime;  ///< of its files
  std::int64_t commitTime = 0;            ///< 0 without git
};

class Run {
 public:
  Run(const PreparationJob& job, http::Transport& transport, Clock& clock, const Narrator& tell,
      std::stop_token stop)
      : job_(job),
        transport_(transport),
        clock_(clock),
        tell_(tell),
        stop_(std::move(stop)),
        client_(transport, clock,
                {hostConfigs(job.request.registries), job.pullCredentials.credentials, job.retry}),
        directory_(job.workspace + "/" + plan::preparePath(job.runId, job.attempt)) {}

  Outcome<Preparation> run() {
    if (!job_.request.claimOwner.empty()) {
      CHECK_OR(takeNamedClaim(job_.workspace, job_.runId, job_.request.claimOwner, tell_), error,
               refuseVolume(job_.workspace, error));
    }
    CHECK_OK(makeEmptyDirectories());
    TRY(const Source source, fetchSource());
    TRY(const Context context, openContext(source.directory, job_.request.contextDir));
    TRY(const DockerfileText text, job_.request.dockerfileInline
                                       ? inlineDockerfile(context, *job_.request.dockerfileInline)
                                       : loadDockerfile(context, job_.request.dockerfile));
    TRY_OR(const dockerfile::IgnoreMatcher ignore,
           dockerfile::makeIgnoreMatcher(dockerfile::parseIgnoreFile(text.ignoreText)), error,
           refuseInput("DockerfileInvalid", text.ignoreName + ": " + error.message));
    TRY(const plan::PlanInput input, readDockerfile(text, ignore, source));
    TRY(Preparation result, compile(input));
    result.sourceRevision = source.revision;
    TRY(const std::vector<std::string> fetched, fetchWhatStepsAdd(input, result.plan));
    CHECK_OK(takeContext(context, source, input, ignore, result.plan));
    CHECK_OK(useCache(result.plan, fetched));
    CHECK_OK(save(result));
    return result;
  }

 private:
  Outcome<void> makeDirectory(const std::string& path) {
    CHECK_OR(makeDirectories(path), error, refuseVolume(job_.workspace, error));
    return {};
  }

  Outcome<void> makeEmptyDirectories() {
    CHECK_OR(removeTree(directory_), error, refuseVolume(job_.workspace, error));
    for (const char* name : {"/source", "/context", "/fetched"}) {
      CHECK_OK(makeDirectory(directory_ + name));
    }
    if (job_.request.authoritiesInRun) {
      const std::string path = directory_ + "/fetched/" + std::string(plan::kAuthoritiesName);
      CHECK_OR(saveFileAtomically(path, job_.authorities), error,
               refuseVolume(job_.workspace, error));
    }
    return {};
  }

  Outcome<Source> fetchSource() {
    const Stopwatch watch;
    const plan::BuildRequest& request = job_.request;
    Source source;
    source.directory = job_.sourceDirectory.value_or(directory_ + "/source");
    source.ours = !job_.sourceDirectory;
    if (job_.sourceDirectory) {
      return source;
    }
    if (request.git) {
      CHECK_OK(fetchFromGit(*request.git, source));
      tell_("source: " + request.git->url + " at commit " + source.revision + " (" +
            seconds(watch.elapsed()) + ")");
    } else if (request.configMap) {
      CHECK_OK(copyConfigMap(job_.configMapDir, source.directory));
      source.fixedTime = kTimeless;
      tell_("source: the ConfigMap (" + seconds(watch.elapsed()) + ")");
    } else {
      tell_("source: none, the Dockerfile is part of the ImageBuild");
    }
    return source;
  }

  Outcome<void> fetchFromGit(const plan::GitSource& git, Source& source) {
    std::optional<GitCredentials> credentials;
    if (git.authenticated) {
      TRY(credentials, loadGitCredentials(job_.sourceSecretDir));
    }
    GitOptions options;
    options.env = job_.gitEnvironment;
    TRY(const GitRevision revision, fetchGit(git, credentials, source.directory, options));
    source.revision = revision.commit;
    source.fixedTime = source.commitTime = revision.commitTime;
    if (!keepsGitDirectory()) {
      CHECK_OR(removeTree(source.directory + "/.git"), error, refuseVolume(job_.workspace, error));
    }
    return {};
  }

  /// As BuildKit does it: .git is no part of the context unless asked for (§7.3).
  bool keepsGitDirectory() const {
    bool keeps = false;
    for (const auto& [name, value] : job_.request.buildArgs) {
      if (name == "BUILDKIT_CONTEXT_KEEP_GIT_DIR") {
        keeps = value == "1" || value == "true";
      }
    }
    return keeps;
  }

  /// The same as the build argument of that name, so that the local engine can do it too.
  std::optional<std::int64_t> epochOf(const Source& source) const {
    switch (job_.request.timePolicy) {
      case plan::TimePolicy::kNow:
        return std::nullopt;
      case plan::TimePolicy::kSource:
        return source.commitTime;
      case plan::TimePolicy::kFixed:
        return job_.request.fixedTime;
    }
    return std::nullopt;
  }

  Outcome<plan::PlanInput> readDockerfile(const DockerfileText& text,
                                          const dockerfile::IgnoreMatcher& ignore,
                                          const Source& source) {
    plan::PlanInput input;
    input.source = {text.name, text.text};
    TRY_OR(input.file, dockerfile::parseDockerfile(input.source), error, refuseDockerfile(error));
    input.buildArgs = job_.request.buildArgs;
    input.proxies = job_.request.proxies;
    if (job_.request.authoritiesInRun) {
      input.authorities =
          std::string(plan::kFetchedDir) + "/" + std::string(plan::kAuthoritiesName);
    }
    if (const auto epoch = epochOf(source)) {
      input.buildArgs.emplace_back("SOURCE_DATE_EPOCH", std::to_string(*epoch));
    }
    for (const auto& [name, image] : job_.request.contexts) {
      using Kind = plan::NamedContext::Kind;
      input.contexts.push_back({name, image == "scratch" ? Kind::kScratch : Kind::kImage, image});
    }
    input.labels = job_.request.labels;
    input.target = job_.request.target;
    input.platform = job_.request.platform;
    input.buildPlatform = job_.request.platform;
    input.ignore = text.ignoreName.empty() ? nullptr : &ignore;
    return input;
  }

  Outcome<Preparation> compile(const plan::PlanInput& input) {
    const Stopwatch watch;
    TRY(const plan::KnownImages images,
        fetchBaseImages(input, client_, job_.pullCredentials, tell_, stop_));
    Preparation result;
    TRY_OR(result.plan, plan::planBuild(input, images), error, refuseDockerfile(error));
    CHECK_OK(refuseWhatIsMissing(input, result.plan));
    std::size_t steps = 0;
    for (const plan::Stage& stage : result.plan.stages) {
      steps += stage.steps.size();
    }
    tell_("plan: " + input.source.name + ", " + std::to_string(result.plan.stages.size()) +
          " stage(s), " + std::to_string(steps) + " step(s) (" + seconds(watch.elapsed()) + ")");
    return result;
  }

  /// What the plan can say and prepare or the executor cannot do yet is refused here, never
  /// ignored.
  Outcome<void> refuseWhatIsMissing(const plan::PlanInput& input, const plan::BuildPlan& plan) {
    if (plan.stages.size() > plan::kMaxStages) {
      return refuseInput("DockerfileInvalid", input.source.name + ": more than " +
                                                  std::to_string(plan::kMaxStages) +
                                                  " stages are needed for the target");
    }
    CHECK_OR(plan::refuseUnsupported(input, plan, executorSupport()), error,
             refuseDockerfile(error));
    CHECK_OR(plan::refuseUngiven(input, plan, job_.request.secretIds, job_.request.sshIds), error,
             refuseDockerfile(error));
    return {};
  }

  /// What the cache has need not run. After the context is there: contents are part of the keys.
  Outcome<void> useCache(plan::BuildPlan& plan, const std::vector<std::string>& fetched) {
    if (!job_.request.cache) {
      return {};
    }
    const Stopwatch watch;
    const plan::CacheSource& cache = *job_.request.cache;
    TRY_OR(const Fd context, openDirectory(directory_ + "/context"), error,
           refuseVolume(job_.workspace, error));
    CHECK_OR(setContentKeys(plan, {cache.scope, context.get(), fetched}), error,
             refuseVolume(job_.workspace, error));
    TRY_OR(oci::Repository repository, oci::parseRepository(cache.repository), error,
           refuseInput("InvalidSpec", "spec.cache.repository: " + error.message));
    if (!cache.read) {
      tell_("cache: not read, as asked for");
      return {};
    }
    http::RetryPolicy impatient = job_.retry;
    impatient.budget = std::min(impatient.budget, kCachePatience);
    registry::Client client(
        transport_, clock_,
        {hostConfigs(job_.request.registries), job_.pullCredentials.credentials, impatient});
    LayerCache layers(client, std::move(repository), tell_, stop_);
    TRY(plan, pruned(plan, layers));
    tellOfCache(plan, watch);
    return {};
  }

  /// A layer that turns out not to be there counts as never found.
  Outcome<plan::BuildPlan> pruned(const plan::BuildPlan& plan, LayerCache& layers) {
    plan::CachedLayers found = layers.find(plan);
    for (;;) {
      plan::BuildPlan result = plan::pruneCached(plan, found);
      std::optional<oci::Digest> missing;
      for (const plan::Stage& stage : result.stages) {
        for (int i = 0; !stage.skipped && !missing && i < plan::layerSteps(stage); ++i) {
          const auto& layer =
              std::get<plan::LayerStep>(stage.steps[static_cast<std::size_t>(i)].action);
          if (const Status fetched = layers.fetch(layer, directory_ + "/fetched"); !fetched) {
            if (fetched.error().code == Code::kInternal || isVolumeFull(job_.workspace)) {
              return refuseVolume(job_.workspace, fetched.error());
            }
            tell_("cache: " + fetched.error().message + "; its step runs again");
            missing = layer.blob.digest;
          }
        }
      }
      if (!missing) {
        return result;
      }
      std::erase_if(found, [&](const auto& entry) { return entry.second.blob.digest == *missing; });
    }
  }

  void tellOfCache(const plan::BuildPlan& plan, const Stopwatch& watch) {
    const plan::PlanSummary summary = plan::summarize(plan, oci::Digest(), "");
    int steps = 0;
    int cached = 0;
    int skipped = 0;
    for (const plan::StageSummary& stage : summary.stages) {
      steps += stage.steps;
      cached += stage.cachedSteps;
      skipped += stage.skipped ? 1 : 0;
    }
    tell_("cache: " + std::to_string(cached) + " of " + std::to_string(steps) + " step(s), " +
          std::to_string(skipped) + " stage(s) need no pod (" + seconds(watch.elapsed()) + ")");
  }

  /// What identifies each of plan.fetches.
  Outcome<std::vector<std::string>> fetchWhatStepsAdd(const plan::PlanInput& input,
                                                      const plan::BuildPlan& plan) {
    std::vector<std::string> identities;
    FetchRules rules;
    rules.checkAddress = job_.checkAddress;
    rules.gitEnvironment = job_.gitEnvironment;
    rules.retry = job_.retry;
    SourceFetcher fetcher(std::move(rules), transport_, clock_, stop_);
    for (std::size_t i = 0; i < plan.fetches.size(); ++i) {
      const Stopwatch watch;
      const plan::Fetch& fetch = plan.fetches[i];
      auto fetched = fetcher.fetch(fetch, directory_ + "/fetched/" + std::to_string(i));
      if (!fetched) {
        return atPlaceOf(fetch, input.source, std::move(fetched).error());
      }
      tell_("ADD " + fetch.url + ": " + fetched->what + " (" + seconds(watch.elapsed()) + ")");
      identities.push_back(fetched->identity);
    }
    return identities;
  }

  /// The same refusal with the line of the ADD; a trigger of a base image has none.
  static Refusal atPlaceOf(const plan::Fetch& fetch, const dockerfile::Source& source,
                           Refusal refusal) {
    if (refusal.failure.reason == "InvalidSpec") {
      refusal.failure.reason = "DockerfileInvalid";
    }
    if (fetch.line > 0) {
      const SourceRange line{source.name, fetch.line, 1, fetch.line};
      const Error shown = dockerfile::errorAt(
          source, dockerfile::locateToken(source, line, fetch.url), refusal.failure.message);
      refusal.failure.message = shown.message;
      refusal.failure.line = fetch.line;
    }
    return refusal;
  }

  Outcome<void> takeContext(const Context& context, const Source& source,
                            const plan::PlanInput& input, const dockerfile::IgnoreMatcher& ignore,
                            const plan::BuildPlan& plan) {
    const Stopwatch watch;
    TRY_OR(const Fd to, openDirectory(directory_ + "/context"), error,
           refuseVolume(job_.workspace, error));
    TransferOptions options;
    options.move = source.ours;
    options.fixedTime = source.fixedTime;
    TRY(const TransferCount count,
        takeContextFiles({context.directory.get(), to.get(), job_.workspace}, input.source, ignore,
                         plan, options));
    if (count.files > 0) {
      tell_("context: " + std::to_string(count.files) + " file(s), " + byteSize(count.bytes) +
            " (" + seconds(watch.elapsed()) + ")");
    }
    return {};
  }

  Outcome<void> save(Preparation& result) {
    for (const plan::Stage& stage : result.plan.stages) {
      for (int attempt = 1; attempt <= job_.request.maxAttempts; ++attempt) {
        CHECK_OK(makeDirectory(job_.workspace + "/" +
                               plan::stagePath(job_.runId, stage.index, attempt)));
      }
    }
    const std::string bytes = plan::serializePlan(result.plan);
    result.planDigest = oci::Digest::ofBytes(bytes);
    CHECK_OR(saveFileAtomically(directory_ + "/plan.json", bytes), error,
             refuseVolume(job_.workspace, error));
    return {};
  }

  const PreparationJob& job_;
  http::Transport& transport_;
  Clock& clock_;
  const Narrator& tell_;
  std::stop_token stop_;
  registry::Client client_;
  std::string directory_;
};

}  // namespace

Outcome<Preparation> runPreparation(const PreparationJob& job, http::Transport& transport,
                                    Clock& clock, const Narrator& tell, std::stop_token stop) {
  return Run(job, transport, clock, tell, std::move(stop)).run();
}

Status removeSource(const PreparationJob& job) {
  return removeTree(job.workspace + "/" + plan::preparePath(job.runId, job.attempt) + "/source");
}

}  // namespace stagewright::prepare
