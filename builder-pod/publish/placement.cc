#include "builder-pod/publish/placement.h"

#include <algorithm>

#include "builder-pod/publish/blob_pipe.h"
#include "builder-pod/publish/layer_source.h"
#include "builder-pod/publish/media_types.h"
#include "lib/registry/host_config.h"

namespace stagewright::publish {

namespace {

constexpr std::int64_t kSmallLayer = 4 * 1024 * 1024;
constexpr int kCompressionThreads = 2;
constexpr int kReadings = 6;
constexpr Millis kReadAgainAfter{1'000};

std::string_view layerType(const Route& route) {
  return route.compression == compress::Format::kZstd ? oci::kMediaLayerZstd : oci::kMediaLayerGzip;
}

oci::Descriptor describe(const Route& route, const registry::BlobDigest& blob,
                         std::string_view mediaType) {
  oci::Descriptor descriptor;
  descriptor.mediaType = layerMediaType(mediaType, route.dockerFormat);
  descriptor.digest = blob.digest;
  descriptor.size = blob.size;
  return descriptor;
}

Result<std::string> placeKnown(const Route& route, const registry::BlobDigest& blob,
                               std::string bytes, std::stop_token stop) {
  TRY(bool exists, route.push.hasBlob(route.target, blob.digest, stop));
  if (exists) {
    return std::string("exists");
  }
  http::StringSource source(std::move(bytes));
  CHECK_OK(route.push.pushBlob(route.target, blob, source, stop));
  return std::string("uploaded");
}

/// Compressed into memory. REQUIRES: a small layer.
Result<Placed> placeSmall(const Route& route, LayerSource& source, std::stop_token stop) {
  CHECK_OK(source.rewind());
  std::string bytes;
  std::string buffer(256 * 1024, '\0');
  while (true) {
    TRY(std::size_t n, source.read(buffer.data(), buffer.size()));
    if (n == 0) {
      break;
    }
    bytes.append(buffer, 0, n);
  }
  TRY(registry::BlobDigest blob, source.digest());
  TRY(std::string how, placeKnown(route, blob, std::move(bytes), stop));
  return Placed{describe(route, blob, layerType(route)), std::move(how)};
}

Result<Placed> placeLarge(const Route& route, LayerSource& source, std::stop_token stop) {
  TRY(registry::BlobDigest blob, route.push.pushBlobStream(
                                     route.target, source, [&] { return source.digest(); }, stop));
  return Placed{describe(route, blob, layerType(route)), "uploaded"};
}

UploadResult copyBaseLayer(const Route& route, const oci::Repository& source,
                           const oci::Descriptor& layer, Placed placed, std::stop_token stop) {
  BlobPipe pipe(route.pull, source, layer, stop);
  const Status copied = route.push.pushBlob(route.target, {layer.digest, layer.size}, pipe, stop);
  if (copied) {
    placed.how = "uploaded";
    return placed;
  }
  const std::optional<Error> fetchError = pipe.fetchError();
  const bool ownFault = !fetchError || fetchError->code == Code::kCancelled;
  return ownFault ? makeRefusal(Phase::kPush, copied.error())
                  : makeRefusal(Phase::kBase, *fetchError);
}

}  // namespace

UploadResult placeBaseLayer(const Route& route, const oci::Repository& source,
                            const oci::Descriptor& layer, std::stop_token stop) {
  Placed placed{layer, "exists"};
  placed.descriptor.mediaType = layerMediaType(layer.mediaType, route.dockerFormat);
  if (isForeignLayer(layer.mediaType)) {
    return placed;
  }
  const Result<bool> exists = route.push.hasBlob(route.target, layer.digest, stop);
  if (!exists) {
    return makeRefusal(Phase::kPush, exists.error());
  }
  if (*exists) {
    return placed;
  }
  if (registry::canonicalHost(source.registry) == registry::canonicalHost(route.target.registry)) {
    const Result<bool> mounted = route.push.mountBlob(route.target, layer.digest, source, stop);
    if (!mounted) {
      return makeRefusal(Phase::kPush, mounted.error());
    }
    if (*mounted) {
      placed.how = "mounted";
      return placed;
    }
  }
  return copyBaseLayer(route, source, layer, std::move(placed), stop);
}

UploadResult placeLayer(const Route& route, const plan::LayerReport& layer,
                        const std::function<Result<Fd>()>& open, std::stop_token stop) {
  for (int reading = 1;; ++reading) {
    LayerSource source(layer, open, route.compression, kCompressionThreads);
    Result<Placed> placed = layer.size <= kSmallLayer ? placeSmall(route, source, stop)
                                                      : placeLarge(route, source, stop);
    if (placed) {
      return std::move(*placed);
    }
    if (placed.error().code != Code::kConflict) {
      return makeRefusal(Phase::kPush, placed.error());
    }
    if (reading == kReadings) {
      return makeRefusal(Phase::kVolume, placed.error());
    }
    if (!route.clock.sleepFor(kReadAgainAfter, stop)) {
      return makeRefusal(Phase::kVolume, cancelled("cancelled"));
    }
  }
}

UploadResult placeBytes(const Route& route, std::string bytes, std::string_view mediaType,
                        std::stop_token stop) {
  const registry::BlobDigest blob{oci::Digest::ofBytes(bytes),
                                  static_cast<std::int64_t>(bytes.size())};
  const Result<std::string> how = placeKnown(route, blob, std::move(bytes), stop);
  if (!how) {
    return makeRefusal(Phase::kPush, how.error());
  }
  Placed placed{{}, *how};
  placed.descriptor.mediaType = std::string(mediaType);
  placed.descriptor.digest = blob.digest;
  placed.descriptor.size = blob.size;
  return placed;
}

}  // namespace stagewright::publish
