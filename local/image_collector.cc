#include "local/image_collector.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "builder-pod/publish/media_types.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/registry/host_config.h"
#include "local/file_body.h"

namespace stagewright::local {

namespace {

constexpr int kThreads = 3;
constexpr std::size_t kSmallLayer = 4 * 1024 * 1024;
constexpr std::size_t kUploadPiece = 256 * 1024;

std::string stepName(int stage, int step) { return "step " + std::to_string(stage) + "/" + std::to_string(step); }
std::string baseName(const oci::Descriptor& layer) { return "base " + layer.digest.str(); }

publish::UploadResult refused(const Error& error) { return publish::makeRefusal(publish::Phase::kPush, error); }

/// The rest of a body whose first bytes were read already.
class HeadedBody final : public http::BodySource {
 public:
  HeadedBody(std::string head, http::BodySource& rest) : head_(std::move(head)), rest_(rest) {}
  Result<std::size_t> read(char* buffer, std::size_t size) override {
    wasRead_ = true;
    if (at_ == head_.size()) {
      head_ = {};
      at_ = 0;
      return rest_.read(buffer, size);
    }
    const std::size_t n = std::min(size, head_.size() - at_);
    std::copy_n(head_.data() + at_, n, buffer);
    at_ += n;
    return n;
  }
  Status rewind() override {
    if (!std::exchange(wasRead_, false)) {
      return ok();
    }
    head_ = {};
    at_ = 0;
    return rest_.rewind();
  }

 private:
  std::string head_;
  http::BodySource& rest_;
  std::size_t at_ = 0;
  bool wasRead_ = false;
};

/// Less than `limit` bytes are all there is; beyond the limit at most a piece is kept.
Result<std::string> readUpTo(http::BodySource& source, std::size_t limit, std::stop_token stop) {
  std::string out;
  for (std::size_t filled = 0; filled < limit;) {
    if (stop.stop_requested()) {
      return cancelled("stopped");
    }
    out.resize(filled + kUploadPiece);
    TRY(const std::size_t n, source.read(out.data() + filled, kUploadPiece));
    filled += n;
    out.resize(filled);
    if (n == 0) {
      break;
    }
  }
  return out;
}

}  // namespace

ImageCollector::ImageCollector(const plan::BuildPlan& plan, Store& store, registry::Client& client, StepCache& cache,
                               Clock& clock, Wishes wishes, std::function<ImageSource&(const plan::Base&)> sourceOf)
    : plan_(plan),
      store_(store),
      client_(client),
      cache_(cache),
      clock_(clock),
      wishes_(std::move(wishes)),
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
      const Result<BlobRecord> blob = placeStep(stage, step, std::move(stop));
      if (!blob) {
        return refused(blob.error());
      }
      (*blobs_.lock())[stepName(index, step)] = *blob;
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
  if (wishes_.files || (isLayout && !wishes_.repositories.empty())) {
    if (Status fetched = fetchBase(layer, stop); !fetched) {
      return refused(fetched.error());
    }
  }
  publish::UploadResult result = publish::Placed{layer, "exists"};
  for (const oci::Repository& repository : wishes_.repositories) {
    if (isLayout) {
      const Result<bool> found = findBlob(repository, layer.digest, stop);
      const Status uploaded = !found  ? Status(found.error())
                              : *found ? ok()
                                       : uploadFile(repository, {layer.digest, {}, layer.size}, stop);
      result = uploaded ? result : refused(uploaded.error());
    } else {
      const publish::Route route{client_, client_, repository, clock_, wishes_.dockerFormat};
      result = publish::placeBaseLayer(route, source->repository, layer, stop);
    }
    if (std::holds_alternative<publish::Refusal>(result)) {
      return result;
    }
  }
  return result;
}

StepRecord ImageCollector::recordOf(StageBuild& stage, int step) const {
  StepRecord record = stage.records()[static_cast<std::size_t>(step)];
  const auto saved = store_.findStep(stage.keys()[static_cast<std::size_t>(step)]);
  if (saved && saved->layer == record.layer && saved->blob) {  // another build may have made another layer
    record.blob = saved->blob;
  }
  return record;
}

bool ImageCollector::isFile(const BlobRecord& blob) const {
  return ::access(store_.blobPath(blob.digest).c_str(), R_OK) == 0;
}

/// A layer of an imported cache is unpacked for it.
Result<std::unique_ptr<LayerStream>> ImageCollector::openStep(StageBuild& stage, int step, std::stop_token stop) {
  TRY(LayerDirectories lowers, stage.layersBefore(step + 1, std::move(stop)));
  const std::string upper = std::move(lowers.back());
  lowers.pop_back();
  return LayerStream::open(store_, upper, lowers, wishes_.format);
}

Status ImageCollector::saveBlob(StageBuild& stage, int step, StepRecord record, const BlobRecord& blob) {
  if (record.layer.empty() || record.blob == blob) {  // what is imported is saved when it is unpacked
    return ok();
  }
  record.blob = blob;
  return store_.saveStep(stage.keys()[static_cast<std::size_t>(step)], record);
}

Result<BlobRecord> ImageCollector::blobOf(StageBuild& stage, int step, std::stop_token stop) {
  const StepRecord record = recordOf(stage, step);
  if (record.blob && record.blob->format == wishes_.format) {
    if (isFile(*record.blob)) {
      return *record.blob;
    }
    if (record.layer.empty()) {  // of an imported cache
      CHECK_OK(cache_.fetchBlob(*record.blob, stop));
      return *record.blob;
    }
  }
  TRY(const auto stream, openStep(stage, step, stop));
  TRY(const BlobRecord blob, saveLayerBlob(store_, *stream, stop));
  CHECK_OK(saveBlob(stage, step, record, blob));
  return blob;
}

Result<BlobRecord> ImageCollector::placeStep(StageBuild& stage, int step, std::stop_token stop) {
  const StepRecord record = recordOf(stage, step);
  std::optional<BlobRecord> known = record.blob && record.blob->format == wishes_.format ? record.blob : std::nullopt;
  const bool isImported = known && record.layer.empty();
  std::unique_ptr<LayerStream> stream;
  if (wishes_.stepFiles) {
    TRY(known, blobOf(stage, step, stop));
  } else if (wishes_.repositories.empty() && !known) {
    TRY(stream, openStep(stage, step, stop));
    TRY(known, digestLayer(*stream, stop));
  }
  for (const oci::Repository& repository : wishes_.repositories) {
    TRY(const bool found, known ? findBlob(repository, known->digest, stop) : Result<bool>(false));
    if (!found && isImported) {
      CHECK_OK(cache_.fetchBlob(*known, stop));
    }
    if (!found && known && isFile(*known)) {
      CHECK_OK(uploadFile(repository, *known, stop));
    } else if (!found) {
      if (!stream) {
        TRY(stream, openStep(stage, step, stop));
      }
      TRY(known, uploadStream(repository, *stream, stop));
    }
    CHECK_OK(store_.notePlace(known->digest, repository));
  }
  CHECK_OK(saveBlob(stage, step, record, *known));
  return *known;
}

Result<BlobRecord> ImageCollector::digestLayer(LayerStream& stream, std::stop_token stop) {
  CHECK_OK(stream.rewind());
  std::string buffer(kUploadPiece, '\0');
  for (;;) {
    TRY(const std::size_t n, stream.read(buffer.data(), buffer.size()));
    if (n == 0) {
      return stream.record();
    }
    if (stop.stop_requested()) {
      return cancelled("stopped");
    }
  }
}

Result<bool> ImageCollector::findBlob(const oci::Repository& repository, const oci::Digest& digest, std::stop_token stop) {
  TRY(const bool exists, client_.hasBlob(repository, digest, stop));
  if (exists) {
    return true;
  }
  for (const oci::Repository& place : store_.placesOf(digest)) {
    if (registry::canonicalHost(place.registry) == registry::canonicalHost(repository.registry) && place != repository) {
      return client_.mountBlob(repository, digest, place, stop);
    }
  }
  return false;
}

/// A small layer is complete before it is sent, so that an equal one is found by its digest.
Result<BlobRecord> ImageCollector::uploadStream(const oci::Repository& repository, LayerStream& stream,
                                                std::stop_token stop) {
  CHECK_OK(stream.rewind());
  TRY(std::string head, readUpTo(stream, kSmallLayer, stop));
  const bool isWhole = head.size() < kSmallLayer;
  if (!isWhole) {
    HeadedBody body(std::move(head), stream);
    CHECK_OK(client_.pushBlobStream(
                        repository, body,
                        [&]() -> Result<registry::BlobDigest> {
                          const BlobRecord record = stream.record();
                          return registry::BlobDigest{record.digest, record.size};
                        },
                        stop)
                 .map([](const registry::BlobDigest&) {}));
    return stream.record();
  }
  const BlobRecord record = stream.record();
  TRY(const bool found, findBlob(repository, record.digest, stop));
  if (!found) {
    http::StringSource body(std::move(head));
    CHECK_OK(client_.pushBlob(repository, {record.digest, record.size}, body, stop));
  }
  return record;
}

Status ImageCollector::uploadFile(const oci::Repository& repository, const BlobRecord& blob, std::stop_token stop) {
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
    ImageLayer layer{base.layers[i], base.diffIds[i], wishes_.files ? store_.blobPath(base.layers[i].digest) : ""};
    layer.descriptor.mediaType = publish::layerMediaType(layer.descriptor.mediaType, wishes_.dockerFormat);
    out.layers.push_back(std::move(layer));
  }
  auto blobs = blobs_.lock();
  for (std::size_t i = 0; i < chain.size(); ++i) {
    for (std::size_t step = 0; step < chain[i]->records().size(); ++step) {
      const BlobRecord& blob = blobs->at(stepName(chain_[i], static_cast<int>(step)));
      ImageLayer layer;
      layer.descriptor.mediaType = publish::layerMediaType(
          blob.format == compress::Format::kZstd ? oci::kMediaLayerZstd : oci::kMediaLayerGzip, wishes_.dockerFormat);
      layer.descriptor.digest = blob.digest;
      layer.descriptor.size = blob.size;
      layer.diffId = blob.diffId;
      layer.file = wishes_.files ? store_.blobPath(blob.digest) : "";
      out.layers.push_back(std::move(layer));
      out.times.push_back(chain[i]->records()[step].created);
    }
  }
  return out;
}

Status ImageCollector::push(const Image& image, const std::vector<oci::Reference>& tags, std::stop_token stop) {
  for (const oci::Repository& repository : wishes_.repositories) {
    const publish::Route route{client_, client_, repository, clock_, wishes_.dockerFormat};
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
