#include "lib/layer/tree_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

namespace stagewright::layer {

namespace {

constexpr std::size_t kContentBuffer = 256 * 1024;

TarType typeOf(std::uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return TarType::kDirectory;
    case S_IFLNK:
      return TarType::kSymlink;
    case S_IFCHR:
      return TarType::kCharDevice;
    case S_IFBLK:
      return TarType::kBlockDevice;
    case S_IFIFO:
      return TarType::kFifo;
    default:
      return TarType::kFile;
  }
}

/// A mount point's own attributes are the runtime's, not the image's.
TarEntry makeStubDirectory(const std::string& name) {
  TarEntry entry;
  entry.type = TarType::kDirectory;
  entry.name = name;
  entry.mode = 0755;
  return entry;
}

}  // namespace

TarEntry TreeWriter::makeEntry(const FileStat& st, const std::string& name) const {
  TarEntry entry;
  entry.type = typeOf(st.mode);
  entry.name = name;
  entry.mode = st.permissions();
  entry.uid = st.uid;
  entry.gid = st.gid;
  entry.mtime = st.mtime;
  entry.major = st.major;
  entry.minor = st.minor;
  const bool limited = limit_.latest && (st.isDirectory() || !limit_.keepFiles);
  if (limited && entry.mtime >= Timestamp{*limit_.latest, 0}) {
    entry.mtime = {*limit_.latest, 0};
  }
  return entry;
}

Result<bool> TreeWriter::write(const std::string& path, const std::string& name) {
  TRY(const FileStat st, tree_.stat(path));
  if (st.isSocket()) {
    return false;
  }
  if (st.isDirectory() && !tree_.shadow().contains(path) && tree_.isMounted(path)) {
    CHECK_OK(tar_.add(makeStubDirectory(name)));
    return true;
  }
  TarEntry entry = makeEntry(st, name);
  if (!st.isDirectory() && st.nlink > 1) {
    const auto [first, isNew] = links_.emplace(std::pair(st.mount, st.inode), name);
    if (!isNew) {
      entry.type = TarType::kHardLink;
      entry.link = first->second;
      CHECK_OK(tar_.add(entry));
      return true;
    }
  }
  if (entry.type == TarType::kSymlink) {
    TRY(entry.link, tree_.readLink(path));
  }
  CHECK_OK(writeContent(path, entry));
  return true;
}

Status TreeWriter::writeContent(const std::string& path, TarEntry& entry) {
  const auto shadow = tree_.shadow().find(path);
  if (shadow != tree_.shadow().end()) {
    entry.xattrs = shadow->second.xattrs;
  }
  if (entry.type == TarType::kFile) {
    TRY(const Fd fd, tree_.openFile(path));
    TRY(const FileStat now, statOpen(fd.get(), "/" + path));
    entry.size = now.size;
    if (shadow == tree_.shadow().end()) {
      TRY(entry.xattrs, loadXattrs(fd.get(), path));
    }
    CHECK_OK(tar_.begin(entry));
    CHECK_OK(copyContent(fd.get(), now, path));
    return tar_.end();
  }
  if (shadow == tree_.shadow().end()) {
    TRY(entry.xattrs, tree_.xattrs(path));
  }
  return tar_.add(entry);
}

Status TreeWriter::copyContent(int fd, const FileStat& st, const std::string& path) {
  const std::int64_t size = st.size;
  const bool holes = st.mayHaveHoles();
  buffer_.resize(kContentBuffer);
  std::int64_t at = 0;
  while (at < size) {
    // Holes are not read: the zeros come from us.
    std::int64_t dataBegin = holes ? ::lseek(fd, at, SEEK_DATA) : at;
    if (dataBegin < 0) {
      dataBegin = errno == ENXIO ? size : at;
    }
    std::int64_t dataEnd = holes && dataBegin < size ? ::lseek(fd, dataBegin, SEEK_HOLE) : size;
    dataEnd = dataEnd < 0 ? size : std::min(dataEnd, size);
    dataBegin = std::min(dataBegin, size);
    CHECK_OK(tar_.zeros(dataBegin - at));
    for (at = dataBegin; at < dataEnd;) {
      const auto want = static_cast<std::size_t>(
          std::min<std::int64_t>(dataEnd - at, static_cast<std::int64_t>(buffer_.size())));
      const ssize_t n = ::pread(fd, buffer_.data(), want, at);
      if (n < 0 && errno == EINTR) {
        continue;
      }
      if (n <= 0) {
        return n == 0 ? unavailable("read " + quoted("/" + path) + ": the file shrank")
                      : systemError("read", "/" + path, errno);
      }
      CHECK_OK(tar_.data(std::string_view(buffer_.data(), static_cast<std::size_t>(n))));
      at += n;
    }
  }
  return ok();
}

bool TreeWriter::isEmptyStub(const std::string& path) {
  if (stubs_.empty() || tree_.shadow().contains(path) ||
      (!stubs_.contains(path) && !tree_.isMounted(path))) {
    return false;
  }
  const auto names = tree_.list(path);
  for (const std::string& name : names.value_or(std::vector<std::string>{})) {
    const std::string child = joinPath(path, name);
    if (tree_.stat(child) && !isEmptyStub(child)) {
      return false;
    }
  }
  return true;
}

Status TreeWriter::writeAll(const std::string& path, const std::string& name) {
  if (isEmptyStub(path)) {
    return ok();
  }
  TRY(const bool written, write(path, name));
  TRY(const FileStat st, tree_.stat(path));
  if (!written || !st.isDirectory()) {
    return ok();
  }
  TRY(const std::vector<std::string> children, tree_.list(path));
  for (const std::string& child : children) {
    const std::string childPath = joinPath(path, child);
    const auto childStat = tree_.stat(childPath);
    if (!childStat && childStat.error().code == Code::kNotFound) {
      continue;  // a file that the runtime mounted
    }
    CHECK_OK(writeAll(childPath, name + "/" + child));
  }
  return ok();
}

bool walksBefore(std::string_view a, std::string_view b) {
  const std::size_t common = std::min(a.size(), b.size());
  for (std::size_t i = 0; i < common; ++i) {
    if (a[i] != b[i]) {
      const int left = a[i] == '/' ? -1 : static_cast<unsigned char>(a[i]);
      const int right = b[i] == '/' ? -1 : static_cast<unsigned char>(b[i]);
      return left < right;
    }
  }
  return a.size() < b.size();
}

namespace {

TarEntry makeWhiteout(const std::string& path) {
  TarEntry entry;
  entry.name = whiteoutName(path);
  return entry;
}

class LayerWriter {
 public:
  LayerWriter(Tree& tree, ByteSink& sink, TimeLimit limit) : tar_(sink), writer_(tree, tar_) {
    writer_.setTimeLimit(limit);
  }

  Status write(const LayerItem& item) {
    CHECK_OK(writeParents(item.path));
    if (item.deleted) {
      return tar_.add(makeWhiteout(item.path));
    }
    if (!written_.insert(item.path).second) {
      return ok();
    }
    return writer_.write(item.path, item.path).map([](bool) {});
  }

  Status finish() { return tar_.finish(); }

 private:
  Status writeParents(const std::string& path) {
    const std::string parent(parentOf(path));
    if (parent.empty() || written_.contains(parent)) {
      return ok();
    }
    CHECK_OK(writeParents(parent));
    written_.insert(parent);
    return writer_.write(parent, parent).map([](bool) {});
  }

  TarWriter tar_;
  TreeWriter writer_;
  std::set<std::string> written_;
};

}  // namespace

Status writeLayer(Tree& tree, std::vector<LayerItem> items, ByteSink& sink, TimeLimit limit) {
  const auto before = [](const LayerItem& a, const LayerItem& b) {
    return walksBefore(a.path, b.path);
  };
  if (!std::is_sorted(items.begin(), items.end(), before)) {
    std::sort(items.begin(), items.end(), before);
  }
  LayerWriter writer(tree, sink, limit);
  for (const LayerItem& item : items) {
    if (!item.path.empty()) {
      CHECK_OK(writer.write(item));
    }
  }
  return writer.finish();
}

}  // namespace stagewright::layer
