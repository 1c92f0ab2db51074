#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "local/image_source.h"

namespace stagewright::local {

namespace {

constexpr std::size_t kDocumentLimit = 8 * 1024 * 1024;
constexpr std::string_view kNameAnnotation = "org.opencontainers.image.ref.name";

bool isIndex(std::string_view mediaType) {
  return mediaType == oci::kMediaIndex || mediaType == oci::kMediaDockerList;
}

std::string blobPath(const oci::Digest& digest) { return "blobs/sha256/" + std::string(digest.hex()); }

}  // namespace

Result<std::string> LayoutSource::loadBlob(const oci::Digest& digest) const {
  TRY(std::string bytes, loadFile(directory_ + "/" + blobPath(digest), kDocumentLimit));
  if (oci::Digest::ofBytes(bytes) != digest) {
    return invalid(directory_ + "/" + blobPath(digest) + ": its content has another digest");
  }
  return bytes;
}

Result<oci::Descriptor> LayoutSource::findEntry(const std::string& name) const {
  TRY(const std::string text, loadFile(directory_ + "/index.json", kDocumentLimit));
  TRY(const oci::Index index, oci::parseIndex(text));
  TRY(const oci::Reference reference, oci::parseReference(name));
  const std::string tag = reference.tagOrLatest();
  for (const oci::Descriptor& entry : index.manifests) {
    const auto named = entry.annotations.find(std::string(kNameAnnotation));
    const bool hasTag = named != entry.annotations.end() && (named->second == tag || named->second.ends_with(":" + tag));
    if (reference.digest ? entry.digest == *reference.digest : hasTag) {
      return entry;
    }
  }
  if (!reference.tag && !reference.digest && index.manifests.size() == 1) {
    return index.manifests.front();
  }
  return notFound("the OCI layout " + directory_ + " has no image " +
                  stagewright::quoted(reference.digest ? reference.digest->str() : tag));
}

Result<plan::BaseImage> LayoutSource::fetchImage(const std::string& name, const oci::Platform& platform,
                                                 std::stop_token) {
  TRY(oci::Descriptor entry, findEntry(name));
  TRY(std::string bytes, loadBlob(entry.digest));
  if (isIndex(entry.mediaType)) {
    TRY(const oci::Index index, oci::parseIndex(bytes));
    TRY(entry, oci::selectPlatform(index, platform));
    TRY(bytes, loadBlob(entry.digest));
  }
  TRY(const oci::Manifest manifest, oci::parseManifest(bytes));
  TRY(const std::string configBytes, loadBlob(manifest.config.digest));
  TRY(oci::ImageConfig config, oci::parseImageConfig(configBytes));
  if (config.diffIds.size() != manifest.layers.size()) {
    return invalid("manifest and config disagree about the number of layers");
  }
  return plan::BaseImage{name_ + "@" + entry.digest.str(), std::move(config),
                         manifest.layers};
}

Status LayoutSource::fetchLayer(const std::string&, const oci::Descriptor& layer, const http::BodySink& sink,
                                std::stop_token stop) {
  const std::string path = directory_ + "/" + blobPath(layer.digest);
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) {
    return systemError("open", path, errno);
  }
  std::string buffer(256 * 1024, '\0');
  Sha256 hash;
  for (;;) {
    const ssize_t n = ::read(file.get(), buffer.data(), buffer.size());
    if (n < 0) {
      return systemError("read", path, errno);
    }
    if (n == 0) {
      break;
    }
    if (stop.stop_requested()) {
      return cancelled("stopped");
    }
    const std::string_view piece(buffer.data(), static_cast<std::size_t>(n));
    hash.update(piece);
    CHECK_OK(sink(piece));
  }
  return hash.hex() == layer.digest.hex() ? ok() : Status(invalid(path + ": its content has another digest"));
}

}  // namespace stagewright::local
