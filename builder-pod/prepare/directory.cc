#include "builder-pod/prepare/directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "lib/base/fd.h"
#include "lib/base/file.h"

namespace stagewright::prepare {

namespace {

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

Result<std::vector<std::string>> namesIn(Fd fd, const std::string& path) {
  const std::unique_ptr<DIR, CloseDir> dir(::fdopendir(fd.get()));
  if (!dir) {
    return systemError("read directory", path, errno);
  }
  fd.release();  // closedir() closes it
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") {
      names.push_back(name);
    }
    errno = 0;
  }
  if (errno != 0) {
    return systemError("read directory", path, errno);
  }
  std::sort(names.begin(), names.end());
  return names;
}

Status removeBelow(int root, const std::string& path) {
  ::fchmodat(root, path.c_str(), 0700, 0);
  TRY(const std::vector<std::string> names, listDirectory(root, path));
  for (const std::string& name : names) {
    const std::string child = joinPath(path, name);
    if (::unlinkat(root, child.c_str(), 0) == 0) {
      continue;
    }
    if (errno != EISDIR && errno != EPERM) {
      return systemError("remove", child, errno);
    }
    CHECK_OK(removeBelow(root, child));
  }
  if (::unlinkat(root, path.c_str(), AT_REMOVEDIR) != 0) {
    return systemError("remove", path, errno);
  }
  return ok();
}

}  // namespace

std::string joinPath(const std::string& directory, const std::string& name) {
  return directory.empty() ? name : directory + "/" + name;
}

Result<std::vector<std::string>> listDirectory(int root, const std::string& path) {
  TRY(Fd fd, openBeneath(root, path.empty() ? "." : path, O_RDONLY | O_DIRECTORY));
  return namesIn(std::move(fd), path);
}

Status removeTree(const std::string& path) {
  struct stat st {};
  if (::lstat(path.c_str(), &st) != 0) {
    return errno == ENOENT ? ok() : systemError("stat", path, errno);
  }
  const std::size_t slash = path.rfind('/');
  TRY(const Fd parent, openDirectory(slash == std::string::npos ? "." : path.substr(0, slash + 1)));
  return removeBelow(parent.get(), path.substr(slash == std::string::npos ? 0 : slash + 1));
}

}  // namespace stagewright::prepare
