#include "builder-pod/publish/secrets.h"

#include "lib/base/file.h"

namespace stagewright::publish {

namespace {

constexpr std::size_t kMaxSecret = 1024 * 1024;  // what a Secret may hold
constexpr std::string_view kKey = "/.dockerconfigjson";

}  // namespace

Result<registry::Credentials> loadPushCredentials(const std::string& directory,
                                                  const std::string& secretName) {
  const std::string what = "the Secret " + quoted(secretName) + " (spec.output.secretRef)";
  Result<std::string> text = loadFile(directory + std::string(kKey), kMaxSecret);
  if (!text && text.error().code == Code::kNotFound) {
    return notFound(what +
                    " does not exist or has no key .dockerconfigjson; make it with `kubectl create "
                    "secret docker-registry " +
                    secretName + "`");
  }
  if (!text) {
    return std::move(text).error().during("read push credentials");
  }
  Result<registry::Credentials> credentials = registry::Credentials::parseDockerConfig(*text);
  if (!credentials) {
    return std::move(credentials).error().during(what);
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
