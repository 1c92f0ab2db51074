#include "local/upper_changes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "lib/layer/root.h"
#include "lib/layer/xattr.h"
#include "local/rootless.h"

namespace stagewright::local {

namespace {

using layer::FileStat;

bool isWhiteout(const FileStat& st) { return (st.mode & S_IFMT) == S_IFCHR && st.major == 0 && st.minor == 0; }

bool isOpaque(int directory) {
  char value = 0;
  return (::fgetxattr(directory, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y') ||
         (isRootless() && ::fgetxattr(directory, "user.overlay.opaque", &value, 1) == 1 && value == 'y');
}

bool sameContent(int left, int right) {
  std::string a(256 * 1024, '\0');
  std::string b(a.size(), '\0');
  for (off_t at = 0;;) {
    const ssize_t n = ::pread(left, a.data(), a.size(), at);
    const ssize_t m = ::pread(right, b.data(), b.size(), at);
    if (n != m || n < 0 || std::memcmp(a.data(), b.data(), static_cast<std::size_t>(n)) != 0) {
      return false;
    }
    if (n == 0) {
      return true;
    }
    at += n;
  }
}

/// A directory in both trees, by descriptors.
struct Pair {
  int upper;
  int base;
};

class Walk {
 public:
  explicit Walk(std::vector<layer::LayerItem>& items) : items_(items) {}

  /// The entries of one directory; `base` is -1 if there is none below.
  Status directory(int upper, int base, const std::string& path, bool opaque) {
    TRY(const std::vector<std::string> names, layer::listDirectory(upper, path));
    for (const std::string& name : names) {
      CHECK_OK(entry({upper, base}, name, layer::joinPath(path, name)));
    }
    return opaque && base >= 0 ? removed(base, names, path) : ok();
  }

 private:
  /// An opaque directory hides what it does not hold.
  Status removed(int base, const std::vector<std::string>& kept, const std::string& path) {
    TRY(const std::vector<std::string> names, layer::listDirectory(base, path));
    for (const std::string& name : names) {
      if (!std::binary_search(kept.begin(), kept.end(), name)) {
        items_.push_back({layer::joinPath(path, name), true});
      }
    }
    return ok();
  }

  Status entry(const Pair& at, const std::string& name, const std::string& path) {
    TRY(const FileStat st, layer::statAt(at.upper, name));
    std::optional<FileStat> before;
    if (at.base >= 0) {
      auto found = layer::statAt(at.base, name);
      if (found) {
        before = *found;
      } else if (found.error().code != Code::kNotFound) {
        return found.error();
      }
    }
    if (isWhiteout(st)) {
      if (before) {
        items_.push_back({path, true});
      }
      return ok();
    }
    if (st.isSocket()) {  // no layer holds one, but what it replaced is gone
      if (before) {
        items_.push_back({path, true});
      }
      return ok();
    }
    TRY(const bool same, before ? isSame(at, name, st, *before) : Result<bool>(false));
    if (!same) {
      items_.push_back({path, false});
    }
    return st.isDirectory() ? descend(at, name, path, before && before->isDirectory()) : ok();
  }

  Status descend(const Pair& at, const std::string& name, const std::string& path, bool hasBase) {
    const Fd upper(::openat(at.upper, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!upper) {
      return systemError("open", path, errno);
    }
    Fd base;
    if (hasBase) {
      base.reset(::openat(at.base, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (!base) {
        return systemError("open", path, errno);
      }
    }
    return directory(upper.get(), base.get(), path, isOpaque(upper.get()));
  }

  static Result<bool> isSame(const Pair& at, const std::string& name, const FileStat& now, const FileStat& before) {
    const bool sameKind = now.mode == before.mode && now.uid == before.uid && now.gid == before.gid &&
                          now.major == before.major && now.minor == before.minor;
    if (!sameKind || (!now.isDirectory() && (now.size != before.size || now.mtime != before.mtime))) {
      return false;
    }
    TRY(const layer::Xattrs attributes, layer::loadXattrsAt(at.upper, name));
    TRY(const layer::Xattrs attributesBefore, layer::loadXattrsAt(at.base, name));
    if (attributes != attributesBefore) {
      return false;
    }
    if (now.isSymlink()) {
      TRY(const std::string target, layer::readLinkAt(at.upper, name));
      TRY(const std::string targetBefore, layer::readLinkAt(at.base, name));
      return target == targetBefore;
    }
    if (!now.isFile()) {
      return true;
    }
    const Fd left(::openat(at.upper, name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    const Fd right(::openat(at.base, name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    return left && right && sameContent(left.get(), right.get());
  }

  std::vector<layer::LayerItem>& items_;
};

}  // namespace

Result<std::vector<layer::LayerItem>> findUpperChanges(const std::string& upper, const std::string& base) {
  const Fd top(::open(upper.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  const Fd bottom(::open(base.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!top || !bottom) {
    return systemError("open", top ? base : upper, errno);
  }
  std::vector<layer::LayerItem> items;
  CHECK_OK(Walk(items).directory(top.get(), bottom.get(), "", false));
  return items;
}

}  // namespace stagewright::local
