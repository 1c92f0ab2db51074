// config.json of the container in which one RUN step runs: what BuildKit gives it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "builder-pod/stage/step_runner.h"
#include "lib/base/json.h"
#include "local/runtime.h"

namespace stagewright::local {

/// Something mounted for one RUN.
struct ContainerMount {
  std::string type;         ///< bind, tmpfs
  std::string source;       ///< bind: a path of this machine
  std::string target;       ///< absolute, in the container
  bool readOnly = false;
  std::int64_t size = 0;    ///< tmpfs; 0: no limit of its own
};

struct ContainerRequest {
  stage::RunRequest process;
  std::string root;          ///< the merged tree
  std::vector<ContainerMount> mounts;
  std::string hostName = "buildkitsandbox";
  std::string hostsFile;
  std::string resolvFile;
  bool insecure = false;     ///< RUN --security=insecure
};

/// Pure. Docker's default capabilities (a80425fb); own pid, mount, ipc and uts namespaces, the machine's network or none.
Json makeRuntimeSpec(const ContainerRequest& request, const Runtime& runtime);

}  // namespace stagewright::local
