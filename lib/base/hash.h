// SHA-256, HMAC-SHA-256, hex and random bytes, by OpenSSL's libcrypto.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "lib/base/error.h"

namespace stagewright {

/// Incremental SHA-256. Not thread-safe. hex() ends the computation.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(const void* data, std::size_t size);
  void update(std::string_view bytes) { update(bytes.data(), bytes.size()); }
  /// The digest as 64 lower-case hexadecimal digits. The object must not be used afterwards.
  std::string hex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string sha256Hex(std::string_view bytes);
/// Raw 32 bytes.
std::string hmacSha256(std::string_view key, std::string_view bytes);
std::string toHex(std::string_view bytes);
Result<std::string> fromHex(std::string_view hex);
std::string toBase64(std::string_view bytes);
Result<std::string> fromBase64(std::string_view text);
/// RFC 4648 base32, lower case, no padding: safe in object names.
std::string toBase32Lower(std::string_view bytes);
/// Bytes from the kernel's generator.
std::string randomBytes(std::size_t n);
/// Compares without leaking where the difference is.
bool equalConstantTime(std::string_view a, std::string_view b);

}  // namespace stagewright
