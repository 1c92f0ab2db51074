// A certificate for a server whose clients do not look at names, such as metrics behind a token.
#pragma once

#include <string>

#include "lib/base/error.h"

namespace stagewright::http {

/// PEM.
struct Certificate {
  std::string certificate;
  std::string privateKey;
};

/// A new key on P-256 and a certificate for `name`, signed by itself, valid for ten years from an
/// hour ago. kInternal if OpenSSL fails.
Result<Certificate> makeSelfSignedCertificate(const std::string& name);

/// tls.crt and tls.key of a directory, as a kubernetes.io/tls Secret is mounted.
Result<Certificate> loadCertificate(const std::string& directory);

}  // namespace stagewright::http
