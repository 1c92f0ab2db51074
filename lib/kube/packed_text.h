// Text that is kept for long and read now and then: compressed, because ten thousand finished builds
// are mostly the same words.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace stagewright::kube {

/// Immutable. Short text is kept as it is.
class PackedText {
 public:
  explicit PackedText(std::string_view text);

  std::string text() const;
  /// Bytes that it takes.
  std::size_t size() const { return bytes_.size(); }

 private:
  std::string bytes_;
  std::size_t unpacked_ = 0;  ///< size of the text; 0: it is not compressed
};

}  // namespace stagewright::kube
