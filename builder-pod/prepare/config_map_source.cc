#include "builder-pod/prepare/config_map_source.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <system_error>

#include "lib/base/file.h"

namespace stagewright::prepare {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFileBytes = 4 * 1024 * 1024;  // a ConfigMap holds 1 MiB in all

/// Where the kubelet keeps the files: `..data` is a link to a directory beside it; a plain
/// directory has none.
fs::path dataDirectory(const std::string& mount) {
  std::error_code error;
  const fs::path data = fs::path(mount) / "..data";
  return fs::is_directory(data, error) ? data : fs::path(mount);
}

Outcome<void> copyKey(const fs::directory_entry& entry, const fs::path& target,
                       const std::string& into) {
  TRY_OR(const std::string bytes, loadFile(entry.path().string(), kMaxFileBytes), error,
         refuse(plan::Exit::kInternal, "InternalError", error.message));
  std::error_code ignored;
  const auto mode = static_cast<unsigned>(entry.status(ignored).permissions()) & 0777U;
  CHECK_OR(saveFileAtomically(target.string(), bytes, mode), error, refuseVolume(into, error));
  ::chmod(target.c_str(), mode);  // whatever the umask
  return {};
}

Outcome<int> copyTree(const fs::path& from, const fs::path& to, const std::string& into) {
  int files = 0;
  std::error_code error;
  for (fs::directory_iterator it(from, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    std::error_code ignored;
    if (name.starts_with("..")) {
      continue;  // the kubelet's own
    }
    if (it->is_directory(ignored)) {
      CHECK_OR(makeDirectories((to / name).string()), problem, refuseVolume(into, problem));
      TRY(const int below, copyTree(it->path(), to / name, into));
      files += below;
    } else if (it->is_regular_file(ignored)) {
      CHECK_OK(copyKey(*it, to / name, into));
      ++files;
    }
  }
  if (error) {
    return refuse(plan::Exit::kInternal, "InternalError",
                  "read " + stagewright::quoted(from.string()) + ": " + error.message());
  }
  return files;
}

}  // namespace

Outcome<void> copyConfigMap(const std::string& mount, const std::string& into) {
  TRY(const int files, copyTree(dataDirectory(mount), into, into));
  if (files == 0) {
    return refuseInput("SourceNotFound",
                       "the ConfigMap of spec.source.configMap does not exist or has no files");
  }
  return {};
}

}  // namespace stagewright::prepare
