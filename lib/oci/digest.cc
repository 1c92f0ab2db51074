#include "lib/oci/digest.h"

#include <algorithm>

#include "lib/base/hash.h"

namespace stagewright::oci {

namespace {

constexpr std::string_view kPrefix = "sha256:";
constexpr std::size_t kHexLength = 64;

bool isLowerHex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

Result<Digest> Digest::parse(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0) {
    return invalid("invalid digest " + quoted(text, 160) +
                   ": expected sha256:<64 hexadecimal digits>");
  }
  if (text.substr(0, colon + 1) != kPrefix) {
    return invalid("unsupported digest algorithm " + quoted(text.substr(0, colon), 32) +
                   ": only sha256 is");
  }
  const std::string_view hex = text.substr(kPrefix.size());
  if (hex.size() != kHexLength || !isLowerHex(hex)) {
    return invalid("invalid digest " + quoted(text, 160) +
                   ": expected 64 lower-case hexadecimal digits");
  }
  return ofSha256Hex(hex);
}

Digest Digest::ofSha256Hex(std::string_view hex) {
  Digest out;
  out.text_ = std::string(kPrefix) + std::string(hex);
  return out;
}

Digest Digest::ofBytes(std::string_view bytes) { return ofSha256Hex(sha256Hex(bytes)); }

std::string_view Digest::hex() const {
  return text_.empty() ? std::string_view() : std::string_view(text_).substr(kPrefix.size());
}

}  // namespace stagewright::oci
