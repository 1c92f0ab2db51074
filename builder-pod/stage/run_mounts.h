// RUN --mount without the right to mount (docs: stage executor, section 7): what a mount would show
// is put where it would be, and afterwards everything is as it was. What lay there is moved aside,
// not copied, where the file system allows.
//
// bind: a copy of the source, discarded afterwards. tmpfs: an empty directory, discarded. cache: a
// real directory that is moved in and out, or a link to a volume that outlives the stage.
// here-document: a file in /dev/pipes. secret: a link to a file in memory that is there only during
// the step, or a variable. ssh: the same with the socket of an agent.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "builder-pod/stage/cache_volume.h"
#include "builder-pod/stage/source_tree.h"
#include "builder-pod/stage/ssh_agent.h"
#include "builder-pod/stage/stage_options.h"
#include "builder-pod/stage/step_runner.h"
#include "lib/base/error.h"
#include "lib/layer/tree.h"
#include "lib/plan/plan.h"

namespace stagewright::stage {

/// Where a mount's content is: a tree and a path in it.
struct MountSource {
  SourceTree* tree = nullptr;
  std::string path;
};
using MountSourceFinder = std::function<Result<MountSource>(const plan::Mount&)>;

/// The mounts of one RUN. setUp(), the step, tearDown(). REQUIRES: nobody else changes the tree
/// meanwhile but the step.
class RunMounts {
 public:
  /// `canBind`: the runner mounts caches, tmpfs and here-documents itself; they come out of
  /// binds().
  /// `stop` ends the wait for a cache that another stage has; may be null.
  RunMounts(layer::Tree& tree, const StageOptions& options, bool canBind,
            const Stop* stop = nullptr);
  RunMounts(const RunMounts&) = delete;
  RunMounts& operator=(const RunMounts&) = delete;
  /// Takes secrets away even if the step or tearDown() failed.
  ~RunMounts();
  /// kInvalid for what the user has to mend: a secret or key that is required and not given, a key
  /// that is none.
  Status setUp(const plan::RunStep& run, const MountSourceFinder& find);
  Status tearDown();
  /// Paths (clean, relative, resolved) whose content is no part of the image: the layer must not
  /// mention them.
  const std::set<std::string>& targets() const { return targets_; }
  const std::vector<BindMount>& binds() const { return binds_; }
  /// Variables of secrets with env=, "K=V".
  const std::vector<std::string>& env() const { return env_; }
  /// What must be served while the step runs; null if nothing.
  StepService* service() { return agent_.empty() ? nullptr : &agent_; }

 private:
  struct Mounted {
    std::string target;                  ///< resolved
    std::optional<std::string> stashed;  ///< name in the stash of what lay there
    std::string cache;                   ///< name in the stash that the directory goes back to
    std::vector<std::string> made;       ///< directories made on the way, deepest last
    layer::Timestamp parentTime;  ///< of the directory that holds the topmost made or replaced path
    layer::Timestamp parentTimeAfter;
    std::string parent;
  };

  Status setUpOne(const plan::Mount& mount, const MountSourceFinder& find);
  Status setUpSecret(const plan::Mount& mount);
  Status setUpSsh(const plan::Mount& mount);
  Result<std::string> writeSecret(const plan::Mount& mount, const std::string& value);
  Status place(const plan::Mount& mount, const std::function<Status(Mounted&)>& fill);
  Status removeSecrets();
  Status bindCache(const plan::Mount& mount, const MountSourceFinder& find);
  Status fillTarget(const plan::Mount& mount, const MountSourceFinder& find, Mounted& mounted);
  Status copyInto(const plan::Mount& mount, const MountSourceFinder& find, layer::Tree& tree,
                  const std::string& target);
  Status moveCacheIn(const plan::Mount& mount, const MountSourceFinder& find, Mounted& mounted);
  Status makeCache(const plan::Mount& mount, const MountSourceFinder& find,
                   const std::string& directory);
  Status makeWay(Mounted& mounted);
  Status moveAside(Mounted& mounted);
  Status undo(const Mounted& mounted);
  Status openStash();
  Status rename(int from, const std::string& name, int to, const std::string& newName);
  Status writePipes(const std::vector<plan::PipeFile>& pipes);
  Status removePipes();

  layer::Tree& tree_;
  const StageOptions& options_;
  bool canBind_;
  const Stop* stop_;
  std::string stashPath_;
  Fd stash_;
  int count_ = 0;
  std::vector<Mounted> mounted_;
  std::set<std::string> targets_;
  std::vector<BindMount> binds_;
  std::vector<std::string> env_;
  bool pipes_ = false;
  SshAgent agent_;
  CacheVolume caches_;
  int secretFiles_ = 0;
};

}  // namespace stagewright::stage
