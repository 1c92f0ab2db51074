// A step's changes as a compressed layer: the bytes of an upload, made while they are sent.
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "lib/base/error.h"
#include "lib/compress/compressor.h"
#include "lib/http/transport.h"
#include "lib/layer/tree_writer.h"
#include "local/byte_pipe.h"
#include "local/store.h"
#include "local/view.h"

namespace stagewright::local {

/// One pass: reading files, archive, digests, compression and whoever reads this work beside each other. An equal layer gives
/// equal bytes, so that it may be made again. Not thread-safe.
class LayerStream final : public http::BodySource {
 public:
  /// Compares the step's directory `upper` with what it lies upon.
  static Result<std::unique_ptr<LayerStream>> open(Store& store, const std::string& upper, const LayerDirectories& lowers,
                                                   compress::Format format);
  ~LayerStream() override { end(); }

  Result<std::size_t> read(char* buffer, std::size_t size) override;
  /// From the start, unless nothing was read yet.
  Status rewind() override;
  /// REQUIRES: read to the end.
  BlobRecord record() const;

 private:
  LayerStream(std::string upper, std::vector<layer::LayerItem> items, compress::Format format)
      : upper_(std::move(upper)), items_(std::move(items)), format_(format) {}
  void begin();
  void end();

  std::string upper_;
  std::vector<layer::LayerItem> items_;
  compress::Format format_;
  std::string_view piece_;  ///< of what the compressor holds
  bool isFresh_ = false;    ///< begun, and nothing was read
  std::unique_ptr<BytePipe> pipe_;
  std::unique_ptr<compress::Compressor> compressor_;
  std::jthread writer_;  ///< last: uses everything above
};

/// The whole layer as blobs/<digest> in the store.
Result<BlobRecord> saveLayerBlob(Store& store, LayerStream& stream, std::stop_token stop);

}  // namespace stagewright::local
