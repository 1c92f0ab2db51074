#include "local/layer_blob.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <thread>

#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/compress/compressor.h"
#include "lib/layer/tree.h"
#include "lib/layer/tree_writer.h"
#include "local/byte_pipe.h"
#include "local/upper_changes.h"

namespace stagewright::local {

namespace {

constexpr int kCompressionThreads = 2;

Status writeArchive(const std::string& upper, std::vector<layer::LayerItem> items, BytePipe& pipe) {
  TRY(layer::Tree tree, layer::Tree::open(upper, {}, {}));
  return layer::writeLayer(tree, std::move(items), pipe);
}

/// The compressed bytes into `file`.
Result<compress::Summary> compressInto(int file, const std::string& name, BytePipe& pipe, std::stop_token stop) {
  const auto compressor = compress::Compressor::make(
      compress::Format::kGzip, [&](char* buffer, std::size_t size) { return pipe.read(buffer, size); },
      kCompressionThreads);
  for (;;) {
    TRY(const std::string_view piece, compressor->next());
    if (piece.empty()) {
      return compressor->summary();
    }
    if (stop.stop_requested()) {
      return cancelled("stopped");
    }
    CHECK_OK(writeAll(file, piece, name));
  }
}

}  // namespace

Result<BlobRecord> makeLayerBlob(Store& store, const std::string& upper, const LayerDirectories& lowers,
                                 std::stop_token stop) {
  TRY(const View base, View::open(store, lowers));
  TRY(std::vector<layer::LayerItem> items, findUpperChanges(upper, base.path()));
  const std::string temporary = store.scratch() + "/blob-" + toHex(randomBytes(6));
  const Fd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) {
    return systemError("open", temporary, errno);
  }
  BytePipe pipe;
  std::jthread writer([&] { pipe.finish(writeArchive(upper, std::move(items), pipe)); });
  const Result<compress::Summary> summary = compressInto(file.get(), temporary, pipe, stop);
  pipe.abandon();
  writer.join();
  if (!summary) {
    static_cast<void>(::unlink(temporary.c_str()));
    return summary.error();
  }
  const BlobRecord record{oci::Digest::ofSha256Hex(summary->sha256), oci::Digest::ofSha256Hex(summary->rawSha256),
                          summary->size};
  if (::rename(temporary.c_str(), store.blobPath(record.digest).c_str()) != 0) {
    return systemError("rename", store.blobPath(record.digest), errno);
  }
  return record;
}

}  // namespace stagewright::local
