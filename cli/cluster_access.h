// The options that say which cluster is meant, and the client they make.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "lib/api/image_build.h"
#include "lib/base/clock.h"
#include "lib/kube/client.h"
#include "lib/kube/transport.h"

namespace stagewright::cli {

const std::vector<Option>& clusterOptions();

/// A client and what it borrows, and the one ImageBuild that a command is about.
struct ClusterAccess {
  std::unique_ptr<kube::ApiTransport> transport;
  std::unique_ptr<Clock> clock;
  std::unique_ptr<kube::ApiClient> client;
  std::string ns;
  std::string build;
};

/// As kubectl finds it: --kubeconfig, $KUBECONFIG, ~/.kube/config; the name of the build is the
/// only positional argument. kInvalid if there is none or more than one. Call it before any thread
/// is started.
Result<ClusterAccess> makeClusterAccess(const Arguments& arguments);

/// kNotFound names the build and its namespace.
kube::ApiResult<api::ImageBuild> fetchBuild(const ClusterAccess& access, std::stop_token stop);

/// Sets an annotation of the build.
kube::ApiStatus annotate(const ClusterAccess& access, std::string_view name,
                         const std::string& value);

/// Prints the error, clean, and gives `code` back.
int complain(const Error& error, int code);

std::vector<Option> together(std::vector<Option> first, const std::vector<Option>& second);

}  // namespace stagewright::cli
