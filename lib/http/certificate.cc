#include "lib/http/certificate.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>

#include "lib/base/file.h"

namespace stagewright::http {

namespace {

constexpr long kHour = 3600;
constexpr long kTenYears = 10L * 365 * 24 * kHour;
constexpr std::size_t kMaxFile = 1 << 20;

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using X509Ptr = std::unique_ptr<X509, Deleter<X509_free>>;
using Bio = std::unique_ptr<BIO, Deleter<BIO_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Deleter<X509_EXTENSION_free>>;

Error failed(const char* what) {
  char text[256] = {};
  ERR_error_string_n(ERR_get_error(), text, sizeof text);
  return internal(std::string("make a certificate: ") + what + ": " + text);
}

std::string textOf(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

bool setSerial(X509* certificate) {
  unsigned char bytes[8] = {};
  std::uint64_t serial = 1;
  if (RAND_bytes(bytes, sizeof bytes) == 1) {
    for (const unsigned char byte : bytes) {
      serial = serial << 7 | (byte & 0x7F);
    }
  }
  return ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial) == 1;
}

bool setName(X509* certificate, const std::string& name) {
  X509_NAME* subject = X509_get_subject_name(certificate);
  const auto* text = reinterpret_cast<const unsigned char*>(name.data());
  if (X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, text, static_cast<int>(name.size()),
                                 -1, 0) != 1 ||
      X509_set_issuer_name(certificate, subject) != 1) {
    return false;
  }
  const std::string names = "DNS:" + name;
  const Extension extension(
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names.c_str()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

}  // namespace

Result<Certificate> makeSelfSignedCertificate(const std::string& name) {
  const Key key(EVP_EC_gen("P-256"));
  const X509Ptr x509(X509_new());
  if (!key || !x509) {
    return failed("key");
  }
  X509_set_version(x509.get(), 2);  // counts from 0
  if (!setSerial(x509.get()) || !X509_gmtime_adj(X509_getm_notBefore(x509.get()), -kHour) ||
      !X509_gmtime_adj(X509_getm_notAfter(x509.get()), kTenYears) ||
      X509_set_pubkey(x509.get(), key.get()) != 1 || !setName(x509.get(), name) ||
      X509_sign(x509.get(), key.get(), EVP_sha256()) == 0) {
    return failed("signature");
  }
  const Bio certificate(BIO_new(BIO_s_mem()));
  const Bio privateKey(BIO_new(BIO_s_mem()));
  if (!certificate || !privateKey || PEM_write_bio_X509(certificate.get(), x509.get()) != 1 ||
      PEM_write_bio_PrivateKey(privateKey.get(), key.get(), nullptr, nullptr, 0, nullptr,
                               nullptr) != 1) {
    return failed("PEM");
  }
  return Certificate{textOf(certificate.get()), textOf(privateKey.get())};
}

Result<Certificate> loadCertificate(const std::string& directory) {
  Certificate out;
  TRY(out.certificate, loadFile(directory + "/tls.crt", kMaxFile));
  TRY(out.privateKey, loadFile(directory + "/tls.key", kMaxFile));
  return out;
}

}  // namespace stagewright::http
