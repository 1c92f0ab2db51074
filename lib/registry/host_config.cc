#include "lib/registry/host_config.h"

#include <algorithm>

#include "lib/http/headers.h"

namespace stagewright::registry {

namespace {

constexpr std::string_view kDockerHub = "docker.io";
constexpr std::string_view kDockerHubApi = "registry-1.docker.io";

const HostConfig* findConfig(const std::vector<HostConfig>& hosts, const std::string& host) {
  auto it = std::find_if(hosts.begin(), hosts.end(),
                         [&](const HostConfig& h) { return canonicalHost(h.host) == host; });
  return it == hosts.end() ? nullptr : &*it;
}

}  // namespace

std::string canonicalHost(std::string_view host) {
  const std::string lower = http::toLower(host);
  return lower == "index.docker.io" || lower == kDockerHubApi ? std::string(kDockerHub) : lower;
}

Endpoint endpointOf(const std::vector<HostConfig>& hosts, const std::string& host,
                    const std::string& path) {
  const std::string canonical = canonicalHost(host);
  const HostConfig* config = findConfig(hosts, canonical);
  const HostConfig::Tls tls = config == nullptr ? HostConfig::Tls::kVerify : config->tls;
  Endpoint endpoint;
  endpoint.host = canonical;
  endpoint.repository = path;
  endpoint.baseUrl = (tls == HostConfig::Tls::kPlainHttp ? "http://" : "https://") +
                     (canonical == kDockerHub ? std::string(kDockerHubApi) : canonical);
  endpoint.tls.verify = tls != HostConfig::Tls::kSkipVerify;
  endpoint.tls.caFile = config == nullptr ? "" : config->caFile;
  return endpoint;
}

std::vector<Endpoint> pullEndpoints(const std::vector<HostConfig>& hosts, const std::string& host,
                                    const std::string& path) {
  std::vector<Endpoint> endpoints;
  if (const HostConfig* config = findConfig(hosts, canonicalHost(host))) {
    for (const std::string& mirror : config->mirrors) {
      const std::size_t slash = mirror.find('/');
      const std::string prefix = slash == std::string::npos ? "" : mirror.substr(slash + 1);
      const std::string mirrored =
          prefix.empty() ? path : prefix + (prefix.ends_with('/') ? "" : "/") + path;
      endpoints.push_back(endpointOf(hosts, mirror.substr(0, slash), mirrored));
    }
  }
  endpoints.push_back(endpointOf(hosts, host, path));
  return endpoints;
}

}  // namespace stagewright::registry
