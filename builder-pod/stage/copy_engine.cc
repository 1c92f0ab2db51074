#include "builder-pod/stage/copy_engine.h"

#include <sys/stat.h>

namespace stagewright::stage {

using layer::FileStat;

namespace {

constexpr std::uint32_t kDirectoryMode = 0755;

Error notADirectory(const std::string& path) {
  return invalid("mkdir /" + path + ": not a directory");
}

bool isMissing(const Error& error) { return error.code == Code::kNotFound; }

}  // namespace

Status CopyEngine::makeDirectories(layer::Tree& tree, const std::string& path, std::uint32_t mode,
                                   const std::optional<Owner>& owner) {
  const auto st = tree.stat(path);
  if (st) {
    return st->isDirectory() ? ok() : Status(notADirectory(path));
  }
  if (!isMissing(st.error())) {
    return st.error();
  }
  if (path.empty()) {
    return ok();
  }
  CHECK_OK(makeDirectories(tree, std::string(layer::parentOf(path)), mode, owner));
  CHECK_OK(tree.makeDirectory(path, mode & 0777));
  const auto parent = tree.stat(std::string(layer::parentOf(path)));
  layer::Metadata m;
  m.mode = (mode & 0777) | (parent ? parent->mode & S_ISGID : 0);  // against the umask; setgid is inherited
  if (owner) {
    m.uid = owner->uid;
    m.gid = owner->gid;
  }
  return tree.setMetadata(path, m);
}

Status CopyEngine::preparePatterns() {
  if (!options_.include.empty() && !include_) {
    TRY(include_, layer::PatternList::make(options_.include));
  }
  if (!options_.exclude.empty() && !exclude_) {
    TRY(exclude_, layer::PatternList::make(options_.exclude));
  }
  return ok();
}

Result<std::string> CopyEngine::resolveDestination(const std::string& destination) {
  return options_.link ? Result<std::string>(layer::cleanPath(destination))
                       : tree_.resolve(destination);
}

Result<FileStat> CopyEngine::targetStat(const std::string& target) {
  if (options_.link && !target.empty() && !made_.contains(target)) {
    return notFound("stat " + quoted("/" + target) + ": No such file or directory");
  }
  return tree_.stat(target);
}

/// --link: what the stage has at `target` gives way, as when layers are merged.
Status CopyEngine::clearTarget(const std::string& target) {
  if (options_.link) {
    made_.insert(target);
    const auto st = tree_.stat(target);
    if (st && !st->isDirectory()) {
      return tree_.remove(target);
    }
  }
  return ok();
}

Status CopyEngine::ensureDirectories(const std::string& path) {
  const std::uint32_t mode =
      options_.mode && options_.mode->isNumeric() ? options_.mode->number() : kDirectoryMode;
  if (!options_.link) {
    return makeDirectories(tree_, path, mode, options_.owner);
  }
  if (path.empty() || made_.contains(path)) {
    const auto st = targetStat(path);
    return st && st->isDirectory() ? ok() : Status(notADirectory(path));
  }
  CHECK_OK(ensureDirectories(std::string(layer::parentOf(path))));
  CHECK_OK(clearTarget(path));
  if (!tree_.stat(path)) {
    CHECK_OK(tree_.makeDirectory(path, mode));
  }
  layer::Metadata m;
  m.mode = mode & 0777;
  m.uid = options_.owner ? options_.owner->uid : 0;
  m.gid = options_.owner ? options_.owner->gid : 0;
  return tree_.setMetadata(path, m);
}

Status CopyEngine::copy(SourceTree& source, const std::string& path,
                        const std::string& destination) {
  CHECK_OK(preparePatterns());
  source_ = &source;
  links_.clear();
  pending_.clear();
  late_.clear();
  // Everything before the last part is a directory; with a slash (or "/.") at the end all of it is.
  const bool isDirectory = destination.ends_with('/') || destination.ends_with("/.");
  const std::string clean = layer::cleanPath(destination);
  const std::string directory = isDirectory ? clean : std::string(layer::parentOf(clean));
  TRY(const std::string ensured, resolveDestination(directory));
  CHECK_OK(ensureDirectories(ensured));
  TRY(const std::string target, resolveDestination(destination));
  std::string from = layer::cleanPath(path);
  if (options_.followLinks) {
    TRY(from, source.resolve(from));
  }
  const auto st = source.stat(from);
  if (!st) {
    return isMissing(st.error()) ? notFound("\"/" + layer::cleanPath(path) + "\": not found")
                                 : st.error();
  }
  TRY(const std::string placed, placeTarget(*st, path, target));
  fromRoot_ = from.empty();
  CHECK_OK(visit(Visit{from, "", placed, false, false}, {}, {}));
  CHECK_OK(crew_.drain());
  return finishDirectories();
}

Status CopyEngine::finishDirectories() {
  for (const Late& late : late_) {
    CHECK_OK(late.timeOnly ? restoreTime(late.stat, late.target)
                           : copyMetadata(late.path, late.stat, late.target));
  }
  return ok();
}

Result<std::string> CopyEngine::placeTarget(const FileStat& source, const std::string& sourcePath,
                                            const std::string& target) {
  const auto st = targetStat(target);
  if (!st && !isMissing(st.error())) {
    return st.error();
  }
  std::string placed = target;
  const bool intoExisting =
      source.isDirectory() ? !options_.contentsOnly && st : st && st->isDirectory();
  if (intoExisting) {
    placed = layer::joinPath(target, layer::baseOf(layer::cleanPath(sourcePath)));
  }
  const bool contents = options_.contentsOnly && source.isDirectory() && !st;
  CHECK_OK(ensureDirectories(contents ? placed : std::string(layer::parentOf(placed))));
  return placed;
}

Status CopyEngine::visit(const Visit& v, const Memory& includedAbove, const Memory& excludedAbove) {
  bool included = true;
  bool excluded = false;
  Memory include;
  Memory exclude;
  if (!v.components.empty()) {
    included = !include_ || include_->matches(v.components, includedAbove, include);
    excluded = exclude_ && exclude_->matches(v.components, excludedAbove, exclude);
    included = included && !excluded;
    const bool nothingBelow = !include_ && !(exclude_ && exclude_->hasExceptions());
    if (!included && nothingBelow) {
      return ok();
    }
  }
  TRY(const FileStat st, source_->stat(v.path));
  if (!included && !st.isDirectory()) {
    return ok();
  }
  foundAny_ = foundAny_ || (included && !v.components.empty());
  CHECK_OK(checkLink(v, st));
  CHECK_OK(checkParent(v));
  if (st.isDirectory()) {
    return visitDirectory(v, st, included, excluded, include, exclude);
  }
  CHECK_OK(makePendingParents());
  if (!v.isFresh) {
    CHECK_OK(clearWay(v));
  }
  if (options_.link) {
    made_.insert(v.target);
  }
  return copyObject(v, st);
}

/// Where patterns choose, BuildKit looks behind the links that lie in the root itself.
Status CopyEngine::checkLink(const Visit& v, const FileStat& st) {
  const bool isLooked = (include_ || exclude_) && options_.followLinks && fromRoot_ && st.isSymlink() &&
                        v.components.find('/') == std::string::npos;
  if (!isLooked) {
    return ok();
  }
  const auto resolved = source_->resolve(v.path);
  return resolved && source_->stat(*resolved) ? ok() : Status(notFound("\"/" + v.path + "\": not found"));
}

/// What is at the target of something that is no directory gives way.
Status CopyEngine::clearWay(const Visit& v) {
  const auto existing = targetStat(v.target);
  if (existing && existing->isDirectory()) {
    if (!options_.link) {
      return invalid("cannot replace to directory /" + v.target + " with file");
    }
    CHECK_OK(tree_.remove(v.target));
  } else if (existing) {
    CHECK_OK(tree_.remove(v.target));
  } else if (!isMissing(existing.error())) {
    return existing.error();
  } else if (options_.link) {
    CHECK_OK(tree_.remove(v.target));
  }
  return ok();
}

/// BuildKit looks at the target before it knows whether its directory will be made.
Status CopyEngine::checkParent(const Visit& v) {
  if (pending_.empty() || pending_.back().made) {
    return ok();
  }
  const auto parent = targetStat(pending_.back().target);
  if (parent && !parent->isDirectory() && !parent->isSymlink()) {
    return invalid("failed to stat /" + v.target + ": lstat /" + v.target + ": not a directory");
  }
  return ok();
}

Status CopyEngine::visitDirectory(const Visit& v, const FileStat& st, bool included, bool excluded,
                                  const Memory& include, const Memory& exclude) {
  bool created = false;
  const bool existed = !v.isFresh && targetStat(v.target).has_value();
  if (included) {
    CHECK_OK(makePendingParents());
    TRY(created, makeDirectoryOnly(v.target, st, v.overwriteMetadata));
  }
  pending_.push_back({v.path, v.target, included, v.overwriteMetadata});
  const bool enter = !excluded || (exclude_ && exclude_->hasExceptions());
  if (enter) {
    TRY(const std::vector<std::string> names, source_->list(v.path));
    for (const std::string& name : names) {
      CHECK_OK(visit(Visit{layer::joinPath(v.path, name), layer::joinPath(v.components, name),
                           layer::joinPath(v.target, name), true, created && !options_.link},
                     include, exclude));
    }
  }
  pending_.pop_back();
  if (included && (created || v.overwriteMetadata)) {
    late_.push_back({v.path, st, v.target, false});
  } else if (!v.overwriteMetadata && existed) {
    // The destination itself, which was there, keeps its owner and mode and gets the source's time.
    late_.push_back({v.path, st, v.target, true});
  }
  return ok();
}

Status CopyEngine::makePendingParents() {
  for (Pending& p : pending_) {
    if (p.made) {
      continue;
    }
    TRY(const FileStat st, source_->stat(p.path));
    TRY(const bool created, makeDirectoryOnly(p.target, st, p.overwriteMetadata));
    if (created) {
      CHECK_OK(copyMetadata(p.path, st, p.target));
    }
    p.made = true;
  }
  return ok();
}

Result<bool> CopyEngine::makeDirectoryOnly(const std::string& target, const FileStat& st,
                                           bool overwriteMetadata) {
  const auto existing = targetStat(target);
  if (!existing) {
    if (!isMissing(existing.error())) {
      return existing.error();
    }
    CHECK_OK(clearTarget(target));
    if (!options_.link || !tree_.stat(target)) {
      CHECK_OK(tree_.makeDirectory(target, st.permissions()));
    }
    return true;
  }
  if (!existing->isDirectory()) {
    return invalid("cannot copy to non-directory: /" + target);
  }
  if (overwriteMetadata) {
    layer::Metadata m;
    m.mode = st.permissions();
    CHECK_OK(tree_.setMetadata(target, m));
  }
  return false;
}

Status CopyEngine::copyObject(const Visit& v, const FileStat& st) {
  if (st.isFile() || st.isSocket()) {
    const auto link = st.nlink > 1 ? links_.emplace(std::pair(st.mount, st.inode), v.target)
                                   : std::pair(links_.end(), true);
    if (!link.second) {
      CHECK_OK(crew_.drain());
      CHECK_OK(tree_.makeLink(v.target, link.first->second));
      return copyMetadata(v.path, st, v.target);
    }
    if (st.isFile()) {
      return copyRegular(v, st);
    }
    CHECK_OK(tree_.makeFile(v.target, 0600).map([](const Fd&) {}));
  } else if (st.isSymlink()) {
    TRY(const std::string target, source_->readLink(v.path));
    CHECK_OK(tree_.makeSymlink(v.target, target));
  } else {
    CHECK_OK(tree_.makeNode(v.target, st.mode, st.major, st.minor));
  }
  return copyMetadata(v.path, st, v.target);
}

Status CopyEngine::copyRegular(const Visit& v, const FileStat& st) {
  TRY(const auto from, source_->directory(std::string(layer::parentOf(v.path))));
  if (from) {
    TRY(const auto to, tree_.claimFile(v.target, v.isFresh));
    if (to) {
      const layer::Metadata m = metadataOf(st);
      return crew_.add({from, v.path, st, to, v.target, *m.uid, *m.gid, *m.mode});
    }
  }
  {
    TRY(const Content content, source_->open(v.path));
    TRY(const Fd fd, tree_.makeFile(v.target, 0600));
    CHECK_OK(copyBytes(content, fd.get(), v.target));
  }
  return copyMetadata(v.path, st, v.target);
}

layer::Metadata CopyEngine::metadataOf(const FileStat& st) const {
  layer::Metadata m;
  m.uid = options_.owner ? options_.owner->uid : st.uid;
  m.gid = options_.owner ? options_.owner->gid : st.gid;
  m.mode =
      options_.mode ? options_.mode->apply(st.permissions(), st.isDirectory()) : st.permissions();
  m.mtime = st.mtime;
  return m;
}

/// Owner, then mode (chown clears setuid), then attributes, then the time.
Status CopyEngine::copyMetadata(const std::string& path, const FileStat& st,
                                const std::string& target) {
  layer::Metadata m = metadataOf(st);
  TRY(m.xattrs, source_->xattrs(path));
  return tree_.setMetadata(target, m);
}

Status CopyEngine::restoreTime(const FileStat& st, const std::string& target) {
  layer::Metadata m;
  m.mtime = st.mtime;
  return tree_.setMetadata(target, m);
}

}  // namespace stagewright::stage
