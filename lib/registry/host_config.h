// How to reach one registry host.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/http/transport.h"

namespace stagewright::registry {

struct HostConfig {
  enum class Tls { kVerify, kSkipVerify, kPlainHttp };
  std::string host;  ///< host[:port] as in references
  Tls tls = Tls::kVerify;
  std::string caFile;
  std::vector<std::string>
      mirrors;  ///< host[/prefix]; asked first when pulling, in order; their own HostConfig applies
};

/// Where requests for a repository go.
struct Endpoint {
  std::string host;        ///< of the HostConfig that was used
  std::string baseUrl;     ///< https://registry-1.docker.io
  std::string repository;  ///< path at that endpoint (a mirror may have a prefix)
  http::Tls tls;
};

/// The canonical registry: docker.io becomes registry-1.docker.io.
Endpoint endpointOf(const std::vector<HostConfig>& hosts, const std::string& host,
                    const std::string& path);
/// Mirrors of the host in order, then the host itself.
std::vector<Endpoint> pullEndpoints(const std::vector<HostConfig>& hosts, const std::string& host,
                                    const std::string& path);
/// index.docker.io and registry-1.docker.io are docker.io.
std::string canonicalHost(std::string_view host);

}  // namespace stagewright::registry
