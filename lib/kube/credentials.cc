#include "lib/kube/credentials.h"

#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/log.h"

namespace stagewright::kube {

namespace {
constexpr std::size_t kMaxToken = 64 << 10;

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) {
    text.pop_back();
  }
  return text;
}
}  // namespace

std::string Credentials::authorization() {
  const std::string token = config_.tokenFile.empty() ? config_.token : tokenFromFile();
  if (!token.empty()) {
    return "Bearer " + token;
  }
  if (!config_.basicUser.empty()) {
    return "Basic " + toBase64(config_.basicUser + ":" + config_.basicPassword);
  }
  return "";
}

std::string Credentials::tokenFromFile() {
  auto cached = cached_.lock();
  const SteadyPoint now = clock_.steadyNow();
  if (!cached->token.empty() && now - cached->readAt < kReread) {
    return cached->token;
  }
  Result<std::string> text = loadFile(config_.tokenFile, kMaxToken);
  cached->readAt = now;
  if (text) {
    cached->token = trimmed(std::move(*text));
  } else {
    log::warn("token file cannot be read, keeping the last token",
              {{"error", text.error().message}});
  }
  return cached->token;
}

}  // namespace stagewright::kube
