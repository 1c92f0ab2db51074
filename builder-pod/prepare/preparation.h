// The core of prepare, without environment and process: used by the pod's main and by the local
// engine.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "builder-pod/prepare/base_images.h"
#include "builder-pod/prepare/refusal.h"
#include "builder-pod/prepare/registry_access.h"
#include "lib/base/clock.h"
#include "lib/http/retry.h"
#include "lib/http/transport.h"
#include "lib/oci/digest.h"
#include "lib/plan/plan.h"
#include "lib/plan/request.h"

namespace stagewright::prepare {

struct PreparationJob {
  plan::BuildRequest request;
  std::string workspace;  ///< holds runs/; must exist
  std::string runId;
  int attempt = 1;
  std::string configMapDir;     ///< read if request.configMap
  std::string sourceSecretDir;  ///< read if request.git is authenticated
  /// A directory of the user's instead of the request's source (local engine): it is read, never
  /// changed.
  std::optional<std::string> sourceDirectory;
  PullCredentials pullCredentials;
  std::vector<std::string> gitEnvironment;  ///< K=V: proxies, certificates
  std::string authorities;                  ///< PEM; what RUN gets if request.authoritiesInRun
  http::RetryPolicy retry;                  ///< against registries and servers that ADD names
  http::AddressCheck checkAddress;          ///< of servers that ADD names; may be empty
};

struct Preparation {
  plan::BuildPlan plan;
  oci::Digest planDigest;      ///< of the bytes of plan.json
  std::string sourceRevision;  ///< commit, or empty
};

/// Fetches the source, compiles the Dockerfile, and leaves in runs/<id>/ of the workspace:
/// prepare/a<n>/plan.json, prepare/a<n>/context/ with the files that steps use, fetched/<i> for
/// what ADD names, and the empty directories of the stages' attempts. What is there of the same
/// attempt is replaced. The source itself stays in prepare/a<n>/source until removeSource().
Outcome<Preparation> runPreparation(const PreparationJob& job, http::Transport& transport,
                                    Clock& clock, const Narrator& tell, std::stop_token stop);

/// Throws away what was fetched. Apart, because nobody has to wait for it.
Status removeSource(const PreparationJob& job);

}  // namespace stagewright::prepare
