#include "cli/image_write.h"

#include <fcntl.h>
#include <unistd.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "lib/base/fd.h"
#include "lib/base/json.h"
#include "lib/layer/tar_writer.h"

namespace stagewright::cli {

namespace {

/// A file as the body of an upload.
class FileBody final : public http::BodySource {
 public:
  FileBody(Fd fd, std::int64_t size) : fd_(std::move(fd)), size_(size) {}
  Result<std::size_t> read(char* buffer, std::size_t size) override {
    const ssize_t n = ::read(fd_.get(), buffer, size);
    return n < 0 ? Result<std::size_t>(systemError("read", "layer", errno))
                 : static_cast<std::size_t>(n);
  }
  Status rewind() override {
    return ::lseek(fd_.get(), 0, SEEK_SET) == 0 ? ok()
                                                : Status(systemError("lseek", "layer", errno));
  }
  std::optional<std::int64_t> length() const override { return size_; }

 private:
  Fd fd_;
  std::int64_t size_;
};

Status pushBlob(registry::Client& client, const oci::Repository& repository,
                const oci::Descriptor& blob, http::BodySource& body) {
  TRY(bool exists, client.hasBlob(repository, blob.digest, {}));
  return exists ? ok() : client.pushBlob(repository, {blob.digest, blob.size}, body, {});
}

Status addBytes(layer::TarWriter& tar, const std::string& name, std::string_view bytes) {
  layer::TarEntry entry;
  entry.name = name;
  entry.mode = 0644;
  entry.size = static_cast<std::int64_t>(bytes.size());
  CHECK_OK(tar.begin(entry));
  CHECK_OK(tar.data(bytes));
  return tar.end();
}

Status addFile(layer::TarWriter& tar, const std::string& name, const std::string& path,
               std::int64_t size) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    return systemError("open", path, errno);
  }
  layer::TarEntry entry;
  entry.name = name;
  entry.mode = 0644;
  entry.size = size;
  CHECK_OK(tar.begin(entry));
  layer::FileSource file(fd.get(), path);
  std::string buffer(256 * 1024, '\0');
  while (true) {
    TRY(std::size_t n, file.read(buffer.data(), buffer.size()));
    if (n == 0) {
      return tar.end();
    }
    CHECK_OK(tar.data(std::string_view(buffer).substr(0, n)));
  }
}

Status addDirectory(layer::TarWriter& tar, const std::string& name) {
  layer::TarEntry entry;
  entry.type = layer::TarType::kDirectory;
  entry.name = name;
  entry.mode = 0755;
  return tar.add(entry);
}

std::string blobPath(const oci::Digest& digest) {
  return "blobs/sha256/" + std::string(digest.hex());
}

std::string indexText(const BuiltImage& image, const std::string& name) {
  Json descriptor = {{"mediaType", image.parsed.mediaType},
                     {"digest", image.digest().str()},
                     {"size", image.manifest.size()}};
  if (!name.empty()) {
    // containerd reads the first, everybody else the second.
    const std::size_t colon = name.find(':', name.rfind('/') + 1);
    descriptor["annotations"] = {{"io.containerd.image.name", name},
                                 {"org.opencontainers.image.ref.name",
                                  colon == std::string::npos ? "latest" : name.substr(colon + 1)}};
  }
  return dumpJson({{"schemaVersion", 2},
                   {"mediaType", oci::kMediaIndex},
                   {"manifests", Json::array({descriptor})}});
}

}  // namespace

Status pushImage(const BuiltImage& image, const oci::Reference& reference,
                 registry::Client& client) {
  for (std::size_t i = 0; i < image.layerFiles.size(); ++i) {
    Fd fd(::open(image.layerFiles[i].c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) {
      return systemError("open", image.layerFiles[i], errno);
    }
    FileBody body(std::move(fd), image.parsed.layers[i].size);
    CHECK_OK(pushBlob(client, reference.repository, image.parsed.layers[i], body));
  }
  http::StringSource config(image.config);
  CHECK_OK(pushBlob(client, reference.repository, image.parsed.config, config));
  CHECK_OK(client.pushManifest(reference.repository, image.digest().str(), image.parsed.mediaType,
                               image.manifest, {}));
  return client.pushManifest(reference.repository, reference.tagOrLatest(), image.parsed.mediaType,
                             image.manifest, {});
}

Status saveImageLayout(const BuiltImage& image, const std::string& name, const std::string& path) {
  const Fd out(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!out) {
    return systemError("open", path, errno);
  }
  layer::HashingFileSink sink(out.get(), path);
  layer::TarWriter tar(sink);
  CHECK_OK(addBytes(tar, "oci-layout", R"({"imageLayoutVersion":"1.0.0"})"));
  CHECK_OK(addBytes(tar, "index.json", indexText(image, name)));
  CHECK_OK(addDirectory(tar, "blobs"));
  CHECK_OK(addDirectory(tar, "blobs/sha256"));
  CHECK_OK(addBytes(tar, blobPath(image.digest()), image.manifest));
  CHECK_OK(addBytes(tar, blobPath(image.parsed.config.digest), image.config));
  std::set<oci::Digest> written;
  for (std::size_t i = 0; i < image.layerFiles.size(); ++i) {
    const oci::Descriptor& layer = image.parsed.layers[i];
    if (written.insert(layer.digest).second) {
      CHECK_OK(addFile(tar, blobPath(layer.digest), image.layerFiles[i], layer.size));
    }
  }
  CHECK_OK(tar.finish());
  return sink.finish();
}

}  // namespace stagewright::cli
