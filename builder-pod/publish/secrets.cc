#include "builder-pod/publish/secrets.h"

#include "lib/base/file.h"

namespace stagewright::publish {

namespace {

constexpr std::size_t kMaxSecret = 1024 * 1024;  // what a Secret may hold
constexpr std::string_view kKey = "/.dockerconfigjson";

}  // namespace

Result<registry::Credentials> loadPushCredentials(const std::string& directory) {
  Result<std::string> text = loadFile(directory + std::string(kKey), kMaxSecret);
  if (!text && text.error().code == Code::kNotFound) {
    return notFound(
        "the Secret with the push credentials (spec.output.secretRef) does not exist or has no key "
        ".dockerconfigjson; make one with `kubectl create secret docker-registry`");
  }
  if (!text) {
    return std::move(text).error().during("read push credentials");
  }
  Result<registry::Credentials> credentials = registry::Credentials::parseDockerConfig(*text);
  if (!credentials) {
    return std::move(credentials).error().during("push credentials (spec.output.secretRef)");
  }
  return credentials;
}

Result<registry::Credentials> loadPullCredentials(const std::string& directory, int count) {
  registry::Credentials all;
  for (int i = 0; i < count; ++i) {
    const Result<std::string> text =
        loadFile(directory + "/" + std::to_string(i) + std::string(kKey), kMaxSecret);
    if (!text && text.error().code == Code::kNotFound) {
      continue;
    }
    if (!text) {
      return text.error();
    }
    Result<registry::Credentials> credentials = registry::Credentials::parseDockerConfig(*text);
    if (!credentials) {
      return std::move(credentials)
          .error()
          .during("spec.imagePullSecrets[" + std::to_string(i) + "]");
    }
    all.append(*credentials);
  }
  return all;
}

}  // namespace stagewright::publish
