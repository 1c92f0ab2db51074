#include "builder-pod/stage/artifact_tree.h"

#include <sys/stat.h>

#include <charconv>
#include <map>

#include "lib/layer/tar_reader.h"

namespace stagewright::stage {

namespace {

using layer::FileStat;
using layer::TarEntry;
using layer::TarType;

constexpr std::size_t kMaxEntries = 20'000'000;

std::uint32_t typeBits(TarType type) {
  switch (type) {
    case TarType::kDirectory:
      return S_IFDIR;
    case TarType::kSymlink:
      return S_IFLNK;
    case TarType::kCharDevice:
      return S_IFCHR;
    case TarType::kBlockDevice:
      return S_IFBLK;
    case TarType::kFifo:
      return S_IFIFO;
    case TarType::kFile:
    case TarType::kHardLink:
      break;
  }
  return S_IFREG;
}

struct Entry {
  FileStat stat;
  std::string link;
  layer::Xattrs xattrs;
  std::int64_t offset = 0;
};

class TarArtifact final : public ArtifactTree {
 public:
  explicit TarArtifact(Fd file) : file_(std::move(file)) {}

  Status load(const std::string& digest, const std::string& name) {
    layer::FileSource source(file_.get(), name);
    layer::HashingSource hashing(source);
    layer::TarReader reader(hashing);
    for (std::size_t count = 0;; ++count) {
      TRY(const std::optional<TarEntry> entry, reader.next());
      if (!entry) {
        break;
      }
      if (count >= kMaxEntries || reader.isSparse()) {
        return invalid("artifact " + quoted(name) + ": not as a stage packs it");
      }
      CHECK_OK(take(*entry, reader.dataOffset()));
    }
    CHECK_OK(hashing.drain());
    if ("sha256:" + hashing.sha256Hex() != digest) {
      return denied("artifact " + quoted(name) + ": its digest is not the reported one");
    }
    return connect();
  }

  const std::vector<std::string>& matches() const override { return matches_; }
  bool prefixMissing() const override { return prefixMissing_; }

  Result<FileStat> stat(const std::string& path) override {
    TRY(const Entry* entry, find(path));
    return entry->stat;
  }
  Result<std::string> readLink(const std::string& path) override {
    TRY(const Entry* entry, find(path));
    return entry->link;
  }
  Result<std::vector<std::string>> list(const std::string& path) override {
    const auto it = children_.find(path);
    return it == children_.end() ? std::vector<std::string>{}
                                 : std::vector<std::string>(it->second.begin(), it->second.end());
  }
  Result<Content> open(const std::string& path) override {
    TRY(const Entry* entry, find(path));
    Content content;
    content.fd = file_.get();
    content.offset = entry->offset;
    content.size = entry->stat.size;
    return content;
  }
  Result<layer::Xattrs> xattrs(const std::string& path) override {
    TRY(const Entry* entry, find(path));
    return entry->xattrs;
  }
  /// The packing stage has followed the links that COPY follows.
  Result<std::string> resolve(const std::string& path) override { return layer::cleanPath(path); }

 private:
  Result<const Entry*> find(const std::string& path) const {
    const auto it = entries_.find(path);
    if (it == entries_.end()) {
      return notFound("open " + quoted("/" + path) + ": No such file or directory");
    }
    return &it->second;
  }

  Status take(const TarEntry& tar, std::int64_t offset) {
    TRY(const std::string name, layer::cleanEntryName(tar.name));
    static constexpr std::string_view kMatch = ".stagewright/match/";
    static constexpr std::string_view kParents = ".stagewright/parents/";
    if (name.starts_with(kMatch)) {
      names_[name.substr(kMatch.size())] = layer::cleanPath(tar.link);
    } else if (name.starts_with(kParents)) {
      parents_[name.substr(kParents.size())] = makeEntry(tar, 0);
    } else if (name == ".stagewright/missing") {
      prefixMissing_ = true;
    } else if (tar.type == TarType::kHardLink) {
      TRY(const std::string target, layer::cleanEntryName(tar.link));
      const auto it = raw_.find(target);
      if (it == raw_.end()) {
        return invalid("artifact: a hard link without its target");
      }
      it->second.stat.nlink = 2;
      raw_[name] = it->second;
    } else {
      raw_[name] = makeEntry(tar, offset);
    }
    return ok();
  }

  Entry makeEntry(const TarEntry& tar, std::int64_t offset) {
    Entry entry;
    entry.stat.mode = typeBits(tar.type) | tar.mode;
    entry.stat.uid = tar.uid;
    entry.stat.gid = tar.gid;
    entry.stat.size = tar.size;
    entry.stat.mtime = tar.mtime;
    entry.stat.major = tar.major;
    entry.stat.minor = tar.minor;
    entry.stat.nlink = 1;
    entry.stat.inode = ++inodes_;
    entry.link = tar.link;
    entry.xattrs = tar.xattrs;
    entry.offset = offset;
    return entry;
  }

  /// Puts the matches where they were in the other stage's tree.
  Status connect() {
    for (int m = 0; names_.contains(std::to_string(m)); ++m) {
      matches_.push_back(names_[std::to_string(m)]);
    }
    for (auto& [name, entry] : raw_) {
      const std::string number = name.substr(0, name.find('/'));
      const auto match = names_.find(number);
      if (match == names_.end()) {
        return invalid("artifact: entry " + quoted(name) + " belongs to no match");
      }
      add(layer::joinPath(match->second,
                          std::string_view(name).substr(std::min(number.size() + 1, name.size()))),
          entry);
    }
    raw_.clear();
    for (auto& [path, entry] : parents_) {
      add(path, entry);
    }
    parents_.clear();
    addMissingParents();
    return ok();
  }

  void add(const std::string& path, const Entry& entry) { entries_.emplace(path, entry); }

  void addMissingParents() {
    std::vector<std::string> paths;
    for (const auto& [path, entry] : entries_) {
      paths.push_back(path);
    }
    Entry directory;
    directory.stat.mode = S_IFDIR | 0755;
    entries_.emplace("", directory);
    for (const std::string& path : paths) {
      for (std::string_view p = path; !p.empty(); p = layer::parentOf(p)) {
        const std::string parent(layer::parentOf(p));
        entries_.emplace(parent, directory);
        if (!children_[parent].insert(std::string(layer::baseOf(p))).second) {
          break;
        }
      }
    }
  }

  Fd file_;
  std::map<std::string, Entry> raw_;  ///< by name in the archive, while loading
  std::map<std::string, std::string> names_;
  std::map<std::string, Entry> parents_;
  std::map<std::string, Entry> entries_;
  std::map<std::string, std::set<std::string>> children_;
  std::vector<std::string> matches_;
  bool prefixMissing_ = false;
  std::uint64_t inodes_ = 0;
};

}  // namespace

Result<std::unique_ptr<ArtifactTree>> loadArtifact(Fd file, const std::string& digest,
                                                   const std::string& name) {
  auto artifact = std::make_unique<TarArtifact>(std::move(file));
  CHECK_OK(artifact->load(digest, name));
  return std::unique_ptr<ArtifactTree>(std::move(artifact));
}

}  // namespace stagewright::stage
