#include "builder-pod/prepare/context_transfer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <map>
#include <utility>

#include "builder-pod/prepare/directory.h"
#include "builder-pod/prepare/file_copy.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"

namespace stagewright::prepare {

namespace {

using IgnoreState = dockerfile::IgnoreMatcher::State;

class Transfer {
 public:
  Transfer(int from, int to, const ContextSelection& selection,
           const dockerfile::IgnoreMatcher& ignore, const TransferOptions& options)
      : from_(from), to_(to), selection_(selection), ignore_(ignore), options_(options) {}

  Result<TransferCount> run() {
    struct stat root {};
    if (::fstat(from_, &root) != 0) {
      return systemError("stat", ".", errno);
    }
    made_.push_back({"", root});
    CHECK_OK(below("", IgnoreState()));
    CHECK_OK(finishDirectory(made_.back()));
    return count_;
  }

 private:
  /// A directory on the way down. It is made when the first thing goes into it, because an excluded
  /// directory exists in the context only if an exception brings something below it back.
  struct Directory {
    std::string path;
    struct stat st;
    bool exists = false;
  };

  Status below(const std::string& path, const IgnoreState& state) {
    TRY(const std::vector<std::string> names, listDirectory(from_, path));
    for (const std::string& name : names) {
      CHECK_OK(entry(joinPath(path, name), state));
    }
    return ok();
  }

  Status entry(const std::string& path, const IgnoreState& parent) {
    const bool covered = selection_.covers(path);
    if (!covered && !selection_.hasBelow(path)) {
      return ok();
    }
    struct stat st {};
    if (::fstatat(from_, path.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
      return systemError("stat", path, errno);
    }
    const IgnoreState state = ignore_.step(path, parent);
    if (S_ISDIR(st.st_mode)) {
      return directory(path, st, state, covered);
    }
    return covered && !state.excluded() ? leaf(path, st) : ok();
  }

  Status directory(const std::string& path, const struct stat& st, const IgnoreState& state,
                   bool covered) {
    if (state.excluded() && ignore_.canSkipDirectory(path)) {
      return ok();
    }
    made_.push_back({path, st});
    if (covered && !state.excluded()) {
      CHECK_OK(makeDirectoriesOnTheWay());
    }
    CHECK_OK(below(path, state));
    const Directory done = made_.back();
    made_.pop_back();
    return done.exists ? finishDirectory(done) : ok();
  }

  Status makeDirectoriesOnTheWay() {
    for (Directory& directory : made_) {
      // Writable for us until it is finished.
      if (!directory.exists && !directory.path.empty() &&
          ::mkdirat(to_, directory.path.c_str(), 0700) != 0) {
        return systemError("mkdir", directory.path, errno);
      }
      directory.exists = true;
    }
    return ok();
  }

  /// Mode and time last: filling it changes the time, and the mode may forbid to fill it.
  Status finishDirectory(const Directory& directory) {
    const char* path = directory.path.empty() ? "." : directory.path.c_str();
    if (::fchmodat(to_, path, directory.st.st_mode & 07777, 0) != 0) {
      return systemError("chmod", directory.path, errno);
    }
    return setTimes(path, directory.st);
  }

  Status leaf(const std::string& path, const struct stat& st) {
    CHECK_OK(makeDirectoriesOnTheWay());
    ++count_.files;
    if (st.st_nlink > 1 && !options_.move) {
      const auto [it, isNew] = linked_.try_emplace({st.st_dev, st.st_ino}, path);
      if (!isNew) {
        return ::linkat(to_, it->second.c_str(), to_, path.c_str(), 0) == 0
                   ? ok()
                   : systemError("link", path, errno);
      }
    }
    count_.bytes += S_ISREG(st.st_mode) ? st.st_size : 0;
    CHECK_OK(put(path, st));
    return setTimes(path.c_str(), st);
  }

  Status put(const std::string& path, const struct stat& st) {
    if (options_.move && !S_ISSOCK(st.st_mode)) {
      return ::renameat(from_, path.c_str(), to_, path.c_str()) == 0
                 ? ok()
                 : systemError("rename", path, errno);
    }
    if (S_ISREG(st.st_mode)) {
      return copyFile(from_, to_, path, st);
    }
    if (S_ISLNK(st.st_mode)) {
      return copyLink(path);
    }
    const mode_t mode = S_ISSOCK(st.st_mode) ? (S_IFREG | (st.st_mode & 07777)) : st.st_mode;
    return ::mknodat(to_, path.c_str(), mode, st.st_rdev) == 0 ? ok()
                                                               : systemError("mknod", path, errno);
  }

  Status copyLink(const std::string& path) {
    char target[PATH_MAX];
    const ssize_t size = ::readlinkat(from_, path.c_str(), target, sizeof target - 1);
    if (size < 0) {
      return systemError("readlink", path, errno);
    }
    target[size] = '\0';
    return ::symlinkat(target, to_, path.c_str()) == 0 ? ok() : systemError("symlink", path, errno);
  }

  Status setTimes(const char* path, const struct stat& st) {
    const timespec modified = options_.fixedTime ? timespec{*options_.fixedTime, 0} : st.st_mtim;
    const timespec times[2] = {modified, modified};
    return ::utimensat(to_, path, times, AT_SYMLINK_NOFOLLOW) == 0
               ? ok()
               : systemError("utimensat", path, errno);
  }

  int from_;
  int to_;
  const ContextSelection& selection_;
  const dockerfile::IgnoreMatcher& ignore_;
  const TransferOptions& options_;
  std::vector<Directory> made_;
  std::map<std::pair<dev_t, ino_t>, std::string>
      linked_;  ///< files with several names -> the first one we made
  TransferCount count_;
};

}  // namespace

Result<TransferCount> transferContext(int from, int to, const ContextSelection& selection,
                                      const dockerfile::IgnoreMatcher& ignore,
                                      const TransferOptions& options) {
  return Transfer(from, to, selection, ignore, options).run();
}

}  // namespace stagewright::prepare
