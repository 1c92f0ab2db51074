#include "local/image_collector.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "builder-pod/publish/media_types.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "local/file_body.h"
#include "local/layer_blob.h"

namespace stagewright::local {

namespace {

constexpr int kThreads = 3;

std::string stepName(int stage, int step) { return "step " + std::to_string(stage) + "/" + std::to_string(step); }
std::string baseName(const oci::Descriptor& layer) { return "base " + layer.digest.str(); }

publish::UploadResult refused(const Error& error) { return publish::makeRefusal(publish::Phase::kPush, error); }

}  // namespace

ImageCollector::ImageCollector(const plan::BuildPlan& plan, Store& store, registry::Client& client, StepCache& cache,
                               Clock& clock, std::vector<oci::Repository> repositories, bool needsBase, bool dockerFormat,
                               std::function<ImageSource&(const plan::Base&)> sourceOf)
    : plan_(plan),
      store_(store),
      client_(client),
      cache_(cache),
      clock_(clock),
      repositories_(std::move(repositories)),
      needsBase_(needsBase),
      dockerFormat_(dockerFormat),
      sourceOf_(std::move(sourceOf)),
      chain_(plan::baseChain(plan, plan.target)),
      queue_(kThreads) {}

bool ImageCollector::isInChain(int stage) const {
  return std::find(chain_.begin(), chain_.end(), stage) != chain_.end();
}

void ImageCollector::addBase() {
  for (const oci::Descriptor& layer : plan_.stages[static_cast<std::size_t>(chain_.front())].base.layers) {
    queue_.add(baseName(layer), [this, layer](std::stop_token stop) { return placeBase(layer, std::move(stop)); });
  }
}

void ImageCollector::addStep(StageBuild& stage, int index, int step) {
  if (isInChain(index)) {
    queue_.add(stepName(index, step), [this, &stage, index, step](std::stop_token stop) -> publish::UploadResult {
      const Result<BlobRecord> blob = blobOf(stage, step, stop);
      if (!blob) {
        return refused(blob.error());
      }
      (*blobs_.lock())[stepName(index, step)] = *blob;
      for (const oci::Repository& repository : repositories_) {
        if (Status uploaded = uploadFile(repository, *blob, stop); !uploaded) {
          return refused(uploaded.error());
        }
      }
      return publish::Placed{};
    });
  }
}

Status ImageCollector::fetchBase(const oci::Descriptor& layer, std::stop_token stop) {
  const std::string path = store_.blobPath(layer.digest);
  if (::access(path.c_str(), F_OK) == 0) {
    return ok();
  }
  const plan::Base& base = plan_.stages[static_cast<std::size_t>(chain_.front())].base;
  const std::string temporary = store_.scratch() + "/base-" + toHex(randomBytes(6));
  const Fd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) {
    return systemError("open", temporary, errno);
  }
  CHECK_OK(sourceOf_(base).fetchLayer(
      base.reference, layer, [&](std::string_view bytes) { return writeAll(file.get(), bytes, temporary); }, stop));
  return ::rename(temporary.c_str(), path.c_str()) == 0 ? ok() : Status(systemError("rename", path, errno));
}

publish::UploadResult ImageCollector::placeBase(const oci::Descriptor& layer, std::stop_token stop) {
  const plan::Base& base = plan_.stages[static_cast<std::size_t>(chain_.front())].base;
  const Result<oci::Reference> source = oci::parseReference(base.reference);
  if (!source) {
    return refused(source.error());
  }
  const bool isLayout = source->repository.registry.ends_with(kLayoutHost);
  if (needsBase_ || (isLayout && !repositories_.empty())) {
    if (Status fetched = fetchBase(layer, stop); !fetched) {
      return refused(fetched.error());
    }
  }
  publish::UploadResult result = publish::Placed{layer, "exists"};
  for (const oci::Repository& repository : repositories_) {
    if (isLayout) {
      const Status uploaded = uploadFile(repository, {layer.digest, {}, layer.size}, stop);
      result = uploaded ? result : refused(uploaded.error());
    } else {
      const publish::Route route{client_, client_, repository, clock_, dockerFormat_};
      result = publish::placeBaseLayer(route, source->repository, layer, stop);
    }
    if (std::holds_alternative<publish::Refusal>(result)) {
      return result;
    }
  }
  return result;
}

Result<BlobRecord> ImageCollector::blobOf(StageBuild& stage, int step, std::stop_token stop) {
  StepRecord record = stage.records()[static_cast<std::size_t>(step)];
  if (record.blob && ::access(store_.blobPath(record.blob->digest).c_str(), R_OK) == 0) {
    return *record.blob;
  }
  if (record.layer.empty()) {  // of an imported cache
    CHECK_OK(cache_.fetchBlob(*record.blob, stop));
    return *record.blob;
  }
  TRY(const LayerDirectories lowers, stage.layersBefore(step, stop));
  TRY(BlobRecord blob, makeLayerBlob(store_, store_.layerFiles(record.layer), lowers, stop));
  record.blob = blob;
  CHECK_OK(store_.saveStep(stage.keys()[static_cast<std::size_t>(step)], record));
  return blob;
}

Status ImageCollector::uploadFile(const oci::Repository& repository, const BlobRecord& blob, std::stop_token stop) {
  TRY(const bool exists, client_.hasBlob(repository, blob.digest, stop));
  if (exists) {
    return ok();
  }
  TRY(FileBody body, FileBody::open(store_.blobPath(blob.digest), blob.size));
  return client_.pushBlob(repository, {blob.digest, blob.size}, body, stop);
}

Result<ImageCollector::Layers> ImageCollector::collect(const std::vector<StageBuild*>& chain, std::stop_token stop) {
  if (!queue_.waitUntilIdle(stop)) {
    return cancelled("stopped");
  }
  const auto refusal = queue_.findRefusal([](const std::string&, const publish::Refusal&) { return true; });
  if (refusal) {
    const bool isDenied = refusal->exit == plan::Exit::kDenied;
    return isDenied ? denied(refusal->failure.message) : unavailable(refusal->failure.message);
  }
  Layers out;
  const plan::Base& base = plan_.stages[static_cast<std::size_t>(chain_.front())].base;
  for (std::size_t i = 0; i < base.layers.size(); ++i) {
    ImageLayer layer{base.layers[i], base.diffIds[i], needsBase_ ? store_.blobPath(base.layers[i].digest) : ""};
    layer.descriptor.mediaType = publish::layerMediaType(layer.descriptor.mediaType, dockerFormat_);
    out.layers.push_back(std::move(layer));
  }
  auto blobs = blobs_.lock();
  for (std::size_t i = 0; i < chain.size(); ++i) {
    for (std::size_t step = 0; step < chain[i]->records().size(); ++step) {
      const BlobRecord& blob = blobs->at(stepName(chain_[i], static_cast<int>(step)));
      ImageLayer layer;
      layer.descriptor.mediaType = publish::layerMediaType(oci::kMediaLayerGzip, dockerFormat_);
      layer.descriptor.digest = blob.digest;
      layer.descriptor.size = blob.size;
      layer.diffId = blob.diffId;
      layer.file = store_.blobPath(blob.digest);
      out.layers.push_back(std::move(layer));
      out.times.push_back(chain[i]->records()[step].created);
    }
  }
  return out;
}

Status ImageCollector::push(const Image& image, const std::vector<oci::Reference>& tags, std::stop_token stop) {
  for (const oci::Repository& repository : repositories_) {
    const publish::Route route{client_, client_, repository, clock_, dockerFormat_};
    const publish::UploadResult placed =
        publish::placeBytes(route, image.config, image.configDescriptor.mediaType, stop);
    if (const auto* refusal = std::get_if<publish::Refusal>(&placed)) {
      const bool isDenied = refusal->exit == plan::Exit::kDenied;
      return isDenied ? denied(refusal->failure.message) : unavailable(refusal->failure.message);
    }
    for (const oci::Reference& tag : tags) {
      if (tag.repository == repository) {
        CHECK_OK(client_.pushManifest(repository, tag.tagOrLatest(), image.mediaType, image.manifest, stop));
      }
    }
  }
  return ok();
}

}  // namespace stagewright::local
