#include "lib/http/authorities.h"

#include "lib/base/file.h"

namespace stagewright::http {

namespace {
constexpr std::size_t kMaxBundle = 4 * 1024 * 1024;
constexpr std::string_view kSystemBundle = "/etc/ssl/certs/ca-certificates.crt";
constexpr std::string_view kBegin = "-----BEGIN ";  // CERTIFICATE, TRUSTED CERTIFICATE, X509 …
}  // namespace

Result<std::string> loadAuthorities(const std::vector<std::string>& files) {
  std::string pem;
  for (const std::string& file : files) {
    Result<std::string> own = loadFile(file, kMaxBundle);
    if (!own) {
      return std::move(own).error().during("load certificate authorities");
    }
    if (own->find(kBegin) == std::string::npos) {
      return invalid("load certificate authorities: " + quoted(file, 256) +
                     " holds no certificate in PEM");
    }
    pem += *own + "\n";
  }
  return pem + loadFile(std::string(kSystemBundle), kMaxBundle).value_or("");
}

}  // namespace stagewright::http
