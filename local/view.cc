#include "local/view.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "lib/base/file.h"

namespace stagewright::local {

namespace {

std::vector<std::string> topFirst(const LayerDirectories& layers) { return {layers.rbegin(), layers.rend()}; }

/// The root of an overlay is its upper directory, so that has to look like the root below.
Status copyRootAttributes(const std::string& from, const std::string& to) {
  struct stat st {};
  if (::stat(from.c_str(), &st) != 0) {
    return systemError("stat", from, errno);
  }
  const timespec times[2] = {st.st_atim, st.st_mtim};
  if (::chown(to.c_str(), st.st_uid, st.st_gid) != 0 || ::chmod(to.c_str(), st.st_mode & 07777) != 0 ||
      ::utimensat(AT_FDCWD, to.c_str(), times, 0) != 0) {
    return systemError("set attributes", to, errno);
  }
  return ok();
}

}  // namespace

Result<View> View::open(Store& store, const LayerDirectories& layers) {
  View view;
  if (layers.size() == 1) {
    view.path_ = layers.front();
    return view;
  }
  TRY(view.path_, store.makeScratchDirectory("view"));
  TRY(view.mount_, mountOverlay({topFirst(layers), "", ""}, view.path_));
  return view;
}

Result<WorkTree> WorkTree::open(Store& store, const LayerDirectories& layers) {
  WorkTree tree;
  TRY(tree.directory_, store.makeScratchDirectory("step"));
  for (const char* name : {"/fs", "/work", "/root"}) {
    CHECK_OK(makeDirectories(tree.directory_ + name));
  }
  CHECK_OK(copyRootAttributes(layers.back(), tree.directory_ + "/fs"));
  tree.path_ = tree.directory_ + "/root";
  TRY(tree.mount_, mountOverlay({topFirst(layers), tree.directory_ + "/fs", tree.directory_ + "/work"}, tree.path_));
  return tree;
}

std::string WorkTree::finish() {
  mount_.unmount();
  static_cast<void>(::rmdir(path_.c_str()));
  // The kernel's own leftovers: work/work, and the mark of a volatile overlay.
  for (const char* name : {"/work/work/incompat/volatile", "/work/work/incompat", "/work/work", "/work/index", "/work"}) {
    static_cast<void>(::rmdir((directory_ + name).c_str()));
  }
  return directory_;
}

}  // namespace stagewright::local
