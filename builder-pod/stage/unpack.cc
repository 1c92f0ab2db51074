#include "builder-pod/stage/unpack.h"

#include <sys/stat.h>

#include <utility>
#include <vector>

#include "builder-pod/stage/copy_engine.h"
#include "builder-pod/stage/decompress.h"
#include "lib/layer/apply.h"
#include "lib/layer/tar_reader.h"

namespace stagewright::stage {

namespace {

using layer::TarEntry;
using layer::TarType;

std::uint32_t nodeType(TarType type) {
  return type == TarType::kCharDevice ? S_IFCHR : type == TarType::kBlockDevice ? S_IFBLK : S_IFIFO;
}

/// Unpacks as moby's archive package does inside a chroot at the destination: links that the
/// archive (or the image) has below it are followed there, with the destination as their root.
/// Names like whiteouts are ordinary names.
class Unpacker {
 public:
  Unpacker(layer::Tree& tree, std::string destination, const std::optional<Owner>& owner)
      : tree_(tree), destination_(std::move(destination)), owner_(owner) {}

  Status run(layer::TarReader& reader) {
    for (;;) {
      TRY(const std::optional<TarEntry> entry, reader.next());
      if (!entry) {
        return restoreTimes();
      }
      CHECK_OK(unpack(*entry, reader));
    }
  }

 private:
  Result<std::string> resolveInside(std::string_view relative) {
    TRY(Fd fd, tree_.root().openDirectory(destination_));
    const layer::Root inside(std::move(fd));
    TRY(const std::string resolved, inside.resolve(relative));
    return layer::joinPath(destination_, resolved);
  }

  Status unpack(const TarEntry& entry, layer::TarReader& reader) {
    const std::string name = layer::cleanPath(entry.name);  // `..` stays inside
    if (name.empty()) {
      return ok();  // "." does not touch the destination
    }
    TRY(const std::string parent, resolveInside(layer::parentOf(name)));
    const auto written = tree_.stat(layer::joinPath(destination_, layer::parentOf(name)));
    if (written && written->isSymlink() && !tree_.stat(parent)) {
      return notFound("open /" + name + ": no such file or directory");  // nothing is made through a link
    }
    CHECK_OK(CopyEngine::makeDirectories(tree_, parent, 0755, Owner{}));
    const std::string path = layer::joinPath(parent, layer::baseOf(name));
    const auto existing = tree_.stat(path);
    const bool merge = existing && existing->isDirectory() && entry.type == TarType::kDirectory;
    if (!merge) {
      CHECK_OK(tree_.remove(path));
    }
    CHECK_OK(make(path, entry, reader, merge));
    return tree_.setMetadata(path, metadataOf(entry));
  }

  Status make(const std::string& path, const TarEntry& entry, layer::TarReader& reader,
              bool merge) {
    switch (entry.type) {
      case TarType::kDirectory:
        directories_.emplace_back(path, entry.mtime);
        return merge ? ok() : tree_.makeDirectory(path, entry.mode);
      case TarType::kFile: {
        TRY(const Fd fd, tree_.makeFile(path, 0600));
        return layer::copyEntryData(reader, fd.get(), path);
      }
      case TarType::kSymlink:
        return tree_.makeSymlink(path, entry.link);
      case TarType::kHardLink: {
        const std::string target = layer::cleanPath(entry.link);
        TRY(const std::string directory, resolveInside(layer::parentOf(target)));
        const Status linked = tree_.makeLink(path, layer::joinPath(directory, layer::baseOf(target)));
        return !linked && linked.error().code == Code::kNotFound
                   ? Status(notFound("link /" + target + " /" + layer::cleanPath(entry.name) +
                                     ": no such file or directory"))
                   : linked;
      }
      default:
        return tree_.makeNode(path, nodeType(entry.type) | entry.mode, entry.major, entry.minor);
    }
  }

  layer::Metadata metadataOf(const TarEntry& entry) const {
    layer::Metadata m;
    m.uid = owner_ ? owner_->uid : entry.uid;
    m.gid = owner_ ? owner_->gid : entry.gid;
    m.mode = entry.mode;
    m.mtime = entry.mtime;
    m.xattrs = entry.xattrs;
    return m;
  }

  Status restoreTimes() {
    for (const auto& [path, mtime] : directories_) {
      layer::Metadata m;
      m.mtime = mtime;
      if (tree_.stat(path)) {
        CHECK_OK(tree_.setMetadata(path, m));
      }
    }
    return ok();
  }

  layer::Tree& tree_;
  std::string destination_;
  const std::optional<Owner>& owner_;
  std::vector<std::pair<std::string, layer::Timestamp>> directories_;
};

/// Reads the first header: an archive without one is no archive.
bool looksLikeTar(const Content& content) {
  layer::RangeSource source(content.fd, content.offset, content.size, "archive");
  auto plain = makeDecompressed(source);
  if (!plain) {
    return false;
  }
  layer::TarReader reader(**plain);
  const auto first = reader.next();
  return first && first->has_value();
}

}  // namespace

Result<bool> unpackArchive(layer::Tree& tree, SourceTree& source, const std::string& path,
                           const std::string& destination, const std::optional<Owner>& owner) {
  TRY(const std::string resolved, source.resolve(path));
  const auto st = source.stat(resolved);
  if (!st || !st->isFile()) {
    return false;
  }
  TRY(const Content content, source.open(resolved));
  if (!looksLikeTar(content)) {
    return false;
  }
  TRY(const std::string target, tree.resolve(destination));
  CHECK_OK(CopyEngine::makeDirectories(tree, target, 0755, owner));
  layer::RangeSource bytes(content.fd, content.offset, content.size, path);
  TRY(const auto plain, makeDecompressed(bytes));
  layer::TarReader reader(*plain);
  CHECK_OK(Unpacker(tree, target, owner).run(reader));
  return true;
}

}  // namespace stagewright::stage
