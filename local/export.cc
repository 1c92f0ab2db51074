#include "local/export.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <set>

#include "builder-pod/stage/copy_engine.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/json.h"
#include "lib/compress/decompressor.h"
#include "lib/layer/stream.h"
#include "lib/layer/tar_writer.h"
#include "lib/layer/tree.h"
#include "lib/layer/tree_writer.h"
#include "local/file_trees.h"

namespace stagewright::local {

namespace {

constexpr std::size_t kPiece = 256 * 1024;

Result<Fd> openDestination(const Output& output) {
  Fd file(output.destination == "-" ? ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
                                    : ::open(output.destination.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  return file ? Result<Fd>(std::move(file)) : systemError("open", output.destination, errno);
}

/// A plain archive of named files.
class Archive {
 public:
  explicit Archive(layer::ByteSink& sink) : tar_(sink) {}

  Status add(const std::string& name, const std::string& bytes) {
    CHECK_OK(tar_.begin(entryFor(name, static_cast<std::int64_t>(bytes.size()))));
    CHECK_OK(tar_.data(bytes));
    return tar_.end();
  }
  /// `read` gives exactly `size` bytes.
  Status add(const std::string& name, std::int64_t size, const compress::Reader& read) {
    CHECK_OK(tar_.begin(entryFor(name, size)));
    std::string buffer(kPiece, '\0');
    for (;;) {
      TRY(const std::size_t n, read(buffer.data(), buffer.size()));
      if (n == 0) {
        return tar_.end();
      }
      CHECK_OK(tar_.data(std::string_view(buffer).substr(0, n)));
    }
  }
  Status finish() { return tar_.finish(); }

 private:
  static layer::TarEntry entryFor(const std::string& name, std::int64_t size) {
    layer::TarEntry entry;
    entry.name = name;
    entry.mode = 0644;
    entry.size = size;
    return entry;
  }
  layer::TarWriter tar_;
};

Result<Fd> openLayer(const ImageLayer& layer) {
  Fd file(::open(layer.file.c_str(), O_RDONLY | O_CLOEXEC));
  return file ? Result<Fd>(std::move(file)) : systemError("open", layer.file, errno);
}

std::string blobName(const oci::Digest& digest) { return "blobs/sha256/" + std::string(digest.hex()); }

std::string makeIndex(const Image& image, const std::vector<std::string>& names) {
  oci::Descriptor descriptor;
  descriptor.mediaType = image.mediaType;
  descriptor.digest = image.digest;
  descriptor.size = static_cast<std::int64_t>(image.manifest.size());
  descriptor.platform = image.platform;
  Json manifests = Json::array();
  for (const std::string& name : names.empty() ? std::vector<std::string>{""} : names) {
    oci::Descriptor entry = descriptor;
    if (!name.empty()) {
      entry.annotations["io.containerd.image.name"] = name;
      entry.annotations["org.opencontainers.image.ref.name"] = name.substr(name.rfind(':') + 1);
    }
    manifests.push_back(oci::toJson(entry));
  }
  return dumpJson({{"schemaVersion", 2}, {"mediaType", oci::kMediaIndex}, {"manifests", std::move(manifests)}});
}

/// Where the files of a layout go.
class LayoutWriter {
 public:
  virtual ~LayoutWriter() = default;
  virtual Status add(const std::string& name, const std::string& bytes) = 0;
  virtual Status add(const std::string& name, const ImageLayer& layer) = 0;
};

class ArchiveLayout final : public LayoutWriter {
 public:
  explicit ArchiveLayout(Archive& archive) : archive_(archive) {}
  Status add(const std::string& name, const std::string& bytes) override { return archive_.add(name, bytes); }
  Status add(const std::string& name, const ImageLayer& layer) override {
    TRY(const Fd file, openLayer(layer));
    return archive_.add(name, layer.descriptor.size, compress::readerOf(file.get(), layer.file));
  }

 private:
  Archive& archive_;
};

class DirectoryLayout final : public LayoutWriter {
 public:
  explicit DirectoryLayout(std::string path) : path_(std::move(path)) {}
  Status add(const std::string& name, const std::string& bytes) override {
    return saveFileAtomically(path_ + "/" + name, bytes);
  }
  Status add(const std::string& name, const ImageLayer& layer) override {
    TRY(const Fd file, openLayer(layer));
    const std::string target = path_ + "/" + name;
    const Fd out(::open(target.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!out) {
      return systemError("open", target, errno);
    }
    stage::Content content;
    content.fd = file.get();
    content.size = layer.descriptor.size;
    return stage::copyBytes(content, out.get(), target);
  }

 private:
  std::string path_;
};

Status writeLayout(const Image& image, const std::vector<std::string>& names, LayoutWriter& out) {
  std::set<std::string> written;
  for (const ImageLayer& layer : image.layers) {
    if (written.insert(layer.descriptor.digest.str()).second) {
      CHECK_OK(out.add(blobName(layer.descriptor.digest), layer));
    }
  }
  CHECK_OK(out.add(blobName(image.configDescriptor.digest), image.config));
  CHECK_OK(out.add(blobName(image.digest), image.manifest));
  CHECK_OK(out.add("oci-layout", R"({"imageLayoutVersion":"1.0.0"})"));
  return out.add("index.json", makeIndex(image, names));
}

/// The size of a layer's plain archive is known only after it was read.
Result<std::int64_t> plainSize(const ImageLayer& layer) {
  TRY(const Fd file, openLayer(layer));
  compress::Decompressor plain(compress::readerOf(file.get(), layer.file));
  std::string buffer(kPiece, '\0');
  std::int64_t size = 0;
  for (;;) {
    TRY(const std::size_t n, plain.read(buffer.data(), buffer.size()));
    if (n == 0) {
      return size;
    }
    size += static_cast<std::int64_t>(n);
  }
}

}  // namespace

Status exportLayout(const Image& image, const std::vector<std::string>& names, const Output& output) {
  if (!output.tar) {
    CHECK_OK(makeDirectories(output.destination + "/blobs/sha256"));
    DirectoryLayout layout(output.destination);
    return writeLayout(image, names, layout);
  }
  TRY(const Fd file, openDestination(output));
  layer::HashingFileSink sink(file.get(), output.destination);
  Archive archive(sink);
  ArchiveLayout layout(archive);
  CHECK_OK(writeLayout(image, names, layout));
  CHECK_OK(archive.finish());
  return sink.finish();
}

Status exportDockerArchive(const Image& image, const std::vector<std::string>& names, const Output& output) {
  TRY(const Fd out, openDestination(output));
  layer::HashingFileSink sink(out.get(), output.destination);
  Archive archive(sink);
  Json layers = Json::array();
  std::set<std::string> written;
  for (const ImageLayer& layer : image.layers) {
    const std::string name = std::string(layer.diffId.hex()) + "/layer.tar";
    layers.push_back(name);
    if (!written.insert(name).second) {
      continue;
    }
    TRY(const std::int64_t size, plainSize(layer));
    TRY(const Fd file, openLayer(layer));
    compress::Decompressor plain(compress::readerOf(file.get(), layer.file));
    CHECK_OK(archive.add(name, size, [&](char* buffer, std::size_t n) { return plain.read(buffer, n); }));
  }
  const std::string config = std::string(image.configDescriptor.digest.hex()) + ".json";
  CHECK_OK(archive.add(config, image.config));
  const Json manifest = Json::array({{{"Config", config}, {"RepoTags", names}, {"Layers", std::move(layers)}}});
  CHECK_OK(archive.add("manifest.json", dumpJson(manifest)));
  CHECK_OK(archive.finish());
  return sink.finish();
}

Status exportTree(const std::string& root, const Output& output) {
  if (output.type == Output::Type::kLocal) {
    CHECK_OK(makeDirectories(output.destination));
    TRY(const auto from, makeStageTree(root));
    TRY(layer::Tree to, layer::Tree::open(output.destination, {}, {}));
    stage::CopyEngine engine(to, {});
    return engine.copy(*from, "", "/");
  }
  TRY(const Fd file, openDestination(output));
  layer::HashingFileSink sink(file.get(), output.destination);
  layer::TarWriter tar(sink);
  TRY(layer::Tree tree, layer::Tree::open(root, {}, {}));
  layer::TreeWriter writer(tree, tar);
  TRY(const std::vector<std::string> names, tree.list(""));
  for (const std::string& name : names) {
    CHECK_OK(writer.writeAll(name, name));
  }
  CHECK_OK(tar.finish());
  return sink.finish();
}

}  // namespace stagewright::local
