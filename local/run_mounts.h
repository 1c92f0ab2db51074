// What RUN --mount and here-documents put into the container, on this machine's side.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/plan/plan.h"
#include "local/mounts.h"
#include "local/options.h"
#include "local/runtime_spec.h"
#include "local/store.h"

namespace stagewright::local {

/// Where bind and cache mounts find files.
struct MountSources {
  /// The whole tree of a stage.
  std::function<Result<std::string>(int stage)> stage;
  /// A directory with what the context (or a named one) has at `path`, ignored files left out, owners 0:0.
  std::function<Result<std::string>(const std::string& context, const std::string& path)> context;
};

/// The mounts of one RUN; what it holds goes away with it.
class RunMounts {
 public:
  RunMounts(Store& store, const BuildOptions& options, const MountSources& sources)
      : store_(store), options_(options), sources_(sources) {}
  RunMounts(const RunMounts&) = delete;
  RunMounts& operator=(const RunMounts&) = delete;

  /// kInvalid for what the user has to mend: a missing secret that is required, a source that is not there.
  Status add(const plan::RunStep& run);

  const std::vector<ContainerMount>& mounts() const { return mounts_; }
  /// Variables of secrets with env=.
  const std::vector<std::string>& env() const { return env_; }

 private:
  Status addMount(const plan::Mount& mount);
  Status addBind(const plan::Mount& mount);
  Status addCache(const plan::Mount& mount);
  Status addSecret(const plan::Mount& mount);
  Status addSsh(const plan::Mount& mount);
  Status addPipes(const std::vector<plan::PipeFile>& pipes);
  Result<std::string> sourceOf(const plan::Mount& mount);
  Result<std::string> lockCache(const plan::Mount& mount);
  Status fillCache(const plan::Mount& mount, const std::string& directory);
  Result<std::string> memoryDirectory();

  Store& store_;
  const BuildOptions& options_;
  const MountSources& sources_;
  std::vector<ContainerMount> mounts_;
  std::vector<std::string> env_;
  std::vector<Fd> locks_;
  std::vector<Mounted> overlays_;
  Mounted memory_;  ///< a tmpfs for secrets
  int files_ = 0;
};

}  // namespace stagewright::local
