#include "local/file_trees.h"

#include <map>
#include <utility>

#include "lib/layer/root.h"

namespace stagewright::local {

namespace {

using layer::FileStat;

class IgnoringTree final : public stage::SourceTree {
 public:
  IgnoringTree(std::unique_ptr<SourceTree> files, const dockerfile::IgnoreMatcher& ignore)
      : files_(std::move(files)), ignore_(ignore) {}

  Result<FileStat> stat(const std::string& path) override {
    TRY(FileStat st, files_->stat(path));
    return isVisible(path, st) ? Result<FileStat>(st) : notFound("stat " + stagewright::quoted("/" + path) + ": excluded");
  }
  Result<std::string> readLink(const std::string& path) override { return files_->readLink(path); }
  Result<std::vector<std::string>> list(const std::string& path) override {
    TRY(std::vector<std::string> names, files_->list(path));
    std::erase_if(names, [&](const std::string& name) { return !stat(layer::joinPath(path, name)); });
    return names;
  }
  Result<stage::Content> open(const std::string& path) override { return files_->open(path); }
  Result<layer::Xattrs> xattrs(const std::string& path) override { return files_->xattrs(path); }
  Result<std::string> resolve(const std::string& path) override { return files_->resolve(path); }
  Result<std::shared_ptr<const Fd>> directory(const std::string& path) override { return files_->directory(path); }

 private:
  const dockerfile::IgnoreMatcher::State& stateOf(const std::string& path) {
    const auto known = states_.find(path);
    if (known != states_.end()) {
      return known->second;
    }
    dockerfile::IgnoreMatcher::State state;
    if (!path.empty()) {
      state = ignore_.step(path, stateOf(std::string(layer::parentOf(path))));
    }
    return states_.emplace(path, std::move(state)).first->second;
  }

  /// An excluded directory is there as long as something in it is.
  bool isVisible(const std::string& path, const FileStat& st) {
    if (path.empty() || !stateOf(path).excluded()) {
      return true;
    }
    if (!st.isDirectory() || ignore_.canSkipDirectory(path)) {
      return false;
    }
    const auto names = list(path);
    return names && !names->empty();
  }

  std::unique_ptr<SourceTree> files_;
  const dockerfile::IgnoreMatcher& ignore_;
  std::map<std::string, dockerfile::IgnoreMatcher::State> states_;
};

}  // namespace

Result<std::unique_ptr<stage::SourceTree>> makeContextTree(const std::string& directory,
                                                           const dockerfile::IgnoreMatcher* ignore) {
  TRY(auto files, stage::makeDirectoryTree(directory));
  if (ignore == nullptr || ignore->empty()) {
    return files;
  }
  return std::unique_ptr<stage::SourceTree>(std::make_unique<IgnoringTree>(std::move(files), *ignore));
}

Result<std::unique_ptr<stage::SourceTree>> makeStageTree(const std::string& directory) {
  return stage::makeDirectoryTree(directory, stage::SourceOwners::kKept);
}

}  // namespace stagewright::local
