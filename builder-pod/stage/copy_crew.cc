#include "builder-pod/stage/copy_crew.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

namespace stagewright::stage {

namespace {

constexpr std::size_t kBatch = 32;    // jobs that are handed over at once
constexpr std::size_t kWaiting = 8;   // batches
constexpr unsigned kMaxThreads = 4;

Result<Fd> makeTarget(const FileJob& job) {
  const std::string name(layer::baseOf(job.target));
  Fd fd(::openat(job.to->get(), name.c_str(),
                 O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, job.mode & 0777));
  if (fd) {
    return fd;
  }
  return errno == EEXIST ? conflict("create " + quoted("/" + job.target) + ": file exists")
                         : systemError("create", "/" + job.target, errno);
}

/// Owner, then mode (chown clears setuid), then attributes, then the time; what is right already is
/// left alone, since each change goes to the file system's journal.
Status setMetadata(int fd, const FileJob& job, const layer::Xattrs& xattrs) {
  TRY(const layer::FileStat now, layer::statOpen(fd, "/" + job.target));
  const bool otherOwner = now.uid != job.uid || now.gid != job.gid;
  if (otherOwner && ::fchown(fd, job.uid, job.gid) != 0) {
    return systemError("chown", "/" + job.target, errno);
  }
  if (now.permissions() != (job.mode & 07777) && ::fchmod(fd, job.mode & 07777) != 0) {
    return systemError("chmod", "/" + job.target, errno);
  }
  for (const auto& [key, value] : xattrs) {
    // As BuildKit does it, an attribute that cannot be set is left out.
    static_cast<void>(layer::saveXattr(fd, "/" + job.target, key, value));
  }
  timespec time{};
  time.tv_sec = job.stat.mtime.seconds;
  time.tv_nsec = static_cast<long>(job.stat.mtime.nanos);
  const timespec times[2] = {time, time};
  return ::futimens(fd, times) == 0 ? ok()
                                    : Status(systemError("set time of", "/" + job.target, errno));
}

bool isUnchanged(const layer::FileStat& before, const layer::FileStat& now) {
  return before.inode == now.inode && before.size == now.size && before.mtime == now.mtime &&
         before.ctime == now.ctime;
}

Status copyFile(const FileJob& job, ContentWitness* witness) {
  TRY(const SourceFile source,
      openSourceFile(job.from->get(), std::string(layer::baseOf(job.path)), job.path));
  TRY(const layer::Xattrs xattrs, layer::loadXattrs(source.content.fd, job.path));
  TRY(const Fd target, makeTarget(job));
  const bool watched = witness != nullptr && isUnchanged(job.stat, source.stat);
  std::optional<Sha256> hash;
  if (watched) {
    hash.emplace();
  }
  CHECK_OK(copyBytes(source.content, target.get(), job.target, watched ? &*hash : nullptr));
  CHECK_OK(setMetadata(target.get(), job, xattrs));
  if (watched) {
    witness->learn(job.path, job.stat, xattrs, std::move(*hash));
  }
  return ok();
}

}  // namespace

CopyCrew::~CopyCrew() {
  for (std::jthread& worker : workers_) {
    worker.request_stop();
  }
  workers_.clear();
}

void CopyCrew::start() {
  const unsigned threads = std::clamp(std::thread::hardware_concurrency(), 1u, kMaxThreads);
  for (unsigned i = 0; i < threads; ++i) {
    workers_.emplace_back([this](std::stop_token stop) { runWorker(std::move(stop)); });
  }
}

Status CopyCrew::firstError() {
  const std::lock_guard lock(mutex_);
  return error_ ? Status(*error_) : ok();
}

Status CopyCrew::add(FileJob job) {
  collected_.push_back(std::move(job));
  if (collected_.size() < kBatch) {
    return ok();
  }
  if (workers_.empty()) {
    start();
  }
  std::unique_lock lock(mutex_);
  waiting_.push_back(std::exchange(collected_, {}));
  changed_.notify_one();
  if (waiting_.size() > kWaiting) {
    runNext(lock);
  }
  return error_ ? Status(*error_) : ok();
}

Status CopyCrew::drain() {
  runBatch(std::exchange(collected_, {}));
  if (!workers_.empty()) {
    std::unique_lock lock(mutex_);
    while (!waiting_.empty()) {
      runNext(lock);
    }
    changed_.wait(lock, [this] { return running_ == 0; });
  }
  return firstError();
}

/// REQUIRES: a batch waits. The lock is released meanwhile.
void CopyCrew::runNext(std::unique_lock<std::mutex>& lock) {
  const Batch batch = std::move(waiting_.front());
  waiting_.pop_front();
  ++running_;
  lock.unlock();
  runBatch(batch);
  lock.lock();
  if (--running_ == 0) {
    changed_.notify_all();
  }
}

void CopyCrew::runBatch(const Batch& batch) {
  for (const FileJob& job : batch) {
    Status status = firstError();
    if (status) {
      status = copyFile(job, witness_);
    }
    if (!status) {
      const std::lock_guard lock(mutex_);
      if (!error_) {
        error_ = std::move(status).error();
      }
      return;
    }
  }
}

void CopyCrew::runWorker(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [this] { return !waiting_.empty(); })) {
    runNext(lock);
  }
}

}  // namespace stagewright::stage
