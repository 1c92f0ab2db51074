#include "builder-pod/stage/source_tree.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "lib/base/file.h"
#include "lib/layer/pattern.h"

namespace stagewright::stage {

namespace {

using layer::FileStat;

Error noSuchFile(const std::string& path) {
  return notFound("open " + quoted("/" + path) + ": No such file or directory");
}

class DirectoryTree final : public SourceTree {
 public:
  DirectoryTree(layer::Root root, SourceOwners owners) : root_(std::move(root)), owners_(owners) {}

  Result<FileStat> stat(const std::string& path) override {
    if (path.empty()) {
      TRY(FileStat st, layer::statAt(root_.fd(), ""));
      return owned(st);
    }
    TRY(const int parent, parentFd(path));
    TRY(FileStat st, layer::statAt(parent, std::string(layer::baseOf(path))));
    return owned(st);
  }

  Result<std::string> readLink(const std::string& path) override {
    TRY(const int parent, parentFd(path));
    return layer::readLinkAt(parent, std::string(layer::baseOf(path)));
  }

  Result<std::vector<std::string>> list(const std::string& path) override {
    TRY(const Fd fd, root_.openDirectory(path));
    return layer::listDirectory(fd.get(), path);
  }

  Result<Content> open(const std::string& path) override {
    TRY(const int parent, parentFd(path));
    TRY(SourceFile file, openSourceFile(parent, std::string(layer::baseOf(path)), path));
    return std::move(file.content);
  }

  Result<layer::Xattrs> xattrs(const std::string& path) override {
    if (path.empty()) {
      return layer::loadXattrs(root_.fd(), path);
    }
    TRY(const int parent, parentFd(path));
    return layer::loadXattrsAt(parent, std::string(layer::baseOf(path)));
  }

  Result<std::string> resolve(const std::string& path) override { return root_.resolve(path); }

  Result<std::shared_ptr<const Fd>> directory(const std::string& path) override {
    if (!cached_ || cachedPath_ != path) {
      TRY(Fd fd, root_.open(path, O_PATH | O_DIRECTORY));
      cached_ = std::make_shared<const Fd>(std::move(fd));
      cachedPath_ = path;
    }
    return cached_;
  }

 private:
  FileStat owned(FileStat st) const {
    if (owners_ == SourceOwners::kRoot) {
      st.uid = 0;
      st.gid = 0;
    }
    return st;
  }

  /// Walks are depth-first, so the directory used last is nearly always the right one. The tree
  /// does not change.
  Result<int> parentFd(const std::string& path) {
    TRY(const auto parent, directory(std::string(layer::parentOf(path))));
    return parent->get();
  }

  layer::Root root_;
  SourceOwners owners_;
  std::string cachedPath_;
  std::shared_ptr<const Fd> cached_;
};

class SingleFileTree final : public SourceTree {
 public:
  SingleFileTree(std::string name, Fd file, FileStat st)
      : name_(std::move(name)), file_(std::move(file)), stat_(st) {}

  Result<FileStat> stat(const std::string& path) override {
    if (path.empty()) {
      FileStat root;
      root.mode = S_IFDIR | 0755;
      root.mtime = stat_.mtime;
      return root;
    }
    return path == name_ ? Result<FileStat>(stat_) : noSuchFile(path);
  }
  Result<std::string> readLink(const std::string& path) override { return noSuchFile(path); }
  Result<std::vector<std::string>> list(const std::string&) override {
    return std::vector<std::string>{name_};
  }
  Result<Content> open(const std::string& path) override {
    if (path != name_) {
      return noSuchFile(path);
    }
    Content content;
    content.fd = file_.get();
    content.size = stat_.size;
    return content;
  }
  Result<layer::Xattrs> xattrs(const std::string&) override { return layer::Xattrs{}; }
  Result<std::string> resolve(const std::string& path) override { return layer::cleanPath(path); }

 private:
  std::string name_;
  Fd file_;
  FileStat stat_;
};

/// Splits at the first part with a wildcard.
void splitWildcards(const std::string& pattern, std::string& fixed, std::string& rest) {
  const std::string clean = layer::cleanPath(pattern);
  for (std::size_t begin = 0; begin <= clean.size();) {
    const std::size_t end = std::min(clean.find('/', begin), clean.size());
    if (layer::hasWildcard(std::string_view(clean).substr(begin, end - begin))) {
      fixed = begin == 0 ? "" : clean.substr(0, begin - 1);
      rest = clean.substr(begin);
      return;
    }
    begin = end + 1;
  }
  fixed = clean;
}

class Expander {
 public:
  Expander(SourceTree& tree, std::string pattern)
      : tree_(tree),
        pattern_(std::move(pattern)),
        depth_(1 + static_cast<int>(std::count(pattern_.begin(), pattern_.end(), '/'))),
        // A class may match a slash, so with one the number of parts says nothing.
        anyDepth_(pattern_.find('[') != std::string::npos) {}

  Status walk(const std::string& base, const std::string& relative, int depth) {
    if (depth > depth_ && !anyDepth_) {
      return ok();
    }
    TRY(const std::vector<std::string> names, tree_.list(layer::joinPath(base, relative)));
    for (const std::string& name : names) {
      const std::string inner = layer::joinPath(relative, name);
      const std::string path = layer::joinPath(base, inner);
      if (layer::matchesGlob(pattern_, inner)) {
        found_.push_back(path);
        continue;  // nothing inside a match is a match of its own
      }
      const auto st = tree_.stat(path);
      if (st && st->isDirectory()) {
        CHECK_OK(walk(base, inner, depth + 1));
      }
    }
    return ok();
  }

  std::vector<std::string> take() { return std::move(found_); }

 private:
  SourceTree& tree_;
  std::string pattern_;
  int depth_;
  bool anyDepth_;
  std::vector<std::string> found_;
};

}  // namespace

Result<std::shared_ptr<const Fd>> SourceTree::directory(const std::string&) {
  return std::shared_ptr<const Fd>();
}

Result<SourceFile> openSourceFile(int directory, const std::string& name, const std::string& path) {
  SourceFile file;
  file.content.owner.reset(
      ::openat(directory, name.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
  if (!file.content.owner) {
    return systemError("open", "/" + path, errno);
  }
  file.content.fd = file.content.owner.get();
  TRY(file.stat, layer::statOpen(file.content.fd, "/" + path));
  if (!file.stat.isFile()) {
    return denied("open " + quoted("/" + path) + ": not a regular file");
  }
  file.content.size = file.stat.size;
  file.content.mayHaveHoles = file.stat.mayHaveHoles();
  return file;
}

Result<std::unique_ptr<SourceTree>> makeDirectoryTree(const std::string& directory,
                                                      SourceOwners owners) {
  TRY(layer::Root root, layer::Root::open(directory));
  return std::unique_ptr<SourceTree>(std::make_unique<DirectoryTree>(std::move(root), owners));
}

Result<std::unique_ptr<SourceTree>> makeFileTree(const std::string& name, Fd file) {
  TRY(FileStat st, layer::statAt(file.get(), ""));
  if (!st.isFile()) {
    return denied("read " + quoted(name) + ": not a regular file");
  }
  st.uid = 0;
  st.gid = 0;
  st.nlink = 1;
  return std::unique_ptr<SourceTree>(std::make_unique<SingleFileTree>(name, std::move(file), st));
}

Result<std::unique_ptr<SourceTree>> makeInlineTree(const std::string& name,
                                                   const std::string& bytes,
                                                   std::optional<layer::Timestamp> time) {
  Fd file(::memfd_create("inline", MFD_CLOEXEC));
  if (!file) {
    return systemError("memfd_create", name, errno);
  }
  CHECK_OK(writeAll(file.get(), bytes, name));
  TRY(FileStat st, layer::statAt(file.get(), ""));
  st.mtime = time.value_or(st.mtime);
  st.mode = S_IFREG | 0644;
  st.uid = 0;
  st.gid = 0;
  st.nlink = 1;
  return std::unique_ptr<SourceTree>(std::make_unique<SingleFileTree>(name, std::move(file), st));
}

Result<Expansion> expandWildcards(SourceTree& tree, const std::string& pattern) {
  Expansion out;
  std::string fixed;
  std::string rest;
  splitWildcards(pattern, fixed, rest);
  if (rest.empty()) {
    out.paths.push_back(fixed);
    return out;
  }
  out.hadWildcard = true;
  if (!layer::isWellFormedGlob(rest)) {
    return invalid("invalid includepatterns: [" + pattern + "]: syntax error in pattern");
  }
  TRY(const std::string base, tree.resolve(fixed));
  const auto st = tree.stat(base);
  if (!st) {
    out.prefixMissing = true;
    return out;
  }
  if (st->isDirectory()) {
    Expander expander(tree, rest);
    CHECK_OK(expander.walk(base, "", 1));
    out.paths = expander.take();
  }
  return out;
}

}  // namespace stagewright::stage
