#include "builder-pod/stage/run_mounts.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "builder-pod/stage/copy_engine.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"

namespace stagewright::stage {

namespace {

using Type = plan::Mount::Type;

/// A cache's directory: its id may hold slashes.
std::string cacheName(const plan::Mount& mount) {
  return "cache-" + sha256Hex(mount.id).substr(0, 32);
}

bool existsOnDisk(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

layer::Timestamp timeOf(layer::Tree& tree, const std::string& path) {
  const auto st = tree.stat(path);
  return st ? st->mtime : layer::Timestamp{};
}

}  // namespace

RunMounts::RunMounts(layer::Tree& tree, const StageOptions& options, bool canBind, const Stop* stop)
    : tree_(tree),
      options_(options),
      canBind_(canBind),
      stop_(stop),
      stashPath_(options.stash),
      caches_(options.caches) {}

Status RunMounts::setUp(const plan::RunStep& run, const MountSourceFinder& find) {
  if (run.insecure) {
    return invalid("RUN --security=insecure is not supported: a stage has no privileges to give");
  }
  for (const plan::Mount& mount : run.mounts) {
    CHECK_OK(mount.type == Type::kSecret ? setUpSecret(mount)
             : mount.type == Type::kSsh  ? setUpSsh(mount)
                                         : setUpOne(mount, find));
  }
  return writePipes(run.pipes);
}

Status RunMounts::openStash() {
  if (!stash_) {
    CHECK_OK(stagewright::makeDirectories(stashPath_, 0700));
    TRY(stash_, openDirectory(stashPath_));
  }
  return ok();
}

RunMounts::~RunMounts() { static_cast<void>(removeSecrets()); }

Status RunMounts::removeSecrets() {
  if (secretFiles_ == 0) {
    return ok();
  }
  secretFiles_ = 0;
  TRY(const Fd directory, openDirectory(options_.secretsDir));
  return removeContents(directory.get());
}

/// A file of the volume in memory, never of the image's file system: that is a disk.
Result<std::string> RunMounts::writeSecret(const plan::Mount& mount, const std::string& value) {
  std::string path = options_.secretsDir + "/" + std::to_string(secretFiles_++);
  const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) {
    return systemError("create", path, errno);
  }
  CHECK_OK(writeAll(file.get(), value, path));
  if (::fchown(file.get(), mount.uid, mount.gid) != 0 ||
      ::fchmod(file.get(), mount.mode.value_or(0400)) != 0) {
    return systemError("chown", path, errno);
  }
  return path;
}

Status RunMounts::setUpSecret(const plan::Mount& mount) {
  const auto held = options_.secrets.values.find(mount.id);
  if (held == options_.secrets.values.end()) {
    return mount.required ? Status(invalid("secret " + mount.id + ": not found")) : ok();
  }
  if (!mount.env.empty()) {
    env_.push_back(mount.env + "=" + held->second);
  }
  if (mount.envOnly) {
    return ok();
  }
  TRY(const std::string path, writeSecret(mount, held->second));
  return place(mount, [&](Mounted& mounted) { return tree_.makeSymlink(mounted.target, path); });
}

Status RunMounts::setUpSsh(const plan::Mount& mount) {
  const auto held = options_.secrets.keys.find(mount.id);
  if (held == options_.secrets.keys.end()) {
    return mount.required ? Status(invalid("unset ssh forward key " + mount.id)) : ok();
  }
  auto key = SshKey::parse(held->second);
  if (!key) {
    return std::move(key).error().during("ssh key " + quoted(mount.id, 128));
  }
  const std::string path = options_.secretsDir + "/" + std::to_string(secretFiles_++);
  CHECK_OK(agent_.listen(path, std::move(*key), mount.mode.value_or(0600), mount.uid, mount.gid));
  return place(mount, [&](Mounted& mounted) { return tree_.makeSymlink(mounted.target, path); });
}

Status RunMounts::setUpOne(const plan::Mount& mount, const MountSourceFinder& find) {
  if (canBind_ && mount.type == Type::kCache) {
    return bindCache(mount, find);
  }
  return place(mount, [&](Mounted& mounted) { return fillTarget(mount, find, mounted); });
}

Status RunMounts::place(const plan::Mount& mount, const std::function<Status(Mounted&)>& fill) {
  CHECK_OK(openStash());
  TRY(const std::string target, tree_.resolve(mount.target));
  if (target.empty()) {
    return invalid("invalid mount target \"/\"");
  }
  if (tree_.isMounted(target)) {
    return invalid("cannot mount over \"/" + target +
                   "\": the runtime has mounted something there");
  }
  Mounted mounted;
  mounted.target = target;
  CHECK_OK(makeWay(mounted));
  targets_.insert(target);
  const Status filled = fill(mounted);
  mounted.parentTimeAfter = timeOf(tree_, mounted.parent);
  mounted_.push_back(std::move(mounted));
  return filled;
}

/// Makes the directories above the target and moves aside what is at it.
Status RunMounts::makeWay(Mounted& mounted) {
  std::string existing = mounted.target;
  while (!existing.empty() && !tree_.stat(existing)) {
    mounted.made.insert(mounted.made.begin(), existing);
    existing = std::string(layer::parentOf(existing));
  }
  mounted.parent = mounted.made.empty() ? std::string(layer::parentOf(mounted.target)) : existing;
  mounted.parentTime = timeOf(tree_, mounted.parent);
  if (mounted.made.empty()) {
    return moveAside(mounted);
  }
  mounted.made.pop_back();  // the target itself is made by what fills it
  return CopyEngine::makeDirectories(tree_, std::string(layer::parentOf(mounted.target)), 0755,
                                     std::nullopt);
}

Status RunMounts::rename(int from, const std::string& name, int to, const std::string& newName) {
  if (::renameat(from, name.c_str(), to, newName.c_str()) != 0) {
    return systemError("move", name, errno);
  }
  return ok();
}

Status RunMounts::moveAside(Mounted& mounted) {
  const std::string name = "stash-" + std::to_string(count_++);
  const std::string base(layer::baseOf(mounted.target));
  TRY(const Fd parent, tree_.root().openDirectory(std::string(layer::parentOf(mounted.target))));
  CHECK_OK(layer::removeTree(stash_.get(), name));
  if (::renameat(parent.get(), base.c_str(), stash_.get(), name.c_str()) != 0) {
    if (errno != EXDEV) {
      return systemError("move aside", "/" + mounted.target, errno);
    }
    // A directory of the image's own layers cannot be renamed on overlay: it is copied once, and
    // moves from then on.
    TRY(layer::Tree stash, layer::Tree::open(stashPath_, {}, {}));
    TRY(const auto whole, makeDirectoryTree(options_.root, SourceOwners::kKept));
    CopyOptions options;
    options.contentsOnly = false;
    options.followLinks = false;
    CHECK_OK(CopyEngine(stash, options).copy(*whole, mounted.target, "/" + name));
    CHECK_OK(tree_.remove(mounted.target));
  }
  mounted.stashed = name;
  return ok();
}

Status RunMounts::fillTarget(const plan::Mount& mount, const MountSourceFinder& find,
                             Mounted& mounted) {
  if (mount.type == Type::kBind) {
    return copyInto(mount, find, tree_, mounted.target);
  }
  if (mount.type == Type::kCache) {
    return moveCacheIn(mount, find, mounted);
  }
  CHECK_OK(tree_.makeDirectory(mounted.target, 01777));
  layer::Metadata m;
  m.mode = 01777;
  return tree_.setMetadata(mounted.target, m);
}

Status RunMounts::copyInto(const plan::Mount& mount, const MountSourceFinder& find,
                           layer::Tree& tree, const std::string& target) {
  TRY(const MountSource source, find(mount));
  CopyOptions options;
  options.contentsOnly = false;
  return CopyEngine(tree, options).copy(*source.tree, source.path, "/" + target);
}

/// A new cache: a copy of its initial content, or empty with the given owner and mode.
Status RunMounts::makeCache(const plan::Mount& mount, const MountSourceFinder& find,
                            const std::string& directory) {
  const std::string parent = directory.substr(0, directory.rfind('/'));
  const std::string base(layer::baseOf(directory));
  TRY(layer::Tree tree, layer::Tree::open(parent, {}, {}));
  if (mount.fromStage >= 0) {
    return copyInto(mount, find, tree, base);
  }
  CHECK_OK(tree.makeDirectory(base, 0755));
  layer::Metadata m;
  m.uid = mount.uid;
  m.gid = mount.gid;
  m.mode = mount.mode.value_or(0755);
  return tree.setMetadata(base, m);
}

Status RunMounts::bindCache(const plan::Mount& mount, const MountSourceFinder& find) {
  const std::string directory = options_.caches + "/" + cacheName(mount);
  if (!existsOnDisk(directory)) {
    CHECK_OK(stagewright::makeDirectories(options_.caches));
    CHECK_OK(makeCache(mount, find, directory));
  }
  binds_.push_back({directory, mount.target, mount.readOnly});
  return ok();
}

Status RunMounts::moveCacheIn(const plan::Mount& mount, const MountSourceFinder& find,
                              Mounted& mounted) {
  const std::string name = cacheName(mount);
  if (isCacheVolume(options_.caches)) {
    TRY(const std::string directory,
        caches_.take(
            name, mount, [&](const std::string& path) { return makeCache(mount, find, path); },
            stop_));
    return tree_.makeSymlink(mounted.target, directory);
  }
  for (const Mounted& other : mounted_) {
    if (other.cache == name) {
      return tree_.makeSymlink(mounted.target,
                               "/" + other.target);  // one cache at two places of one step
    }
  }
  if (!layer::statAt(stash_.get(), name)) {
    CHECK_OK(makeCache(mount, find, stashPath_ + "/" + name));
  }
  TRY(const Fd parent, tree_.root().openDirectory(std::string(layer::parentOf(mounted.target))));
  CHECK_OK(rename(stash_.get(), name, parent.get(), std::string(layer::baseOf(mounted.target))));
  mounted.cache = name;
  return ok();
}

Status RunMounts::tearDown() {
  CHECK_OK(removePipes());
  for (auto it = mounted_.rbegin(); it != mounted_.rend(); ++it) {
    CHECK_OK(undo(*it));
  }
  mounted_.clear();
  caches_.release();
  return removeSecrets();
}

Status RunMounts::undo(const Mounted& mounted) {
  const bool untouched = timeOf(tree_, mounted.parent) == mounted.parentTimeAfter;
  const std::string directory(layer::parentOf(mounted.target));
  const std::string base(layer::baseOf(mounted.target));
  // A step may have removed all of it: then there is nothing to undo but what was stashed.
  auto parent = tree_.root().openDirectory(directory);
  if (!parent) {
    CHECK_OK(CopyEngine::makeDirectories(tree_, directory, 0755, std::nullopt));
    TRY(parent, tree_.root().openDirectory(directory));
  }
  if (!mounted.cache.empty() && layer::statAt(parent->get(), base)) {
    CHECK_OK(layer::removeTree(stash_.get(), mounted.cache));
    CHECK_OK(rename(parent->get(), base, stash_.get(), mounted.cache));
  }
  CHECK_OK(tree_.remove(mounted.target));
  if (mounted.stashed) {
    CHECK_OK(rename(stash_.get(), *mounted.stashed, parent->get(), base));
  }
  for (auto it = mounted.made.rbegin(); it != mounted.made.rend(); ++it) {
    const auto names = tree_.list(*it);
    if (names && names->empty()) {
      CHECK_OK(tree_.remove(*it));
    }
  }
  if (untouched) {
    layer::Metadata m;
    m.mtime = mounted.parentTime;
    return tree_.setMetadata(mounted.parent, m);
  }
  return ok();
}

Status RunMounts::writePipes(const std::vector<plan::PipeFile>& pipes) {
  if (pipes.empty()) {
    return ok();
  }
  std::string directory = stashPath_ + "/pipes";
  if (canBind_) {
    CHECK_OK(openStash());
    CHECK_OK(layer::removeTree(stash_.get(), "pipes"));
    CHECK_OK(stagewright::makeDirectories(directory));
    binds_.push_back({directory, "/dev/pipes", true});
  } else {
    pipes_ = true;
    directory = options_.root + (options_.root.ends_with('/') ? "" : "/") + "dev/pipes";
    CHECK_OK(removePipes());
    CHECK_OK(stagewright::makeDirectories(directory));
  }
  ::chmod(directory.c_str(), 0755);
  for (const plan::PipeFile& pipe : pipes) {
    const std::string path = directory + "/" + pipe.name;
    const Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0755));
    if (!fd) {
      return systemError("create", path, errno);
    }
    ::fchmod(fd.get(), 0755);
    CHECK_OK(writeAll(fd.get(), pipe.content, path));
  }
  return ok();
}

Status RunMounts::removePipes() {
  if (!pipes_) {
    return ok();
  }
  TRY(const Fd dev, tree_.root().open("dev", O_RDONLY | O_DIRECTORY));
  return layer::removeTree(dev.get(), "pipes");
}

}  // namespace stagewright::stage
