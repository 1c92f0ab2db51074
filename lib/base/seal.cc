#include "lib/base/seal.h"

#include "lib/base/hash.h"

namespace stagewright {

namespace {
constexpr std::size_t kMacDigits = 64;

std::string macOf(std::string_view key, const SealScope& scope, std::string_view kind, std::string_view body) {
  // Newlines cannot stand in run ids, roles or kinds, so the parts cannot run into each other.
  std::string message = "stagewright-seal-1\n" + scope.runId + "\n" + scope.role + "\n" +
                        std::to_string(scope.attempt) + "\n" + std::string(kind) + "\n" + sha256Hex(body);
  return toHex(hmacSha256(key, message));
}
}  // namespace

std::string attemptKey(std::string_view runKey, std::string_view role, int attempt) {
  return hmacSha256(runKey, "attempt-key\n" + std::string(role) + "\n" + std::to_string(attempt));
}

std::string sealText(std::string_view key, const SealScope& scope, std::string_view kind, std::string_view body) {
  return macOf(key, scope, kind, body) + "\n" + std::string(body);
}

Result<std::string> unsealText(std::string_view key, const SealScope& scope, std::string_view kind,
                               std::string_view text) {
  if (text.size() < kMacDigits + 1 || text[kMacDigits] != '\n') {
    return invalid("sealed text without a seal");
  }
  const std::string_view body = text.substr(kMacDigits + 1);
  if (!equalConstantTime(macOf(key, scope, kind, body), text.substr(0, kMacDigits))) {
    return denied("the seal of a " + std::string(kind) + " of " + scope.role + " attempt " +
                  std::to_string(scope.attempt) + " is wrong");
  }
  return std::string(body);
}

std::string makeFrame(std::string_view key, const SealScope& scope, std::string_view json) {
  return std::string(kFramePrefix) + macOf(key, scope, "frame", json) + " " + std::string(json);
}

Result<std::string> openFrame(std::string_view key, const SealScope& scope, std::string_view line) {
  if (!line.starts_with(kFramePrefix)) {
    return notFound("not a frame");
  }
  line.remove_prefix(kFramePrefix.size());
  if (line.size() < kMacDigits + 1 || line[kMacDigits] != ' ') {
    return notFound("not a frame");
  }
  const std::string_view json = line.substr(kMacDigits + 1);
  if (!equalConstantTime(macOf(key, scope, "frame", json), line.substr(0, kMacDigits))) {
    return denied("the seal of a frame is wrong");
  }
  return std::string(json);
}

}  // namespace stagewright
