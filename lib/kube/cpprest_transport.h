// The API server over cpprestsdk, which is used nowhere else and only against this trusted server.
#pragma once

#include <memory>

#include "lib/kube/kubeconfig.h"
#include "lib/kube/transport.h"

namespace stagewright::kube {

/// First statement of main(), before any thread: bounds the library's pool at four threads (its
/// default of forty burns more than a core on a burst of events) and takes the system's CAs out of
/// OpenSSL's default store, to which cpprestsdk would otherwise add the cluster's. Every other
/// OpenSSL user of the process must name its CA file.
void initializeApiProcess();

/// REQUIRES: initializeApiProcess() was called. Redirects are not followed: they would take our
/// token elsewhere.
std::unique_ptr<ApiTransport> makeCpprestTransport(ClusterConfig config);

}  // namespace stagewright::kube
