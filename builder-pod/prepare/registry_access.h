// How prepare reaches registries: the request's rules and the mounted Secrets in the registry
// client's words.
#pragma once

#include <string>
#include <vector>

#include "builder-pod/prepare/refusal.h"
#include "lib/plan/request.h"
#include "lib/registry/credentials.h"
#include "lib/registry/host_config.h"

namespace stagewright::prepare {

std::vector<registry::HostConfig> hostConfigs(const std::vector<plan::RegistryAccess>& access);

struct PullCredentials {
  registry::Credentials credentials;
  /// Indexes of imagePullSecrets that do not exist. No error by itself, as for the kubelet, but
  /// worth a word when a registry then refuses.
  std::vector<int> missing;
};

/// <directory>/<0..count-1>/.dockerconfigjson. Refuses: CredentialsNotFound for one that cannot be
/// read as what it is.
Outcome<PullCredentials> loadPullCredentials(const std::string& directory, int count);

}  // namespace stagewright::prepare
