// What a compressor counts while bytes pass.
#pragma once

#include <string_view>

#include "lib/base/hash.h"
#include "lib/compress/compressor.h"

namespace stagewright::compress {

class Digests {
 public:
  void addRaw(std::string_view bytes) {
    raw_.update(bytes);
    summary_.rawSize += static_cast<std::int64_t>(bytes.size());
  }
  void addCompressed(std::string_view bytes) {
    compressed_.update(bytes);
    summary_.size += static_cast<std::int64_t>(bytes.size());
  }
  /// Ends both computations; once.
  void finish() {
    summary_.rawSha256 = raw_.hex();
    summary_.sha256 = compressed_.hex();
  }
  const Summary& summary() const { return summary_; }

 private:
  Sha256 raw_;
  Sha256 compressed_;
  Summary summary_;
};

}  // namespace stagewright::compress
