#include "lib/kube/packed_text.h"

#include <zstd.h>

#include <stdexcept>

namespace stagewright::kube {

namespace {
constexpr std::size_t kShort = 512;  // below it a frame's header and the time are not worth it
constexpr int kLevel = 1;
}  // namespace

PackedText::PackedText(std::string_view text) : bytes_(text) {
  if (text.size() < kShort) {
    return;
  }
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  const std::size_t size =
      ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), kLevel);
  if (ZSTD_isError(size) || size >= text.size()) {
    return;
  }
  bytes_.assign(packed, 0, size);
  bytes_.shrink_to_fit();
  unpacked_ = text.size();
}

std::string PackedText::text() const {
  if (unpacked_ == 0) {
    return bytes_;
  }
  std::string out(unpacked_, '\0');
  const std::size_t size = ZSTD_decompress(out.data(), out.size(), bytes_.data(), bytes_.size());
  if (ZSTD_isError(size) || size != unpacked_) {
    throw std::logic_error("packed text is damaged");  // our own frame: memory is broken
  }
  return out;
}

}  // namespace stagewright::kube
