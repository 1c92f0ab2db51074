#include "builder-pod/prepare/registry_access.h"

#include "lib/base/file.h"

namespace stagewright::prepare {

namespace {

constexpr std::size_t kMaxSecretBytes = 1024 * 1024;  // of a Kubernetes Secret

registry::HostConfig::Tls tlsOf(plan::RegistryAccess::Tls tls) {
  switch (tls) {
    case plan::RegistryAccess::Tls::kSkipVerify:
      return registry::HostConfig::Tls::kSkipVerify;
    case plan::RegistryAccess::Tls::kPlainHttp:
      return registry::HostConfig::Tls::kPlainHttp;
    case plan::RegistryAccess::Tls::kVerify:
      break;
  }
  return registry::HostConfig::Tls::kVerify;
}

}  // namespace

std::vector<registry::HostConfig> hostConfigs(const std::vector<plan::RegistryAccess>& access) {
  std::vector<registry::HostConfig> hosts;
  for (const plan::RegistryAccess& rule : access) {
    hosts.push_back({rule.host, tlsOf(rule.tls), rule.caFile, rule.mirrors});
  }
  return hosts;
}

Outcome<PullCredentials> loadPullCredentials(const std::string& directory, int count) {
  PullCredentials result;
  for (int i = 0; i < count; ++i) {
    const auto text =
        loadFile(directory + "/" + std::to_string(i) + "/.dockerconfigjson", kMaxSecretBytes);
    if (!text) {
      result.missing.push_back(i);
      continue;
    }
    TRY_OR(const registry::Credentials one, registry::Credentials::parseDockerConfig(*text), error,
           refuse(plan::Exit::kSecretMissing, "CredentialsNotFound",
                  "imagePullSecrets[" + std::to_string(i) + "]: " + error.message));
    result.credentials.append(one);
  }
  return result;
}

}  // namespace stagewright::prepare
