#include "local/contexts.h"

#include <sys/stat.h>

#include "builder-pod/stage/copy_engine.h"
#include "lib/base/file.h"

namespace stagewright::local {

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
  TRY(const std::string scratch, store_.makeScratchDirectory("context"));
  TRY(layer::Tree to, layer::Tree::open(scratch, {}, {}));
  stage::CopyEngine engine(to, {});
  CHECK_OK(engine.copy(*from, resolved, "/files"));
  copies->emplace(path, scratch + "/files");
  return scratch + "/files";
}

}  // namespace stagewright::local
