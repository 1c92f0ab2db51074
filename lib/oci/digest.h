// sha256:<64 hex>: the only digest algorithm we write; what we read may be another and is then refused.
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "lib/base/error.h"

namespace stagewright::oci {

/// A checked digest, `sha256:…`. Used for digests of compressed bytes (digest) and of uncompressed bytes (diffId).
class Digest {
 public:
  static Result<Digest> parse(std::string_view text);
  /// REQUIRES: 64 lower-case hexadecimal digits.
  static Digest ofSha256Hex(std::string_view hex);
  static Digest ofBytes(std::string_view bytes);

  Digest() = default;  ///< empty; only for fields that are filled later
  const std::string& str() const { return text_; }
  std::string_view hex() const;  ///< without the algorithm
  bool empty() const { return text_.empty(); }
  auto operator<=>(const Digest&) const = default;

 private:
  std::string text_;
};

}  // namespace stagewright::oci
