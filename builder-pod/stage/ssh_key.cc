#include "builder-pod/stage/ssh_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>
#include <vector>

namespace stagewright::stage {

namespace {

constexpr std::string_view kBegin = "-----BEGIN OPENSSH PRIVATE KEY-----";
constexpr std::string_view kEnd = "-----END OPENSSH PRIVATE KEY-----";
constexpr std::string_view kOpenSshMagic("openssh-key-v1\0", 15);
constexpr std::string_view kEd25519 = "ssh-ed25519";
constexpr std::string_view kRsa = "ssh-rsa";
constexpr std::uint32_t kFlagSha256 = 2;
constexpr std::uint32_t kFlagSha512 = 4;
constexpr int kMinRsaBits = 1024;

struct Curve {
  std::string_view ssh;   ///< nistp256
  std::string_view type;  ///< ecdsa-sha2-nistp256
  const char* group;      ///< OpenSSL's name
  const char* digest;
  std::size_t coordinate;  ///< bytes
};
constexpr std::array<Curve, 3> kCurves = {
    {{"nistp256", "ecdsa-sha2-nistp256", "prime256v1", "SHA256", 32},
     {"nistp384", "ecdsa-sha2-nistp384", "secp384r1", "SHA384", 48},
     {"nistp521", "ecdsa-sha2-nistp521", "secp521r1", "SHA512", 66}}};

template <auto kFree>
struct Deleter {
  template <class T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using Number = std::unique_ptr<BIGNUM, Deleter<BN_clear_free>>;
using Context = std::unique_ptr<EVP_PKEY_CTX, Deleter<EVP_PKEY_CTX_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, Deleter<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, Deleter<OSSL_PARAM_free>>;
using Bio = std::unique_ptr<BIO, Deleter<BIO_free>>;
using Digest = std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX_free>>;
using Signature = std::unique_ptr<ECDSA_SIG, Deleter<ECDSA_SIG_free>>;

Error notAKey(std::string why) {
  ERR_clear_error();
  return invalid("not a usable private key: " + std::move(why));
}

EVP_PKEY* pkeyOf(void* handle) { return static_cast<EVP_PKEY*>(handle); }

const unsigned char* bytesOf(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

/// RFC 4251 mpint of a number that is not negative.
void putNumber(std::string& out, const BIGNUM* number) {
  std::string bytes(static_cast<std::size_t>(BN_num_bytes(number)), '\0');
  BN_bn2bin(number, reinterpret_cast<unsigned char*>(bytes.data()));
  if (!bytes.empty() && (static_cast<unsigned char>(bytes.front()) & 0x80) != 0) {
    bytes.insert(bytes.begin(), '\0');
  }
  putString(out, bytes);
}

Result<Number> takeNumber(std::string_view& from) {
  TRY(const std::string_view bytes, takeString(from));
  Number number(BN_bin2bn(bytesOf(bytes), static_cast<int>(bytes.size()), nullptr));
  return number ? Result<Number>(std::move(number)) : Result<Number>(internal("no memory"));
}

Result<Number> paramOf(EVP_PKEY* key, const char* name) {
  BIGNUM* number = nullptr;
  if (EVP_PKEY_get_bn_param(key, name, &number) != 1) {
    return notAKey(std::string("it has no ") + name);
  }
  return Number(number);
}

/// PEM and base64 bodies are free in their line breaks.
Result<std::string> decodeBase64(std::string_view text) {
  std::string compact;
  std::copy_if(text.begin(), text.end(), std::back_inserter(compact),
               [](char c) { return c != '\n' && c != '\r' && c != ' '; });
  if (compact.empty() || compact.size() % 4 != 0) {
    return notAKey("its base64 is cut off");
  }
  std::string out(compact.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytesOf(compact),
                                   static_cast<int>(compact.size()));
  if (size < 0) {
    return notAKey("its base64 is broken");
  }
  const auto padding = std::count(compact.end() - 2, compact.end(), '=');
  out.resize(static_cast<std::size_t>(size) - static_cast<std::size_t>(padding));
  OPENSSL_cleanse(compact.data(), compact.size());
  return out;
}

const Curve* findCurve(std::string_view name, std::string_view Curve::*field) {
  const auto it = std::find_if(kCurves.begin(), kCurves.end(),
                               [&](const Curve& curve) { return curve.*field == name; });
  return it == kCurves.end() ? nullptr : &*it;
}

const Curve* curveOf(EVP_PKEY* key) {
  std::array<char, 64> name{};
  std::size_t length = 0;
  if (EVP_PKEY_get_group_name(key, name.data(), name.size(), &length) != 1) {
    return nullptr;
  }
  const auto it = std::find_if(kCurves.begin(), kCurves.end(), [&](const Curve& curve) {
    return std::string_view(name.data()) == curve.group;
  });
  return it == kCurves.end() ? nullptr : &*it;
}

Result<EVP_PKEY*> makeFrom(const char* type, OSSL_PARAM_BLD* builder) {
  const Params params(OSSL_PARAM_BLD_to_param(builder));
  const Context context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (!params || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_KEYPAIR, params.get()) != 1) {
    return notAKey("its numbers do not make one");
  }
  return key;
}

/// The password of an encrypted PEM: we have none, and nobody to ask.
int noPassword(char*, int, int, void*) { return -1; }

}  // namespace

void putUint32(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) {
    out += static_cast<char>(value >> shift & 0xff);
  }
}

void putString(std::string& out, std::string_view bytes) {
  putUint32(out, static_cast<std::uint32_t>(bytes.size()));
  out += bytes;
}

Result<std::uint32_t> takeUint32(std::string_view& from) {
  if (from.size() < 4) {
    return invalid("it ends early");
  }
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    value = value << 8 | static_cast<unsigned char>(from[i]);
  }
  from.remove_prefix(4);
  return value;
}

Result<std::string_view> takeString(std::string_view& from) {
  TRY(const std::uint32_t size, takeUint32(from));
  if (size > from.size()) {
    return invalid("it ends early");
  }
  const std::string_view out = from.substr(0, size);
  from.remove_prefix(size);
  return out;
}

void SshKey::Free::operator()(void* key) const { EVP_PKEY_free(pkeyOf(key)); }

/// OpenSSH's own format (PROTOCOL.key): public keys, then private ones that may be encrypted.
class OpenSshReader {
 public:
  static Result<SshKey> read(std::string_view armored) {
    TRY(std::string binary, decodeBase64(armored));
    Result<SshKey> key = readBinary(binary);
    OPENSSL_cleanse(binary.data(), binary.size());
    return key;
  }

 private:
  static Result<SshKey> readBinary(std::string_view in) {
    if (!in.starts_with(kOpenSshMagic)) {
      return notAKey("it is of another version");
    }
    in.remove_prefix(kOpenSshMagic.size());
    TRY(const std::string_view cipher, takeString(in));
    TRY(const std::string_view kdf, takeString(in));
    TRY(const std::string_view options, takeString(in));
    if (cipher != "none" || kdf != "none" || !options.empty()) {
      return notAKey("it has a passphrase; remove it with ssh-keygen -p");
    }
    TRY(const std::uint32_t count, takeUint32(in));
    if (count != 1) {
      return notAKey("it holds " + std::to_string(count) + " keys");
    }
    TRY(const std::string_view unusedPublic, takeString(in));
    static_cast<void>(unusedPublic);
    TRY(std::string_view secret, takeString(in));
    TRY(const std::uint32_t check, takeUint32(secret));
    TRY(const std::uint32_t again, takeUint32(secret));
    if (check != again) {
      return notAKey("its check numbers differ");
    }
    return readKey(secret);
  }

  static Result<SshKey> readKey(std::string_view in) {
    TRY(const std::string_view type, takeString(in));
    SshKey::Handle key;
    if (type == kEd25519) {
      TRY(key, readEd25519(in));
    } else if (type == kRsa) {
      TRY(key, readRsa(in));
    } else if (const Curve* curve = findCurve(type, &Curve::type)) {
      TRY(key, readEc(in, *curve));
    } else {
      return notAKey("keys of type " + quoted(std::string(type), 64) + " are not supported");
    }
    TRY(const std::string_view comment, takeString(in));
    return SshKey::make(std::move(key), std::string(comment));
  }

  static Result<SshKey::Handle> readEd25519(std::string_view& in) {
    TRY(const std::string_view unusedPublic, takeString(in));
    static_cast<void>(unusedPublic);
    TRY(const std::string_view secret, takeString(in));
    if (secret.size() != 64) {
      return notAKey("it has a wrong length");
    }
    EVP_PKEY* key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, bytesOf(secret), 32);
    return key == nullptr ? Result<SshKey::Handle>(notAKey("OpenSSL refuses it"))
                          : Result<SshKey::Handle>(SshKey::Handle(key));
  }

  static Result<SshKey::Handle> readRsa(std::string_view& in) {
    constexpr std::array<const char*, 6> kNames = {
        OSSL_PKEY_PARAM_RSA_N,       OSSL_PKEY_PARAM_RSA_E,
        OSSL_PKEY_PARAM_RSA_D,       OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
        OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_FACTOR2};
    std::vector<Number> numbers;
    for (std::size_t i = 0; i < kNames.size(); ++i) {
      TRY(Number number, takeNumber(in));
      numbers.push_back(std::move(number));
    }
    const Builder builder(OSSL_PARAM_BLD_new());
    // n, e and d are enough; the rest would only make it faster, and would have to be complete.
    for (std::size_t i = 0; i < 3; ++i) {
      if (OSSL_PARAM_BLD_push_BN(builder.get(), kNames[i], numbers[i].get()) != 1) {
        return notAKey("its numbers do not make one");
      }
    }
    TRY(EVP_PKEY* const key, makeFrom("RSA", builder.get()));
    return SshKey::Handle(key);
  }

  static Result<SshKey::Handle> readEc(std::string_view& in, const Curve& curve) {
    TRY(const std::string_view name, takeString(in));
    TRY(const std::string_view point, takeString(in));
    TRY(const Number secret, takeNumber(in));
    if (name != curve.ssh) {
      return notAKey("its curve is not that of its type");
    }
    const Builder builder(OSSL_PARAM_BLD_new());
    if (OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, curve.group,
                                        0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                         point.size()) != 1 ||
        OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_PRIV_KEY, secret.get()) != 1) {
      return notAKey("its numbers do not make one");
    }
    TRY(EVP_PKEY* const key, makeFrom("EC", builder.get()));
    return SshKey::Handle(key);
  }
};

Result<SshKey> SshKey::parse(std::string_view text) {
  const std::size_t begin = text.find(kBegin);
  if (begin != std::string_view::npos) {
    text.remove_prefix(begin + kBegin.size());
    const std::size_t end = text.find(kEnd);
    if (end == std::string_view::npos) {
      return notAKey("it is cut off");
    }
    Result<SshKey> key = OpenSshReader::read(text.substr(0, end));
    return key || key.error().message.starts_with("not a usable")
               ? std::move(key)
               : Result<SshKey>(notAKey(key.error().message));
  }
  if (text.find("ENCRYPTED") != std::string_view::npos) {
    return notAKey("it has a passphrase; remove it with ssh-keygen -p");
  }
  const Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  Handle key(PEM_read_bio_PrivateKey(bio.get(), nullptr, noPassword, nullptr));
  if (!key) {
    return notAKey("it is neither in OpenSSH's format nor PEM");
  }
  return make(std::move(key), "");
}

Result<SshKey> SshKey::make(Handle handle, std::string comment) {
  EVP_PKEY* const key = pkeyOf(handle.get());
  SshKey out;
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_ED25519: {
      std::string raw(32, '\0');
      std::size_t size = raw.size();
      if (EVP_PKEY_get_raw_public_key(key, reinterpret_cast<unsigned char*>(raw.data()), &size) !=
          1) {
        return notAKey("it has no public part");
      }
      out.type_ = kEd25519;
      putString(out.blob_, out.type_);
      putString(out.blob_, raw);
      break;
    }
    case EVP_PKEY_RSA: {
      if (EVP_PKEY_get_bits(key) < kMinRsaBits) {
        return notAKey("RSA keys need at least 1024 bits");
      }
      TRY(const Number e, paramOf(key, OSSL_PKEY_PARAM_RSA_E));
      TRY(const Number n, paramOf(key, OSSL_PKEY_PARAM_RSA_N));
      out.type_ = kRsa;
      putString(out.blob_, out.type_);
      putNumber(out.blob_, e.get());
      putNumber(out.blob_, n.get());
      break;
    }
    case EVP_PKEY_EC: {
      const Curve* const curve = curveOf(key);
      if (curve == nullptr) {
        return notAKey("ECDSA keys need a curve nistp256, nistp384 or nistp521");
      }
      TRY(const Number x, paramOf(key, OSSL_PKEY_PARAM_EC_PUB_X));
      TRY(const Number y, paramOf(key, OSSL_PKEY_PARAM_EC_PUB_Y));
      std::string point(1 + 2 * curve->coordinate, '\x04');
      auto* bytes = reinterpret_cast<unsigned char*>(point.data()) + 1;
      const int width = static_cast<int>(curve->coordinate);
      BN_bn2binpad(x.get(), bytes, width);
      BN_bn2binpad(y.get(), bytes + width, width);
      out.type_ = curve->type;
      putString(out.blob_, out.type_);
      putString(out.blob_, curve->ssh);
      putString(out.blob_, point);
      break;
    }
    default:
      return notAKey("only Ed25519, RSA and ECDSA keys are supported");
  }
  out.key_ = std::move(handle);
  out.comment_ = std::move(comment);
  return out;
}

namespace {

Result<std::string> signDigest(EVP_PKEY* key, const char* digest, std::string_view bytes) {
  const Digest context(EVP_MD_CTX_new());
  std::size_t size = 0;
  if (!context ||
      EVP_DigestSignInit_ex(context.get(), nullptr, digest, nullptr, nullptr, key, nullptr) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &size, bytesOf(bytes), bytes.size()) != 1) {
    ERR_clear_error();
    return internal("cannot sign");
  }
  std::string out(size, '\0');
  if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size,
                     bytesOf(bytes), bytes.size()) != 1) {
    ERR_clear_error();
    return internal("cannot sign");
  }
  out.resize(size);
  return out;
}

/// r and s as two numbers (RFC 5656 3.1.2).
Result<std::string> numbersOf(const std::string& der) {
  const unsigned char* at = bytesOf(der);
  const Signature signature(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
  if (!signature) {
    return internal("cannot sign");
  }
  std::string out;
  putNumber(out, ECDSA_SIG_get0_r(signature.get()));
  putNumber(out, ECDSA_SIG_get0_s(signature.get()));
  return out;
}

}  // namespace

Result<std::string> SshKey::sign(std::string_view bytes, std::uint32_t flags) const {
  EVP_PKEY* const key = pkeyOf(key_.get());
  std::string name = type_;
  std::string raw;
  if (type_ == kEd25519) {
    TRY(raw, signDigest(key, nullptr, bytes));
  } else if (type_ == kRsa) {
    const bool is512 = (flags & kFlagSha512) != 0;
    const bool is256 = (flags & kFlagSha256) != 0;
    name = is512 ? "rsa-sha2-512" : is256 ? "rsa-sha2-256" : std::string(kRsa);
    TRY(raw, signDigest(key, is512 ? "SHA512" : is256 ? "SHA256" : "SHA1", bytes));
  } else {
    const Curve* const curve = findCurve(type_, &Curve::type);
    TRY(const std::string der, signDigest(key, curve->digest, bytes));
    TRY(raw, numbersOf(der));
  }
  std::string out;
  putString(out, name);
  putString(out, raw);
  return out;
}

}  // namespace stagewright::stage
