#include "local/base_layers.h"

#include <thread>

#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/compress/decompressor.h"
#include "lib/layer/apply.h"
#include "lib/layer/stream.h"
#include "lib/layer/tar_reader.h"
#include "lib/layer/tree.h"
#include "local/byte_pipe.h"
#include "local/file_body.h"

namespace stagewright::local {

namespace {

/// The image specification's ChainID, without its prefix.
std::string chainIdOf(const std::string& parent, const oci::Digest& diffId) {
  return parent.empty() ? std::string(diffId.hex()) : sha256Hex("sha256:" + parent + " " + diffId.str());
}

class DecompressedSource final : public layer::ByteSource {
 public:
  explicit DecompressedSource(compress::Reader reader) : decompressor_(std::move(reader)) {}
  Result<std::size_t> read(char* buffer, std::size_t size) override { return decompressor_.read(buffer, size); }

 private:
  compress::Decompressor decompressor_;
};

/// Fetching on a thread of its own, unpacking here.
Status unpackLayer(ImageSource& source, const std::string& reference, const oci::Descriptor& descriptor,
                   const oci::Digest& diffId, const std::string& root, std::stop_token stop) {
  BytePipe pipe;
  std::jthread fetcher([&] {
    pipe.finish(source.fetchLayer(
        reference, descriptor, [&](std::string_view bytes) { return pipe.write(bytes); }, stop));
  });
  DecompressedSource plain([&](char* buffer, std::size_t size) { return pipe.read(buffer, size); });
  layer::HashingSource hashing(plain);
  layer::TarReader reader(hashing);
  const Status status = [&]() -> Status {
    TRY(layer::Tree tree, layer::Tree::open(root, {}, {}));
    CHECK_OK(layer::applyLayer(tree, reader));
    CHECK_OK(hashing.drain());
    return hashing.sha256Hex() == diffId.hex()
               ? ok()
               : Status(invalid("layer " + descriptor.digest.str() + ": its content is not what the config says"));
  }();
  pipe.abandon();
  return status;
}

/// A layer that is known by its blob alone.
class BlobSource final : public ImageSource {
 public:
  explicit BlobSource(std::string path) : path_(std::move(path)) {}
  Result<plan::BaseImage> fetchImage(const std::string&, const oci::Platform&, std::stop_token) override {
    return internal("a blob is no image");
  }
  Status fetchLayer(const std::string&, const oci::Descriptor& layer, const http::BodySink& sink,
                    std::stop_token) override {
    TRY(FileBody file, FileBody::open(path_, layer.size));
    std::string buffer(256 * 1024, '\0');
    for (;;) {
      TRY(const std::size_t n, file.read(buffer.data(), buffer.size()));
      if (n == 0) {
        return ok();
      }
      CHECK_OK(sink(std::string_view(buffer).substr(0, n)));
    }
  }

 private:
  std::string path_;
};

}  // namespace

Result<std::string> unpackStep(Store& store, const BlobRecord& blob, const LayerDirectories& below, std::stop_token stop) {
  TRY(WorkTree tree, WorkTree::open(store, below));
  BlobSource source(store.blobPath(blob.digest));
  oci::Descriptor descriptor;
  descriptor.digest = blob.digest;
  descriptor.size = blob.size;
  CHECK_OK(unpackLayer(source, "", descriptor, blob.diffId, tree.path(), std::move(stop)));
  return store.keepLayer(tree.finish());
}

Result<LayerDirectories> unpackBase(Store& store, ImageSource& source, const plan::Base& base,
                                    const std::function<void(const std::string&)>& tell, std::stop_token stop) {
  LayerDirectories layers;
  std::string chainId;
  for (std::size_t i = 0; i < base.layers.size(); ++i) {
    chainId = chainIdOf(chainId, base.diffIds[i]);
    const Store::Claim claim(store, chainId);
    if (!store.hasBase(chainId)) {
      tell("unpack " + base.layers[i].digest.str() + " of " + base.name);
      // The first layer needs no view of what is below it.
      if (layers.empty()) {
        TRY(const std::string made, store.makeScratchDirectory("base"));
        CHECK_OK(makeDirectories(made + "/fs"));
        CHECK_OK(unpackLayer(source, base.reference, base.layers[i], base.diffIds[i], made + "/fs", stop));
        CHECK_OK(store.saveBase(chainId, made));
      } else {
        TRY(WorkTree tree, WorkTree::open(store, layers));
        CHECK_OK(unpackLayer(source, base.reference, base.layers[i], base.diffIds[i], tree.path(), stop));
        CHECK_OK(store.saveBase(chainId, tree.finish()));
      }
    }
    layers.push_back(store.baseFiles(chainId));
  }
  return layers.empty() ? LayerDirectories{store.emptyDirectory()} : layers;
}

}  // namespace stagewright::local
