// Where the API server is and who we are there: from a kubeconfig file or from a pod's service
// account.
#pragma once

#include <string>

#include "lib/base/error.h"

namespace stagewright::kube {

/// Everything a transport needs. Certificates and keys are PEM texts, read once; only the token
/// file is read again.
struct ClusterConfig {
  std::string server;  ///< https://host:port[/prefix]
  std::string caPem;   ///< empty: the system's CAs
  bool insecureSkipVerify = false;
  std::string clientCertificatePem;
  std::string clientKeyPem;
  std::string token;
  std::string tokenFile;  ///< read again every minute; wins over `token`
  std::string caFile;     ///< in a pod: read again for each connection; wins over `caPem`
  std::string basicUser;
  std::string basicPassword;
  std::string defaultNamespace = "default";
};

/// `paths` is a list like $KUBECONFIG: several files with `:` between them, the first that names a
/// thing wins. `context` empty: the current one. kNotFound: no such file or context; kInvalid:
/// anything we cannot use, such as an exec plugin, named in the message. Relative file names count
/// from the kubeconfig's own directory.
Result<ClusterConfig> loadKubeconfig(const std::string& paths, const std::string& context = "");

/// From the mounted service account and KUBERNETES_SERVICE_HOST/PORT. kNotFound outside a pod.
Result<ClusterConfig> loadInClusterConfig();

/// `kubeconfig` if given, else $KUBECONFIG, else the service account, else ~/.kube/config.
Result<ClusterConfig> loadClusterConfig(const std::string& kubeconfig,
                                        const std::string& context = "");

}  // namespace stagewright::kube
