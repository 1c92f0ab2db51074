// A layer's tar as the compressed body of an upload, checked against its diffId while it is read.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "lib/base/fd.h"
#include "lib/compress/compressor.h"
#include "lib/http/transport.h"
#include "lib/plan/report.h"
#include "lib/registry/client.h"

namespace stagewright::publish {

class LayerSource final : public http::BodySource {
 public:
  /// `open` gives the tar from its start, again at each rewind().
  LayerSource(plan::LayerReport layer, std::function<Result<Fd>()> open, compress::Format format,
              int threads)
      : layer_(std::move(layer)), open_(std::move(open)), format_(format), threads_(threads) {}

  Result<std::size_t> read(char* buffer, std::size_t size) override;
  Status rewind() override;
  /// REQUIRES: read to the end. kConflict if the bytes were not those the report speaks of.
  Result<registry::BlobDigest> digest() const;

 private:
  plan::LayerReport layer_;
  std::function<Result<Fd>()> open_;
  compress::Format format_;
  int threads_;
  Fd file_;
  std::unique_ptr<compress::Compressor> compressor_;
  std::string_view piece_;
};

}  // namespace stagewright::publish
