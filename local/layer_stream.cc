#include "local/layer_stream.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/layer/tree.h"
#include "local/upper_changes.h"

namespace stagewright::local {

namespace {

constexpr int kCompressionThreads = 2;
constexpr std::size_t kBlobPiece = 256 * 1024;

Status writeArchive(const std::string& upper, std::vector<layer::LayerItem> items, BytePipe& pipe) {
  TRY(layer::Tree tree, layer::Tree::open(upper, {}, {}));
  return layer::writeLayer(tree, std::move(items), pipe);
}

}  // namespace

Result<std::unique_ptr<LayerStream>> LayerStream::open(Store& store, const std::string& upper, const LayerDirectories& lowers,
                                                       compress::Format format) {
  TRY(const View base, View::open(store, lowers));
  TRY(std::vector<layer::LayerItem> items, findUpperChanges(upper, base.path()));
  return std::unique_ptr<LayerStream>(new LayerStream(upper, std::move(items), format));
}

void LayerStream::begin() {
  pipe_ = std::make_unique<BytePipe>();
  compressor_ = compress::Compressor::make(
      format_, [this](char* buffer, std::size_t size) { return pipe_->read(buffer, size); }, kCompressionThreads);
  writer_ = std::jthread([this] { pipe_->finish(writeArchive(upper_, items_, *pipe_)); });
  isFresh_ = true;
}

void LayerStream::end() {
  if (pipe_) {
    pipe_->abandon();
    writer_.join();
    compressor_.reset();
    pipe_.reset();
    piece_ = {};
  }
}

Status LayerStream::rewind() {
  if (!isFresh_) {
    end();
    begin();
  }
  return ok();
}

Result<std::size_t> LayerStream::read(char* buffer, std::size_t size) {
  if (!pipe_) {
    begin();
  }
  isFresh_ = false;
  if (piece_.empty()) {
    TRY(piece_, compressor_->next());
  }
  const std::size_t n = std::min(size, piece_.size());
  std::copy_n(piece_.begin(), n, buffer);
  piece_.remove_prefix(n);
  return n;
}

BlobRecord LayerStream::record() const {
  const compress::Summary& summary = compressor_->summary();
  return {oci::Digest::ofSha256Hex(summary.sha256), oci::Digest::ofSha256Hex(summary.rawSha256), summary.size, format_};
}

Result<BlobRecord> saveLayerBlob(Store& store, LayerStream& stream, std::stop_token stop) {
  const std::string temporary = store.scratch() + "/blob-" + toHex(randomBytes(6));
  const Fd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) {
    return systemError("open", temporary, errno);
  }
  CHECK_OK(stream.rewind());
  std::string buffer(kBlobPiece, '\0');
  for (;;) {
    TRY(const std::size_t n, stream.read(buffer.data(), buffer.size()));
    if (n == 0) {
      break;
    }
    if (stop.stop_requested()) {
      return cancelled("stopped");
    }
    CHECK_OK(writeAll(file.get(), std::string_view(buffer.data(), n), temporary));
  }
  const BlobRecord record = stream.record();
  if (::rename(temporary.c_str(), store.blobPath(record.digest).c_str()) != 0) {
    return systemError("rename", store.blobPath(record.digest), errno);
  }
  return record;
}

}  // namespace stagewright::local
