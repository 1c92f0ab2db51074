#include "cli/image_export.h"

#include <fcntl.h>

#include <map>

#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/compress/decompressor.h"
#include "lib/layer/tar_reader.h"
#include "lib/layer/tar_writer.h"

namespace stagewright::cli {

namespace {

using layer::TarType;

/// A layer file's tar.
class LayerFile final : public layer::ByteSource {
 public:
  LayerFile(Fd fd, const std::string& path)
      : fd_(std::move(fd)), decompressor_(compress::readerOf(fd_.get(), path)) {}
  static Result<std::unique_ptr<LayerFile>> open(const std::string& path) {
    Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) {
      return systemError("open", path, errno);
    }
    return std::make_unique<LayerFile>(std::move(fd), path);
  }
  Result<std::size_t> read(char* buffer, std::size_t size) override {
    return decompressor_.read(buffer, size);
  }

 private:
  Fd fd_;
  compress::Decompressor decompressor_;
};

Status fetchLayer(registry::Client& client, const oci::Repository& repository,
                  const oci::Descriptor& layer, const std::string& path) {
  const Fd out(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!out) {
    return systemError("open", path, errno);
  }
  return client.fetchBlob(repository, layer,
                          [&](std::string_view bytes) { return writeAll(out.get(), bytes, path); },
                          {});
}

/// Applies a layer, hashing all of the tar on the way: its diffId must be right.
Status applyLayer(const std::string& path, const oci::Digest& diffId, ImageTree& tree) {
  TRY(auto file, LayerFile::open(path));
  layer::HashingSource hashing(*file);
  CHECK_OK(tree.apply(hashing));
  CHECK_OK(hashing.drain());
  const std::string hex = hashing.sha256Hex();
  return hex == diffId.hex() ? ok()
                             : Status(invalid("layer has diffId sha256:" + hex +
                                              ", its config says " + diffId.str()));
}

/// All names of each regular file, by the place of its data.
using Places = std::map<std::pair<int, int>, std::vector<std::string>>;

Status writeFiles(const std::string& path, int layerIndex, const ImageTree& tree,
                  const Places& places, layer::TarWriter& tar) {
  TRY(auto file, LayerFile::open(path));
  layer::TarReader reader(*file);
  std::string buffer(256 * 1024, '\0');
  for (int position = 0;; ++position) {
    TRY(std::optional<layer::TarEntry> entry, reader.next());
    if (!entry) {
      return ok();
    }
    const auto it = places.find({layerIndex, position});
    if (it == places.end()) {
      continue;
    }
    layer::TarEntry first = tree.files().at(it->second.front())->entry;
    first.name = it->second.front();
    CHECK_OK(tar.begin(first));
    while (true) {
      TRY(std::size_t n, reader.read(buffer.data(), buffer.size()));
      if (n == 0) {
        break;
      }
      CHECK_OK(tar.data(std::string_view(buffer).substr(0, n)));
    }
    CHECK_OK(tar.end());
    for (std::size_t i = 1; i < it->second.size(); ++i) {
      layer::TarEntry link = first;
      link.type = TarType::kHardLink;
      link.name = it->second[i];
      link.link = first.name;
      link.size = 0;
      CHECK_OK(tar.add(link));
    }
  }
}

Status writeOthers(const ImageTree& tree, bool directories, layer::TarWriter& tar) {
  for (const auto& [path, file] : tree.files()) {
    const bool isDirectory = file->entry.type == TarType::kDirectory;
    if (file->entry.type == TarType::kFile || isDirectory != directories) {
      continue;
    }
    layer::TarEntry entry = file->entry;
    entry.name = path;
    CHECK_OK(tar.add(entry));
  }
  return ok();
}

}  // namespace

Result<ExportedImage> fetchTree(const oci::Reference& reference, const oci::Platform& platform,
                                registry::Client& client, const WorkDirectory& work) {
  TRY(registry::ResolvedImage image, client.resolveImage(reference, platform, {}));
  TRY(oci::ImageConfig config, client.fetchConfig(reference.repository, image.manifest, {}));
  if (config.diffIds.size() != image.manifest.layers.size()) {
    return invalid("the image has " + std::to_string(image.manifest.layers.size()) +
                   " layers and " + std::to_string(config.diffIds.size()) + " diffIds");
  }
  ExportedImage exported;
  for (std::size_t i = 0; i < config.diffIds.size(); ++i) {
    const std::string path = work.file("layer-" + std::to_string(i));
    CHECK_OK(fetchLayer(client, reference.repository, image.manifest.layers[i], path));
    Status applied = applyLayer(path, config.diffIds[i], exported.tree);
    if (!applied) {
      return std::move(applied).error().during("layer " + std::to_string(i));
    }
    exported.layerFiles.push_back(path);
  }
  return exported;
}

Status saveTree(const ExportedImage& image, const std::string& path) {
  const Fd out(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!out) {
    return systemError("open", path, errno);
  }
  Places places;
  for (const auto& [name, file] : image.tree.files()) {
    if (file->entry.type == TarType::kFile) {
      places[{file->layer, file->position}].push_back(name);
    }
  }
  layer::HashingFileSink sink(out.get(), path);
  layer::TarWriter tar(sink);
  CHECK_OK(writeOthers(image.tree, true, tar));
  for (std::size_t i = 0; i < image.layerFiles.size(); ++i) {
    CHECK_OK(writeFiles(image.layerFiles[i], static_cast<int>(i), image.tree, places, tar));
  }
  CHECK_OK(writeOthers(image.tree, false, tar));
  CHECK_OK(tar.finish());
  return sink.finish();
}

}  // namespace stagewright::cli
