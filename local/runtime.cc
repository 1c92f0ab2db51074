#include "local/runtime.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "local/device_cgroup.h"
#include "local/rootless.h"

namespace stagewright::local {

namespace {

std::string findInPath(std::string_view name) {
  if (name.find('/') != std::string_view::npos) {
    return ::access(std::string(name).c_str(), X_OK) == 0 ? std::string(name) : "";
  }
  const char* variable = std::getenv("PATH");
  std::string_view path = variable != nullptr && *variable != '\0' ? variable : "/usr/sbin:/usr/bin:/sbin:/bin";
  while (!path.empty()) {
    const std::size_t end = std::min(path.find(':'), path.size());
    const std::string candidate = std::string(path.substr(0, end)) + "/" + std::string(name);
    if (end > 0 && ::access(candidate.c_str(), X_OK) == 0) {
      return candidate;
    }
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return "";
}

Runtime::Kind kindOf(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  return name.starts_with("runc") ? Runtime::Kind::kRunc : Runtime::Kind::kCrun;
}

}  // namespace

bool Runtime::hasCgroup() const { return !isRootless && (kind == Kind::kRunc || !DeviceCgroup::isAvailable()); }

Result<Runtime> findRuntime() {
  const bool rootless = isRootless();
  const char* wanted = std::getenv("STAGEWRIGHT_RUNTIME");
  if (wanted != nullptr && *wanted != '\0') {
    const std::string path = findInPath(wanted);
    return path.empty() ? Result<Runtime>(notFound("STAGEWRIGHT_RUNTIME: there is no program " + stagewright::quoted(wanted)))
                        : Runtime{kindOf(path), path, rootless};
  }
  for (const char* name : {"crun", "runc"}) {
    if (std::string path = findInPath(name); !path.empty() && (!rootless || kindOf(path) == Runtime::Kind::kCrun)) {
      return Runtime{kindOf(path), std::move(path), rootless};
    }
  }
  return notFound(rootless ? "RUN without root needs crun: install the package crun"
                           : "RUN needs an OCI runtime: install the package crun (or runc)");
}

}  // namespace stagewright::local
