#include <fcntl.h>
#include <sys/stat.h>

#include "builder-pod/stage/artifact_tree.h"
#include "lib/layer/pattern.h"
#include "lib/layer/tree_writer.h"

namespace stagewright::stage {

namespace {

using layer::TarEntry;
using layer::TarType;

/// The stage's own root as a source, only for the expansion of patterns.
class RootView final : public SourceTree {
 public:
  explicit RootView(layer::Tree& tree) : tree_(tree) {}
  Result<layer::FileStat> stat(const std::string& path) override { return tree_.stat(path); }
  Result<std::string> readLink(const std::string& path) override { return tree_.readLink(path); }
  Result<std::vector<std::string>> list(const std::string& path) override {
    return tree_.list(path);
  }
  Result<Content> open(const std::string& path) override { return notFound(path); }
  Result<layer::Xattrs> xattrs(const std::string&) override { return layer::Xattrs{}; }
  Result<std::string> resolve(const std::string& path) override { return tree_.resolve(path); }

 private:
  layer::Tree& tree_;
};

/// `**` is a word of --parents only: there everything below the part before it is packed.
std::string withoutDoubleStar(const std::string& pattern) {
  const std::size_t star = pattern.find("**");
  return star == std::string::npos ? pattern : pattern.substr(0, pattern.rfind('/', star));
}

class Packer {
 public:
  Packer(layer::Tree& tree, layer::ByteSink& sink) : tree_(tree), tar_(sink), writer_(tree, tar_) {}

  Status packMatch(const std::string& path, std::size_t index) {
    TRY(const std::string resolved, tree_.resolve(path));
    const std::string name = std::to_string(index);
    TarEntry entry;
    entry.type = TarType::kSymlink;
    entry.name = ".stagewright/match/" + name;
    entry.link = "/" + path;
    CHECK_OK(tar_.add(entry));
    CHECK_OK(packParents(path));
    writer_.forgetLinks();
    return writer_.writeAll(resolved, name);
  }

  Status packMissing() {
    TarEntry entry;
    entry.name = ".stagewright/missing";
    return tar_.add(entry);
  }

  void setStubs(const std::set<std::string>& stubs) { writer_.setStubs(stubs); }
  void setLatest(std::optional<std::int64_t> latest) { writer_.setTimeLimit({latest, false}); }
  Status finish() { return tar_.finish(); }

 private:
  Status packParents(const std::string& path) {
    if (path.empty()) {
      return ok();
    }
    for (std::string_view p = layer::parentOf(path); !p.empty(); p = layer::parentOf(p)) {
      const std::string parent(p);
      const auto st = tree_.stat(parent);
      if (!parents_.insert(parent).second || !st || !st->isDirectory()) {
        continue;
      }
      TRY(const bool ignored, writer_.write(parent, ".stagewright/parents/" + parent));
      (void)ignored;
    }
    return ok();
  }

  layer::Tree& tree_;
  layer::TarWriter tar_;
  layer::TreeWriter writer_;
  std::set<std::string> parents_;
};

}  // namespace

Result<PackedExport> packExport(layer::Tree& tree, const std::string& pattern,
                                const std::set<std::string>& stubs, layer::ByteSink& sink,
                                std::optional<std::int64_t> latest) {
  RootView view(tree);
  TRY(const Expansion expansion, expandWildcards(view, withoutDoubleStar(pattern)));
  PackedExport packed;
  Packer packer(tree, sink);
  packer.setStubs(stubs);
  packer.setLatest(latest);
  if (expansion.prefixMissing) {
    CHECK_OK(packer.packMissing());
  }
  for (const std::string& path : expansion.paths) {
    TRY(const std::string resolved, tree.resolve(path));
    if (!tree.stat(resolved)) {
      continue;  // the stage that copies says so, with its own line
    }
    CHECK_OK(packer.packMatch(path, packed.matches.size()));
    packed.matches.push_back("/" + path);
  }
  CHECK_OK(packer.finish());
  return packed;
}

}  // namespace stagewright::stage
