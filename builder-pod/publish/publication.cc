#include "builder-pod/publish/publication.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "builder-pod/publish/assembly.h"
#include "builder-pod/publish/cache_writer.h"
#include "builder-pod/publish/layer_watch.h"
#include "builder-pod/publish/placement.h"
#include "builder-pod/publish/run_directory.h"
#include "builder-pod/publish/upload_queue.h"
#include "lib/plan/prune.h"
#include "lib/registry/client.h"

namespace stagewright::publish {

namespace {

constexpr int kUploads = 2;
constexpr Millis kShortestPoll{20};
constexpr Millis kLongestPoll{250};
constexpr std::string_view kBasePrefix = "base ";
constexpr std::string_view kCachePrefix = "cache ";

registry::ClientConfig clientConfig(const PublishJob& job, registry::Credentials credentials) {
  return {hostConfigs(job.request.registries), std::move(credentials), job.retry};
}

registry::Credentials pullCredentials(const PublishJob& job) {
  registry::Credentials credentials = job.pullCredentials;
  credentials.append(job.pushCredentials);
  return credentials;
}

std::string layerName(const LayerPlace& place) {
  return "layer " + std::to_string(place.stage) + "/" + std::to_string(place.attempt) + "/" +
         std::to_string(place.report.step) + " " + place.report.diffId.str();
}

std::string baseName(const oci::Descriptor& layer) {
  return std::string(kBasePrefix) + layer.digest.str();
}

/// A layer of a stage that is no part of the image, for the cache.
std::string cacheName(const LayerPlace& place) {
  return std::string(kCachePrefix) + layerName(place);
}

/// One publication on its way. Every step gives a refusal or nothing.
class Publication {
 public:
  Publication(const PublishJob& job, http::Transport& transport, Clock& clock,
              const FrameSink& emit, std::stop_token stop)
      : job_(job),
        clock_(clock),
        emit_(emit),
        stop_(std::move(stop)),
        push_(transport, clock, clientConfig(job, job.pushCredentials)),
        pull_(transport, clock, clientConfig(job, pullCredentials(job))) {}

  PublishResult run();

 private:
  std::optional<Refusal> checkPush();
  std::optional<Refusal> loadPlan();
  void placeBase(UploadQueue& queue);
  void placeCached(UploadQueue& queue);
  void placeForCache(UploadQueue& queue, const LayerPlace& place);
  std::optional<Refusal> openCache();
  void fillCache(UploadQueue& queue);
  Result<oci::Descriptor> blobInCache(UploadQueue& queue, const LayerPlace& place);
  bool isInImage(int stage) const {
    return std::find(chain_.begin(), chain_.end(), stage) != chain_.end();
  }
  void placeStageLayer(UploadQueue& queue, const LayerPlace& place);
  std::optional<Refusal> waitForStages(UploadQueue& queue);
  std::optional<Refusal> collect(UploadQueue& queue);
  std::optional<Refusal> take(UploadQueue& queue, const std::string& name);
  PublishResult pushImage();
  UploadQueue::Task reported(UploadQueue::Task task);
  const plan::Stage& rootStage() const {
    return plan_.stages[static_cast<std::size_t>(chain_.front())];
  }

  const PublishJob& job_;
  Clock& clock_;
  const FrameSink& emit_;
  std::stop_token stop_;
  registry::Client push_;
  registry::Client pull_;
  std::optional<Route> route_;
  std::optional<RunDirectory> directory_;
  plan::BuildPlan plan_;
  std::vector<int> chain_;
  std::vector<LayerPlace> places_;  ///< the chosen layers of stages that ran, in order
  std::map<std::string, oci::Descriptor> blobs_;  ///< in the output repository, by layerName()
  std::optional<CacheWriter> cache_;
  std::vector<oci::Descriptor> layers_;  ///< of the image: base, then the chosen ones
  std::vector<oci::Digest> diffIds_;
  std::int64_t pushedBytes_ = 0;
};

std::optional<Refusal> Publication::checkPush() {
  Result<oci::Repository> target = oci::parseRepository(job_.request.repository);
  if (!target) {
    return makeRefusal(Phase::kPush, target.error());
  }
  route_.emplace(Route{push_, pull_, std::move(*target), clock_, job_.request.dockerFormat,
                       job_.request.zstd ? compress::Format::kZstd : compress::Format::kGzip});
  if (Status allowed = push_.checkPush(route_->target, stop_); !allowed) {
    return makeRefusal(Phase::kPush, allowed.error());
  }
  emit_({{"type", "push-check"}, {"ok", true}});
  return std::nullopt;
}

std::optional<Refusal> Publication::loadPlan() {
  Result<RunDirectory> directory = RunDirectory::open(job_.runDirectory, job_.runId, job_.runKey);
  if (!directory) {
    return makeRefusal(Phase::kVolume, directory.error());
  }
  directory_.emplace(std::move(*directory));
  Result<plan::BuildPlan> loaded = directory_->loadPlan(job_.prepareAttempt, job_.planDigest);
  if (!loaded) {
    return makeRefusal(Phase::kVolume, std::move(loaded).error().during("load plan"));
  }
  plan_ = std::move(*loaded);
  chain_ = plan::baseChain(plan_, plan_.target);
  return std::nullopt;
}

std::optional<Refusal> Publication::openCache() {
  if (job_.request.cacheRepository.empty()) {
    return std::nullopt;
  }
  Result<oci::Repository> repository = oci::parseRepository(job_.request.cacheRepository);
  if (!repository) {
    return makeRefusal(Phase::kPush, std::move(repository).error().during("spec.cache.repository"));
  }
  cache_.emplace(Route{push_, pull_, std::move(*repository), clock_, false, route_->compression});
  return std::nullopt;
}

/// The task, and a frame about what it did.
UploadQueue::Task Publication::reported(UploadQueue::Task task) {
  return [this, task = std::move(task)](std::stop_token stop) {
    UploadResult result = task(std::move(stop));
    if (const auto* placed = std::get_if<Placed>(&result)) {
      emit_({{"type", "layer"},
             {"digest", placed->descriptor.digest.str()},
             {"size", placed->descriptor.size},
             {"how", placed->how}});
    }
    return result;
  };
}

void Publication::placeBase(UploadQueue& queue) {
  const plan::Base& base = rootStage().base;
  if (base.kind != plan::Base::Kind::kImage) {
    return;
  }
  const Result<oci::Reference> source = oci::parseReference(base.reference);
  for (const oci::Descriptor& layer : base.layers) {
    queue.add(baseName(layer),
              reported([this, source, layer](std::stop_token stop) -> UploadResult {
                return source ? placeBaseLayer(*route_, source->repository, layer, std::move(stop))
                              : UploadResult(makeRefusal(Phase::kVolume, source.error()));
              }));
  }
}

/// Layers that a cache had: they come from there into the image.
void Publication::placeCached(UploadQueue& queue) {
  for (const int stage : chain_) {
    for (const plan::Step& step : plan_.stages[static_cast<std::size_t>(stage)].steps) {
      const auto* cached = std::get_if<plan::LayerStep>(&step.action);
      if (cached != nullptr && cache_) {
        const oci::Descriptor blob = cached->blob;
        queue.add(baseName(blob), reported([this, blob](std::stop_token stop) {
                    return placeBaseLayer(*route_, cache_->route().target, blob, std::move(stop));
                  }));
      }
    }
  }
}

void Publication::placeForCache(UploadQueue& queue, const LayerPlace& place) {
  queue.add(cacheName(place), [this, place](std::stop_token stop) {
    return placeLayer(
        cache_->route(), place.report,
        [this, place] { return directory_->openLayer(place.stage, place.attempt, place.report); },
        std::move(stop));
  });
}

void Publication::placeStageLayer(UploadQueue& queue, const LayerPlace& place) {
  queue.add(layerName(place), reported([this, place](std::stop_token stop) {
              return placeLayer(
                  *route_, place.report,
                  [this, place] {
                    return directory_->openLayer(place.stage, place.attempt, place.report);
                  },
                  std::move(stop));
            }));
}

/// Until every stage has succeeded in a consistent set of attempts. Layers are placed as they
/// appear.
std::optional<Refusal> Publication::waitForStages(UploadQueue& queue) {
  std::vector<int> watched = chain_;
  for (const plan::Stage& stage : plan_.stages) {
    if (cache_ && !stage.skipped && !isInImage(stage.index)) {
      watched.push_back(stage.index);
    }
  }
  LayerWatch watch(*directory_, plan_, watched, [&](const LayerPlace& place) {
    if (isInImage(place.stage)) {
      placeStageLayer(queue, place);
    } else {
      placeForCache(queue, place);
    }
  });
  const auto isFatal = [](const std::string& name, const Refusal& refusal) {
    if (name.starts_with(kCachePrefix)) {
      return false;  // a cache is an aid
    }
    // A tar that does not match its report matters only if its attempt is chosen in the end.
    return refusal.exit != plan::Exit::kInternal || name.starts_with(kBasePrefix);
  };
  Millis pause = kShortestPoll;
  while (true) {
    const Result<bool> changed = watch.poll();
    if (!changed) {
      return makeRefusal(Phase::kVolume, changed.error());
    }
    if (std::optional<Refusal> refusal = queue.findRefusal(isFatal)) {
      return refusal;
    }
    if (const auto chosen = chooseAttempts(plan_, watch.reports())) {
      for (const auto& [stage, attempt] : *chosen) {
        const plan::StageReport& report = watch.reports().at({stage, attempt});
        const plan::Stage& planned = plan_.stages[static_cast<std::size_t>(stage)];
        const int first = plan::layerSteps(planned);
        const int end = static_cast<int>(planned.steps.size());
        for (const plan::LayerReport& layer : report.layers) {
          if (layer.step >= first && layer.step < end) {
            places_.push_back({stage, attempt, layer});
          }
        }
      }
      return std::nullopt;
    }
    pause = *changed ? kShortestPoll : std::min(pause * 2, kLongestPoll);
    if (!clock_.sleepFor(pause, stop_)) {
      return makeRefusal(Phase::kVolume, cancelled("publish was stopped"));
    }
  }
}

std::optional<Refusal> Publication::take(UploadQueue& queue, const std::string& name) {
  const std::optional<UploadResult> result = queue.result(name);
  if (!result) {
    return makeRefusal(Phase::kVolume, cancelled("publish was stopped"));
  }
  if (const auto* refusal = std::get_if<Refusal>(&*result)) {
    return *refusal;
  }
  const Placed& placed = std::get<Placed>(*result);
  layers_.push_back(placed.descriptor);
  blobs_[name] = placed.descriptor;
  pushedBytes_ += placed.how == "uploaded" ? placed.descriptor.size : 0;
  return std::nullopt;
}

/// The image's layers in order, once all of them are placed.
std::optional<Refusal> Publication::collect(UploadQueue& queue) {
  for (const LayerPlace& place : places_) {  // those that no one told of yet
    if (isInImage(place.stage)) {
      placeStageLayer(queue, place);
    } else if (cache_) {
      placeForCache(queue, place);
    }
  }
  static_cast<void>(queue.waitUntilIdle(stop_));
  diffIds_ = rootStage().base.diffIds;
  for (const oci::Descriptor& layer : rootStage().base.layers) {
    if (auto refusal = take(queue, baseName(layer))) {
      return refusal;
    }
  }
  for (const int stage : chain_) {
    for (const plan::Step& step : plan_.stages[static_cast<std::size_t>(stage)].steps) {
      if (const auto* cached = std::get_if<plan::LayerStep>(&step.action)) {
        diffIds_.push_back(cached->diffId);
        if (auto refusal = take(queue, baseName(cached->blob))) {
          return refusal;
        }
      }
    }
    for (const LayerPlace& place : places_) {
      if (place.stage != stage) {
        continue;
      }
      diffIds_.push_back(place.report.diffId);
      if (auto refusal = take(queue, layerName(place))) {
        return refusal;
      }
    }
  }
  if (diffIds_.size() != layers_.size()) {
    return makeRefusal(Phase::kVolume,
                       internal("the image has " + std::to_string(layers_.size()) + " layers and " +
                                std::to_string(diffIds_.size()) + " diffIds"));
  }
  return std::nullopt;
}

/// Config, manifest by digest, and at last the tags: until then nobody sees anything.
PublishResult Publication::pushImage() {
  const bool docker = job_.request.dockerFormat;
  Result<std::string> config = makeConfig(plan_, diffIds_, clock_.now());
  if (!config) {
    return makeRefusal(Phase::kVolume, config.error());
  }
  UploadResult placed =
      placeBytes(*route_, *config, docker ? oci::kMediaDockerConfig : oci::kMediaConfig, stop_);
  if (const auto* refusal = std::get_if<Refusal>(&placed)) {
    return *refusal;
  }
  const oci::Descriptor& configBlob = std::get<Placed>(placed).descriptor;
  const std::string manifest = makeManifest(configBlob, layers_, job_.request.annotations, docker);
  plan::ImageReport image;
  image.digest = oci::Digest::ofBytes(manifest);
  image.mediaType = std::string(docker ? oci::kMediaDockerManifest : oci::kMediaManifest);
  image.reference = job_.request.repository + "@" + image.digest.str();
  image.layers = static_cast<int>(layers_.size());
  image.tags = job_.request.tags;
  image.pushedBytes = pushedBytes_;
  image.sizeBytes = configBlob.size;
  for (const oci::Descriptor& layer : layers_) {
    image.sizeBytes += layer.size;
  }
  std::vector<std::string> references = {image.digest.str()};
  references.insert(references.end(), image.tags.begin(), image.tags.end());
  for (const std::string& reference : references) {
    if (Status pushed =
            push_.pushManifest(route_->target, reference, image.mediaType, manifest, stop_);
        !pushed) {
      return makeRefusal(Phase::kPush, pushed.error());
    }
  }
  return image;
}

Result<oci::Descriptor> Publication::blobInCache(UploadQueue& queue, const LayerPlace& place) {
  if (isInImage(place.stage)) {
    return cache_->copyFrom(route_->target, blobs_.at(layerName(place)), stop_);
  }
  const std::optional<UploadResult> result = queue.result(cacheName(place));
  if (!result) {
    return cancelled("publish was stopped");
  }
  if (const auto* refusal = std::get_if<Refusal>(&*result)) {
    return unavailable(refusal->failure.message);
  }
  return std::get<Placed>(*result).descriptor;
}

/// After the image is there. What goes wrong is told and no more.
void Publication::fillCache(UploadQueue& queue) {
  int written = 0;
  for (const LayerPlace& place : places_) {
    const plan::Step& step = plan_.stages[static_cast<std::size_t>(place.stage)]
                                 .steps[static_cast<std::size_t>(place.report.step)];
    if (step.contentKey.empty()) {
      continue;
    }
    const Result<oci::Descriptor> blob = blobInCache(queue, place);
    const Status tagged = blob ? cache_->tag({step.contentKey, place.report.diffId, *blob}, stop_)
                               : Status(blob.error());
    if (!tagged) {
      emit_({{"type", "cache"}, {"written", written}, {"problem", tagged.error().message}});
      return;
    }
    ++written;
  }
  emit_({{"type", "cache"}, {"written", written}});
}

PublishResult Publication::run() {
  if (auto refusal = checkPush()) {
    return *refusal;
  }
  if (auto refusal = loadPlan()) {
    return *refusal;
  }
  if (auto refusal = openCache()) {
    return *refusal;
  }
  UploadQueue queue(kUploads);
  const std::stop_callback forward(stop_, [&] { queue.requestStop(); });
  placeBase(queue);
  placeCached(queue);
  if (auto refusal = waitForStages(queue)) {
    return *refusal;
  }
  if (auto refusal = collect(queue)) {
    return *refusal;
  }
  PublishResult result = pushImage();
  if (cache_ && std::holds_alternative<plan::ImageReport>(result)) {
    fillCache(queue);
  }
  return result;
}

}  // namespace

std::vector<registry::HostConfig> hostConfigs(const std::vector<plan::RegistryAccess>& access) {
  std::vector<registry::HostConfig> hosts;
  for (const plan::RegistryAccess& entry : access) {
    registry::HostConfig& host = hosts.emplace_back();
    host.host = entry.host;
    host.caFile = entry.caFile;
    host.mirrors = entry.mirrors;
    using Tls = plan::RegistryAccess::Tls;
    host.tls = entry.tls == Tls::kPlainHttp    ? registry::HostConfig::Tls::kPlainHttp
               : entry.tls == Tls::kSkipVerify ? registry::HostConfig::Tls::kSkipVerify
                                               : registry::HostConfig::Tls::kVerify;
  }
  return hosts;
}

PublishResult runPublication(const PublishJob& job, http::Transport& transport, Clock& clock,
                             const FrameSink& emit, std::stop_token stop) {
  return Publication(job, transport, clock, emit, std::move(stop)).run();
}

}  // namespace stagewright::publish
