// The options that say how to reach a registry, and the client they make.
#pragma once

#include <memory>
#include <vector>

#include "cli/arguments.h"
#include "lib/base/clock.h"
#include "lib/http/transport.h"
#include "lib/oci/reference.h"
#include "lib/registry/client.h"

namespace stagewright::cli {

const std::vector<Option>& registryOptions();

/// A client and what it borrows.
struct RegistryAccess {
  std::unique_ptr<http::Transport> transport;
  std::unique_ptr<Clock> clock;
  std::unique_ptr<registry::Client> client;
};

/// --plain-http, --insecure and --ca-file count for the host of `reference`. Credentials: --creds,
/// --creds-file, else $DOCKER_CONFIG/config.json or ~/.docker/config.json where it is readable.
/// `tls` is how the host is reached if no option says it, `more` is asked after all others.
Result<RegistryAccess> makeRegistryAccess(
    const Arguments& arguments, const oci::Reference& reference,
    registry::HostConfig::Tls tls = registry::HostConfig::Tls::kVerify,
    const registry::Credentials& more = {});

}  // namespace stagewright::cli
