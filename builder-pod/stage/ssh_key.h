// One private key as an agent uses it: it signs and is never given out.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "lib/base/error.h"

namespace stagewright::stage {

/// RFC 4251 encodings that keys, signatures and the agent protocol are made of.
void putUint32(std::string& out, std::uint32_t value);
void putString(std::string& out, std::string_view bytes);
/// Takes what putUint32() and putString() wrote from the front of `from`. kInvalid if it is short.
Result<std::uint32_t> takeUint32(std::string_view& from);
Result<std::string_view> takeString(std::string_view& from);

/// Ed25519, RSA of at least 1024 bits, or ECDSA on one of the three NIST curves. Thread-compatible.
class SshKey {
 public:
  /// OpenSSH's own format, or PEM (PKCS#1, PKCS#8, EC). kInvalid, without any of the text: no key,
  /// another kind, a passphrase.
  static Result<SshKey> parse(std::string_view text);

  /// As it stands in base64 in an authorized_keys file.
  const std::string& publicBlob() const { return blob_; }
  const std::string& comment() const { return comment_; }
  /// The signature blob for SSH_AGENTC_SIGN_REQUEST with these flags.
  Result<std::string> sign(std::string_view bytes, std::uint32_t flags) const;

 private:
  struct Free {
    void operator()(void* key) const;
  };
  using Handle = std::unique_ptr<void, Free>;  // an EVP_PKEY: OpenSSL's types stay in the .cc

  static Result<SshKey> make(Handle key, std::string comment);

  Handle key_;
  std::string type_;  ///< ssh-ed25519, ssh-rsa, ecdsa-sha2-nistp256 …
  std::string blob_;
  std::string comment_;

  friend class OpenSshReader;
};

}  // namespace stagewright::stage
