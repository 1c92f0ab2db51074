#include "cli/work_directory.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>

namespace stagewright::cli {

Result<WorkDirectory> WorkDirectory::make() {
  std::error_code error;
  std::string pattern =
      (std::filesystem::temp_directory_path(error) / "stagewright-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) {
    return systemError("mkdtemp", pattern, errno);
  }
  return WorkDirectory(std::move(pattern));
}

WorkDirectory::~WorkDirectory() {
  std::error_code ignored;
  if (!path_.empty()) {
    std::filesystem::remove_all(path_, ignored);
  }
}

}  // namespace stagewright::cli
