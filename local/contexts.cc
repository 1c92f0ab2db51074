#include "local/contexts.h"

#include <sys/stat.h>

#include <algorithm>

#include "builder-pod/stage/copy_engine.h"
#include "lib/base/file.h"

namespace stagewright::local {

namespace {

/// A copy makes everything root's, and holds what a layer can hold. Looking is far cheaper than copying.
bool looksLikeItsCopy(stage::SourceTree& files, const std::string& path) {
  const auto st = files.stat(path);
  if (!st || st->uid != 0 || st->gid != 0 || !(st->isFile() || st->isDirectory() || st->isSymlink())) {
    return false;
  }
  if (!st->isDirectory()) {
    return true;
  }
  const auto names = files.list(path);
  return names && std::all_of(names->begin(), names->end(), [&](const std::string& name) {
    return looksLikeItsCopy(files, layer::joinPath(path, name));
  });
}

}  // namespace

Context::Context(Store& store, std::string directory, dockerfile::IgnoreMatcher ignore)
    : store_(store),
      directory_(std::move(directory)),
      ignore_(std::move(ignore)),
      digests_(store.filesPath(directory_)) {}

Result<std::string> Context::materialise(const std::string& path) {
  auto copies = copies_.lock();
  if (const auto known = copies->find(path); known != copies->end()) {
    return known->second;
  }
  TRY(const auto from, tree());
  TRY(const std::string resolved, from->resolve(path));
  const auto st = from->stat(resolved);
  if (!st) {
    return notFound("\"/" + layer::cleanPath(path) + "\": not found");
  }
  if (ignore_.empty() && directory_.starts_with('/')) {
    TRY(const auto kept, makeStageTree(directory_));
    if (looksLikeItsCopy(*kept, resolved)) {
      const std::string itself = layer::joinPath(directory_, resolved);
      copies->emplace(path, itself);
      return itself;
    }
  }
  TRY(const std::string scratch, store_.makeScratchDirectory("context"));
  TRY(layer::Tree to, layer::Tree::open(scratch, {}, {}));
  stage::CopyEngine engine(to, {});
  CHECK_OK(engine.copy(*from, resolved, "/files"));
  copies->emplace(path, scratch + "/files");
  return scratch + "/files";
}

}  // namespace stagewright::local
