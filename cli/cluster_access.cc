#include "cli/cluster_access.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "lib/base/clean_text.h"
#include "lib/kube/cpprest_transport.h"
#include "lib/kube/kubeconfig.h"

namespace stagewright::cli {

const std::vector<Option>& clusterOptions() {
  static const std::vector<Option> kOptions = {
      {"-n", "NAMESPACE", "the build's namespace (default: that of the kubeconfig's context)"},
      {"--namespace", "NAMESPACE", "the same as -n"},
      {"--kubeconfig", "FILE", "default: $KUBECONFIG, ~/.kube/config"},
      {"--context", "NAME", "a context of the kubeconfig (default: its current one)"},
  };
  return kOptions;
}

Result<ClusterAccess> makeClusterAccess(const Arguments& arguments) {
  if (arguments.positional().size() != 1) {
    return invalid("expected the name of one ImageBuild, got " +
                   std::to_string(arguments.positional().size()) + " arguments");
  }
  kube::initializeApiProcess();
  TRY(kube::ClusterConfig config,
      kube::loadClusterConfig(arguments.last("--kubeconfig", ""), arguments.last("--context", "")));
  ClusterAccess access;
  access.ns = arguments.last("-n", arguments.last("--namespace", config.defaultNamespace));
  access.build = arguments.positional()[0];
  access.clock = std::make_unique<SystemClock>();
  access.transport = kube::makeCpprestTransport(std::move(config));
  access.client = std::make_unique<kube::ApiClient>(*access.transport, *access.clock);
  return access;
}

kube::ApiResult<api::ImageBuild> fetchBuild(const ClusterAccess& access, std::stop_token stop) {
  kube::ApiResult<Json> object =
      access.client->get(kube::kImageBuilds, access.ns, access.build, std::move(stop));
  if (!object) {
    return std::move(object).error();
  }
  Result<api::ImageBuild> build = api::parseImageBuild(*object);
  if (!build) {
    return std::move(build).error();
  }
  return std::move(*build);
}

kube::ApiStatus annotate(const ClusterAccess& access, std::string_view name,
                         const std::string& value) {
  const Json patch = {{"metadata", {{"annotations", {{name, value}}}}}};
  kube::WriteOptions options;
  options.fieldManager = "stagewright-cli";
  const kube::ApiResult<Json> patched = access.client->patch(
      kube::kImageBuilds, access.ns, access.build, kube::PatchType::kMerge, patch, {}, options);
  if (!patched) {
    return patched.error();
  }
  return {};
}

int complain(const Error& error, int code) {
  std::fprintf(stderr, "stagewright: %s\n", cleanText(error.message, 4096).c_str());
  return code;
}

std::vector<Option> together(std::vector<Option> first, const std::vector<Option>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

}  // namespace stagewright::cli
