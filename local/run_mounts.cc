#include "local/run_mounts.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "builder-pod/stage/copy_engine.h"
#include "lib/base/file.h"
#include "lib/layer/root.h"
#include "local/file_trees.h"

namespace stagewright::local {

namespace {

constexpr std::size_t kSecretLimit = 512 * 1024;
constexpr int kPrivateCopies = 64;

/// `path` below `root` with links resolved inside it. kNotFound if there is nothing.
Result<std::string> pathBelow(const std::string& root, const std::string& path) {
  TRY(const layer::Root opened, layer::Root::open(root));
  TRY(const std::string resolved, opened.resolve(path));
  if (!opened.stat(resolved)) {
    return notFound("\"/" + layer::cleanPath(path) + "\": not found");
  }
  return resolved.empty() ? root : root + "/" + resolved;
}

Status writeOwned(const std::string& path, const std::string& bytes, std::uint32_t mode, std::uint32_t uid,
                  std::uint32_t gid) {
  const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) {
    return systemError("open", path, errno);
  }
  CHECK_OK(writeAll(file.get(), bytes, path));
  if (::fchown(file.get(), uid, gid) != 0 || ::fchmod(file.get(), mode) != 0) {
    return systemError("chown", path, errno);
  }
  return ok();
}

}  // namespace

Status RunMounts::add(const plan::RunStep& run) {
  for (const plan::Mount& mount : run.mounts) {
    CHECK_OK(addMount(mount));
  }
  return addPipes(run.pipes);
}

Status RunMounts::addMount(const plan::Mount& mount) {
  switch (mount.type) {
    case plan::Mount::Type::kBind: return addBind(mount);
    case plan::Mount::Type::kCache: return addCache(mount);
    case plan::Mount::Type::kTmpfs: mounts_.push_back({"tmpfs", "", mount.target, false, mount.size}); return ok();
    case plan::Mount::Type::kSecret: return addSecret(mount);
    case plan::Mount::Type::kSsh: return addSsh(mount);
  }
  return ok();
}

Result<std::string> RunMounts::sourceOf(const plan::Mount& mount) {
  if (mount.fromStage < 0) {
    return sources_.context(mount.context, mount.source);
  }
  TRY(const std::string root, sources_.stage(mount.fromStage));
  return pathBelow(root, mount.source);
}

Status RunMounts::addBind(const plan::Mount& mount) {
  TRY(std::string source, sourceOf(mount));
  if (!mount.readOnly) {
    // Writes are thrown away with the overlay.
    TRY(const std::string scratch, store_.makeScratchDirectory("bind"));
    struct stat st {};
    if (::stat(source.c_str(), &st) == 0 && S_ISDIR(st.st_mode)) {
      for (const char* name : {"/fs", "/work", "/root"}) {
        CHECK_OK(makeDirectories(scratch + name));
      }
      static_cast<void>(::chmod((scratch + "/fs").c_str(), st.st_mode & 07777));
      static_cast<void>(!::chown((scratch + "/fs").c_str(), st.st_uid, st.st_gid));
      TRY(Mounted overlay, mountOverlay({{source}, scratch + "/fs", scratch + "/work"}, scratch + "/root"));
      source = overlay.path();
      overlays_.push_back(std::move(overlay));
    } else {
      TRY(const std::string bytes, loadFile(source, 1024u * 1024 * 1024));
      CHECK_OK(writeOwned(scratch + "/file", bytes, st.st_mode & 07777, st.st_uid, st.st_gid));
      source = scratch + "/file";
    }
  }
  mounts_.push_back({"bind", std::move(source), mount.target, mount.readOnly, 0});
  return ok();
}

/// The cache's directory, locked as its sharing mode wants it.
Result<std::string> RunMounts::lockCache(const plan::Mount& mount) {
  const bool isPrivate = mount.sharing == "private";
  for (int copy = 0; copy < kPrivateCopies; ++copy) {
    const std::string directory = store_.cachePath(mount.id) + (copy == 0 ? "" : "-" + std::to_string(copy));
    CHECK_OK(makeDirectories(directory, 0700));
    Fd lock(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const int kind = mount.sharing == "shared" ? LOCK_SH : LOCK_EX;
    if (!lock || ::flock(lock.get(), kind | (isPrivate ? LOCK_NB : 0)) != 0) {
      if (lock && isPrivate && errno == EWOULDBLOCK) {
        continue;
      }
      return systemError("lock", directory, errno);
    }
    locks_.push_back(std::move(lock));
    return directory;
  }
  return unavailable("cache " + stagewright::quoted(mount.id) + ": all private copies are in use");
}

Status RunMounts::fillCache(const plan::Mount& mount, const std::string& directory) {
  const std::string files = directory + "/files";
  if (::access(files.c_str(), F_OK) == 0) {
    return ok();
  }
  const std::string made = directory + "/new";
  CHECK_OK(makeDirectories(made));
  if (mount.fromStage >= 0) {
    TRY(const std::string source, sourceOf(mount));
    TRY(const auto from, makeStageTree(source));
    TRY(layer::Tree to, layer::Tree::open(made, {}, {}));
    stage::CopyEngine engine(to, {});
    CHECK_OK(engine.copy(*from, "", "/"));
  } else if (!mount.context.empty()) {
    TRY(const std::string source, sources_.context(mount.context, mount.source));
    TRY(const auto from, makeStageTree(source));
    TRY(layer::Tree to, layer::Tree::open(made, {}, {}));
    stage::CopyEngine engine(to, {});
    CHECK_OK(engine.copy(*from, "", "/"));
  }
  if (mount.mode && (::chmod(made.c_str(), *mount.mode) != 0 || ::chown(made.c_str(), mount.uid, mount.gid) != 0)) {
    return systemError("chown", made, errno);
  }
  if (::rename(made.c_str(), files.c_str()) != 0 && errno != EEXIST && errno != ENOTEMPTY) {
    return systemError("rename", files, errno);
  }
  return ok();
}

Status RunMounts::addCache(const plan::Mount& mount) {
  TRY(const std::string directory, lockCache(mount));
  CHECK_OK(fillCache(mount, directory));
  std::string source = directory + "/files";
  if (mount.fromStage < 0 && mount.context.empty() && mount.source != "." && !mount.source.empty()) {
    source += "/" + layer::cleanPath(mount.source);
    CHECK_OK(makeDirectories(source));
  }
  mounts_.push_back({"bind", std::move(source), mount.target, mount.readOnly, 0});
  return ok();
}

Result<std::string> RunMounts::memoryDirectory() {
  if (memory_.path().empty()) {
    TRY(const std::string path, store_.makeScratchDirectory("secrets"));
    TRY(memory_, mountTmpfs(path));
  }
  return memory_.path() + "/" + std::to_string(files_++);
}

Status RunMounts::addSecret(const plan::Mount& mount) {
  const auto known = options_.secrets.find(mount.id);
  if (known == options_.secrets.end()) {
    if (mount.required) {
      return invalid("secret " + mount.id + ": not found");
    }
    if (!mount.env.empty()) {
      env_.push_back(mount.env + "=");  // there, and empty
    }
    return ok();
  }
  std::string bytes;
  if (!known->second.variable.empty()) {
    const char* value = std::getenv(known->second.variable.c_str());
    if (value == nullptr) {
      return invalid("secret " + mount.id + ": the variable " + known->second.variable + " is not set");
    }
    bytes = value;
  } else {
    TRY(bytes, loadFile(known->second.file, kSecretLimit));
  }
  if (!mount.env.empty()) {
    env_.push_back(mount.env + "=" + bytes);
  }
  if (mount.envOnly) {
    return ok();
  }
  TRY(std::string path, memoryDirectory());
  CHECK_OK(writeOwned(path, bytes, mount.mode.value_or(0400), mount.uid, mount.gid));
  mounts_.push_back({"bind", std::move(path), mount.target, true, 0});
  return ok();
}

Status RunMounts::addSsh(const plan::Mount& mount) {
  const auto known = options_.sshSockets.find(mount.id);
  if (known == options_.sshSockets.end()) {
    return mount.required ? Status(invalid("ssh agent " + mount.id + ": not found, give it with --ssh")) : ok();
  }
  mounts_.push_back({"bind", known->second, mount.target, false, 0});
  return ok();
}

Status RunMounts::addPipes(const std::vector<plan::PipeFile>& pipes) {
  if (pipes.empty()) {
    return ok();
  }
  TRY(const std::string directory, store_.makeScratchDirectory("pipes"));
  static_cast<void>(::chmod(directory.c_str(), 0755));
  for (const plan::PipeFile& pipe : pipes) {
    CHECK_OK(writeOwned(directory + "/" + pipe.name, pipe.content, 0755, 0, 0));
  }
  mounts_.push_back({"bind", directory, "/dev/pipes", true, 0});
  return ok();
}

}  // namespace stagewright::local
