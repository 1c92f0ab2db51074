#include "local/registry_source.h"

#include <nlohmann/json.hpp>

#include "lib/base/file.h"
#include "lib/base/json.h"
#include "local/scratch_file.h"

namespace stagewright::local {

namespace {

constexpr std::size_t kReferenceRecordLimit = 16 * 1024 * 1024;

/// {"reference", "config": text, "layers": [descriptor]}
std::string formatImage(const plan::BaseImage& image) {
  Json layers = Json::array();
  for (const oci::Descriptor& layer : image.layers) {
    layers.push_back(oci::toJson(layer));
  }
  return dumpJson({{"reference", image.reference},
                   {"config", oci::serializeImageConfig(image.config)},
                   {"layers", std::move(layers)}});
}

Result<plan::BaseImage> parseImage(const std::string& text) {
  TRY(const Json json, parseJson(text));
  const JsonReader reader(json);
  plan::BaseImage image;
  TRY(image.reference, reader.string("reference"));
  TRY(const std::string config, reader.string("config"));
  TRY(image.config, oci::parseImageConfig(config));
  TRY(const auto layers, reader.array("layers"));
  for (const JsonReader& layer : layers) {
    TRY(oci::Descriptor descriptor, oci::parseDescriptor(layer));
    image.layers.push_back(std::move(descriptor));
  }
  return image;
}

std::optional<plan::BaseImage> loadImage(const std::string& path) {
  const auto text = loadFile(path, kReferenceRecordLimit);
  auto image = text ? parseImage(*text) : Result<plan::BaseImage>(text.error());
  return image ? std::optional(std::move(*image)) : std::nullopt;
}

}  // namespace

Result<plan::BaseImage> RegistrySource::fetchAnew(const oci::Reference& reference, const oci::Platform& platform,
                                                  std::stop_token stop) {
  TRY(const registry::ResolvedImage resolved, client_.resolveImage(reference, platform, stop));
  TRY(oci::ImageConfig config, client_.fetchConfig(reference.repository, resolved.manifest, stop));
  if (config.diffIds.size() != resolved.manifest.layers.size()) {
    return unavailable("its manifest and its config disagree about the number of layers");
  }
  return plan::BaseImage{reference.pinned(resolved.digest), std::move(config), resolved.manifest.layers};
}

Result<plan::BaseImage> RegistrySource::fetchImage(const std::string& name, const oci::Platform& platform,
                                                   std::stop_token stop) {
  TRY(const oci::Reference reference, oci::parseReference(name));
  // Remembered under the digest that the tag has now (of an index, perhaps), and once more under the tag for the time when
  // the registry does not answer.
  const std::string byTag = store_.imagePath("tag " + reference.str() + " " + platform.str());
  const Result<oci::Digest> digest =
      reference.digest ? Result<oci::Digest>(*reference.digest) : client_.fetchDigest(reference, stop);
  if (!digest) {
    auto last = loadImage(byTag);
    const bool mayUseLast = last && !refresh_ && digest.error().code == Code::kUnavailable;
    return mayUseLast ? Result<plan::BaseImage>(std::move(*last)) : digest.error();
  }
  const std::string byDigest = store_.imagePath(reference.repository.str() + "@" + digest->str() + " " + platform.str());
  if (auto known = loadImage(byDigest)) {
    return std::move(*known);
  }
  oci::Reference pinned = reference;
  pinned.digest = *digest;
  TRY(plan::BaseImage image, fetchAnew(pinned, platform, stop));
  const std::string text = formatImage(image);
  CHECK_OK(saveScratchFile(byDigest, text));
  CHECK_OK(saveScratchFile(byTag, text));
  return image;
}

Status RegistrySource::fetchLayer(const std::string& pinnedReference, const oci::Descriptor& layer,
                                  const http::BodySink& sink, std::stop_token stop) {
  TRY(const oci::Reference reference, oci::parseReference(pinnedReference));
  return client_.fetchBlob(reference.repository, layer, sink, stop);
}

}  // namespace stagewright::local
