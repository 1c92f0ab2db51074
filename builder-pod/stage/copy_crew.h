// Regular files from one directory tree on disk to another, several at once: what a copy of many
// small files costs is system calls, and the kernel does those of different files side by side.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "builder-pod/stage/source_tree.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/base/hash.h"
#include "lib/layer/root.h"
#include "lib/layer/xattr.h"

namespace stagewright::stage {

/// Told of every file that was read anyway. Thread-safe.
class ContentWitness {
 public:
  virtual ~ContentWitness() = default;
  /// `hash` has seen the file's bytes; `stat` is what the file was before and when it was opened.
  virtual void learn(const std::string& path, const layer::FileStat& stat,
                     const layer::Xattrs& xattrs, Sha256 hash) = 0;
};

/// One file to copy. Directories are held open by the jobs that need them and by the trees' caches.
struct FileJob {
  std::shared_ptr<const Fd> from;
  std::string path;      ///< in the source; its last part is the name in `from`
  layer::FileStat stat;  ///< of the source, as the walk saw it
  std::shared_ptr<const Fd> to;
  std::string target;  ///< in the tree; nothing is there
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t mode = 0;
};

/// Used by one thread, which works too. After an error the remaining jobs are dropped.
class CopyCrew {
 public:
  /// Borrows `witness`, which may be null.
  explicit CopyCrew(ContentWitness* witness) : witness_(witness) {}
  ~CopyCrew();
  CopyCrew(const CopyCrew&) = delete;
  CopyCrew& operator=(const CopyCrew&) = delete;

  /// Does the job now or later. The first error of any job.
  Status add(FileJob job);
  /// Waits until every job is done. The first error of any job.
  Status drain();

 private:
  using Batch = std::vector<FileJob>;

  void start();
  void runWorker(std::stop_token stop);
  void runBatch(const Batch& batch);
  void runNext(std::unique_lock<std::mutex>& lock);
  Status firstError();

  ContentWitness* witness_;
  Batch collected_;  ///< by the owner's thread only
  // Conditions need the bare mutex; it guards the fields below.
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Batch> waiting_;
  int running_ = 0;
  std::optional<Error> error_;
  std::vector<std::jthread> workers_;  ///< last: they use everything above
};

/// Copies `content` into the empty file `fd`, keeping holes. `hash` (if not null) sees every byte.
Status copyBytes(const Content& content, int fd, const std::string& name, Sha256* hash = nullptr);

}  // namespace stagewright::stage
