#include "lib/layer/apply.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <vector>

#include "lib/base/file.h"

namespace stagewright::layer {

namespace {

constexpr std::size_t kBufferSize = 256 * 1024;

Metadata metadataOf(const TarEntry& entry) {
  Metadata m;
  m.uid = entry.uid;
  m.gid = entry.gid;
  m.mode = entry.mode;
  m.mtime = entry.mtime;
  m.xattrs = entry.xattrs;
  return m;
}

class Applier {
 public:
  Applier(Tree& tree, TarReader& reader) : tree_(tree), reader_(reader) {}

  Status run() {
    for (;;) {
      TRY(const std::optional<TarEntry> entry, reader_.next());
      if (!entry) {
        break;
      }
      CHECK_OK(applyEntry(*entry));
    }
    return restoreTimes();
  }

 private:
  Status applyEntry(const TarEntry& entry) {
    TRY(const std::string name, cleanEntryName(entry.name));
    if (name.empty()) {
      return tree_.setMetadata("", metadataOf(entry));
    }
    TRY(const std::string parent, tree_.resolve(parentOf(name)));
    CHECK_OK(makeParents(parent));
    const std::string base(baseOf(name));
    if (base == kOpaqueMarker) {
      return makeOpaque(parent);
    }
    if (base.starts_with(kWhiteoutPrefix)) {
      return tree_.remove(joinPath(parent, std::string_view(base).substr(kWhiteoutPrefix.size())));
    }
    const std::string path = joinPath(parent, base);
    unpacked_.insert(path);
    return make(path, entry);
  }

  Status makeParents(const std::string& path) {
    if (path.empty() || tree_.stat(path)) {
      return ok();
    }
    CHECK_OK(makeParents(std::string(parentOf(path))));
    return tree_.makeDirectory(path, 0755);
  }

  Status makeOpaque(const std::string& directory) {
    TRY(const std::vector<std::string> names, tree_.list(directory));
    for (const std::string& name : names) {
      const std::string path = joinPath(directory, name);
      // What this layer put there (or into it) stays.
      const auto first = unpacked_.lower_bound(path);
      const bool ours = first != unpacked_.end() && isAtOrBelow(*first, path);
      if (!ours) {
        CHECK_OK(tree_.remove(path));
      }
    }
    return ok();
  }

  Status make(const std::string& path, const TarEntry& entry) {
    const auto existing = tree_.stat(path);
    const bool merge = existing && existing->isDirectory() && entry.type == TarType::kDirectory;
    if (!merge) {
      CHECK_OK(tree_.remove(path));
    }
    switch (entry.type) {
      case TarType::kDirectory:
        directories_.push_back({path, entry.mtime});
        if (!merge) {
          CHECK_OK(tree_.makeDirectory(path, entry.mode));
        }
        break;
      case TarType::kFile: {
        TRY(const Fd fd, tree_.makeFile(path, 0600));
        CHECK_OK(copyEntryData(reader_, fd.get(), path));
        break;
      }
      case TarType::kHardLink: {
        TRY(const std::string target, cleanEntryName(entry.link));
        TRY(const std::string directory, tree_.resolve(parentOf(target)));
        return tree_.makeLink(path, joinPath(directory, baseOf(target)));
      }
      case TarType::kSymlink:
        CHECK_OK(tree_.makeSymlink(path, entry.link));
        break;
      case TarType::kCharDevice:
        CHECK_OK(tree_.makeNode(path, S_IFCHR | entry.mode, entry.major, entry.minor));
        break;
      case TarType::kBlockDevice:
        CHECK_OK(tree_.makeNode(path, S_IFBLK | entry.mode, entry.major, entry.minor));
        break;
      case TarType::kFifo:
        CHECK_OK(tree_.makeNode(path, S_IFIFO | entry.mode, 0, 0));
        break;
    }
    return tree_.setMetadata(path, metadataOf(entry));
  }

  /// Making entries moved the times of their directories.
  Status restoreTimes() {
    for (const auto& [path, mtime] : directories_) {
      const auto st = tree_.stat(path);
      if (st && st->isDirectory()) {
        Metadata m;
        m.mtime = mtime;
        CHECK_OK(tree_.setMetadata(path, m));
      }
    }
    return ok();
  }

  Tree& tree_;
  TarReader& reader_;
  std::set<std::string> unpacked_;
  std::vector<std::pair<std::string, Timestamp>> directories_;
};

bool allZero(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == '\0'; });
}

}  // namespace

Status applyLayer(Tree& tree, TarReader& reader) { return Applier(tree, reader).run(); }

Status copyEntryData(TarReader& reader, int fd, const std::string& name) {
  std::string buffer(kBufferSize, '\0');
  std::int64_t total = 0;
  bool endsInHole = false;
  for (;;) {
    TRY(const std::size_t n, reader.read(buffer.data(), buffer.size()));
    if (n == 0) {
      break;
    }
    const std::string_view bytes(buffer.data(), n);
    total += static_cast<std::int64_t>(n);
    endsInHole = reader.isSparse() && n >= 4096 && allZero(bytes);
    if (endsInHole) {
      if (::lseek(fd, static_cast<off_t>(n), SEEK_CUR) < 0) {
        return systemError("seek", name, errno);
      }
    } else {
      CHECK_OK(stagewright::writeAll(fd, bytes, name));
    }
  }
  if (endsInHole && ::ftruncate(fd, total) != 0) {
    return systemError("truncate", name, errno);
  }
  return ok();
}

}  // namespace stagewright::layer
