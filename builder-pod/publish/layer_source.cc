#include "builder-pod/publish/layer_source.h"

#include <algorithm>

namespace stagewright::publish {

Status LayerSource::rewind() {
  compressor_.reset();
  piece_ = {};
  TRY(file_, open_());
  // No more than was announced, should the file grow meanwhile.
  compress::Reader file = compress::readerOf(file_.get(), "layer");
  compress::Reader bounded = [file, left = layer_.size](char* buffer, std::size_t size) mutable {
    Result<std::size_t> n =
        file(buffer, std::min<std::size_t>(size, static_cast<std::size_t>(left)));
    left -= n ? static_cast<std::int64_t>(*n) : 0;
    return n;
  };
  compressor_ = compress::Compressor::make(format_, std::move(bounded), threads_);
  return ok();
}

Result<std::size_t> LayerSource::read(char* buffer, std::size_t size) {
  if (!compressor_) {
    CHECK_OK(rewind());
  }
  if (piece_.empty()) {
    TRY(piece_, compressor_->next());
  }
  const std::size_t n = std::min(size, piece_.size());
  std::copy_n(piece_.begin(), n, buffer);
  piece_.remove_prefix(n);
  return n;
}

Result<registry::BlobDigest> LayerSource::digest() const {
  const compress::Summary& summary = compressor_->summary();
  if (summary.rawSize != layer_.size || summary.rawSha256 != layer_.diffId.hex()) {
    return conflict("the layer of step " + std::to_string(layer_.step) + " has diffId sha256:" +
                    summary.rawSha256 + ", its report says " + layer_.diffId.str());
  }
  return registry::BlobDigest{oci::Digest::ofSha256Hex(summary.sha256), summary.size};
}

}  // namespace stagewright::publish
