#include "local/image_archive.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "builder-pod/stage/source_tree.h"
#include "builder-pod/stage/unpack.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/json.h"
#include "lib/compress/compressor.h"
#include "lib/compress/decompressor.h"
#include "lib/layer/tree.h"
#include "lib/oci/manifest.h"

namespace stagewright::local {

namespace {

constexpr std::size_t kArchiveDocumentLimit = 8 * 1024 * 1024;
constexpr int kGzipThreads = 2;

Status unpack(const std::string& path, const std::string& directory) {
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) {
    return systemError("open", path, errno);
  }
  TRY(layer::Tree tree, layer::Tree::open(directory, {}, {}));
  TRY(const auto from, stage::makeFileTree("archive", std::move(file)));
  TRY(const bool isArchive, stage::unpackArchive(tree, *from, "archive", "/", std::nullopt));
  return isArchive ? ok() : Status(invalid(path + " is no tar archive"));
}

/// Makes the layout of one docker-archive.
class LayoutMaker {
 public:
  LayoutMaker(std::string directory, std::stop_token stop) : directory_(std::move(directory)), stop_(std::move(stop)) {}

  Status make(const Json& images) {
    CHECK_OK(makeDirectories(directory_ + "/blobs/sha256"));
    Json entries = Json::array();
    for (const Json& image : images) {
      const JsonReader reader(image);
      TRY(const oci::Descriptor manifest, makeManifest(reader));
      TRY(const std::vector<std::string> tags, reader.strings("RepoTags"));
      for (const std::string& tag : tags.empty() ? std::vector<std::string>{""} : tags) {
        oci::Descriptor entry = manifest;
        if (!tag.empty()) {
          entry.annotations["org.opencontainers.image.ref.name"] = tag.substr(tag.rfind(':') + 1);
        }
        entries.push_back(oci::toJson(entry));
      }
    }
    return saveFileAtomically(directory_ + "/index.json", dumpJson({{"schemaVersion", 2}, {"manifests", std::move(entries)}}));
  }

 private:
  Result<oci::Descriptor> makeManifest(const JsonReader& image) {
    TRY(const std::string configName, image.string("Config"));
    TRY(const std::vector<std::string> layers, image.strings("Layers"));
    oci::Manifest manifest;
    TRY(const std::string config, read(configName));
    TRY(manifest.config, saveBlob(config, oci::kMediaConfig));
    for (const std::string& name : layers) {
      TRY(oci::Descriptor layer, compressLayer(name));
      manifest.layers.push_back(std::move(layer));
    }
    return saveBlob(oci::serializeManifest(manifest), oci::kMediaManifest);
  }

  /// Beneath the directory whatever links the archive has.
  Result<Fd> open(const std::string& name) const {
    TRY(layer::Tree tree, layer::Tree::open(directory_, {}, {}));
    TRY(const std::string path, tree.resolve(name));
    Fd file(::open((directory_ + "/" + path).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    return file ? Result<Fd>(std::move(file)) : systemError("open", name + " of the archive", errno);
  }

  Result<std::string> read(const std::string& name) const {
    TRY(const Fd file, open(name));
    std::string out(kArchiveDocumentLimit + 1, '\0');
    std::size_t size = 0;
    for (ssize_t n = 1; n > 0 && size < out.size(); size += static_cast<std::size_t>(n)) {
      n = ::read(file.get(), out.data() + size, out.size() - size);
      if (n < 0) {
        return systemError("read", name, errno);
      }
    }
    if (size > kArchiveDocumentLimit) {
      return invalid(name + " of the archive is larger than 8 MiB");
    }
    out.resize(size);
    return out;
  }

  std::string blobPath(const oci::Digest& digest) const {
    return directory_ + "/blobs/sha256/" + std::string(digest.hex());
  }

  Result<oci::Descriptor> saveBlob(const std::string& bytes, std::string_view mediaType) const {
    oci::Descriptor out;
    out.mediaType = std::string(mediaType);
    out.digest = oci::Digest::ofBytes(bytes);
    out.size = static_cast<std::int64_t>(bytes.size());
    CHECK_OK(saveFileAtomically(blobPath(out.digest), bytes));
    return out;
  }

  Result<oci::Descriptor> compressLayer(const std::string& name) const {
    TRY(const Fd in, open(name));
    compress::Decompressor plain(compress::readerOf(in.get(), name));  // some tools compress them
    const auto compressor = compress::Compressor::make(
        compress::Format::kGzip, [&](char* buffer, std::size_t size) { return plain.read(buffer, size); }, kGzipThreads);
    const std::string temporary = directory_ + "/layer-" + toHex(randomBytes(6));
    const Fd out(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!out) {
      return systemError("open", temporary, errno);
    }
    for (;;) {
      TRY(const std::string_view piece, compressor->next());
      if (piece.empty()) {
        break;
      }
      if (stop_.stop_requested()) {
        return cancelled("stopped");
      }
      CHECK_OK(writeAll(out.get(), piece, temporary));
    }
    oci::Descriptor layer;
    layer.mediaType = std::string(oci::kMediaLayerGzip);
    layer.digest = oci::Digest::ofSha256Hex(compressor->summary().sha256);
    layer.size = compressor->summary().size;
    return ::rename(temporary.c_str(), blobPath(layer.digest).c_str()) == 0
               ? Result<oci::Descriptor>(std::move(layer))
               : systemError("rename", temporary, errno);
  }

  std::string directory_;
  std::stop_token stop_;
};

}  // namespace

Result<std::string> openImageArchive(const std::string& path, Store& store, std::stop_token stop) {
  TRY(const std::string directory, store.makeScratchDirectory("image"));
  CHECK_OK(unpack(path, directory));
  if (::access((directory + "/index.json").c_str(), F_OK) == 0) {
    return directory;
  }
  const auto text = loadFile(directory + "/manifest.json", kArchiveDocumentLimit);
  const auto json = text ? parseJson(*text) : Result<Json>(text.error());
  if (!json || !json->is_array()) {
    return invalid(path + " holds neither an OCI layout nor what `docker save` writes");
  }
  CHECK_OK(LayoutMaker(directory, std::move(stop)).make(*json));
  return directory;
}

}  // namespace stagewright::local
