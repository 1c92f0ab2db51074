#include "local/file_digests.h"

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "lib/base/file.h"
#include "lib/layer/pattern.h"
#include "local/scratch_file.h"

namespace stagewright::local {

namespace {

constexpr std::size_t kFileLimit = 1024u * 1024 * 1024;
constexpr std::size_t kTextPiece = 16 * 1024;
constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::string_view kMagic = "stagewright-files-1\n";

std::int64_t nanosOf(layer::Timestamp t) { return t.seconds * kSecond + t.nanos; }

std::int64_t nowNanos() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

template <class T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

/// A cursor over the file; anything cut off ends the reading.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}
  template <class T>
  T number() {
    T value{};
    if (text_.size() < sizeof(T)) {
      text_ = {};
      return value;
    }
    std::memcpy(&value, text_.data(), sizeof(T));
    text_.remove_prefix(sizeof(T));
    return value;
  }
  std::string text() {
    const auto size = std::min<std::size_t>(number<std::uint32_t>(), text_.size());
    std::string out(text_.substr(0, size));
    text_.remove_prefix(size);
    return out;
  }
  bool atEnd() const { return text_.empty(); }

 private:
  std::string_view text_;
};

void putText(std::string& out, std::string_view text) {
  put(out, static_cast<std::uint32_t>(text.size()));
  out += text;
}

void addPart(std::string& text, std::string_view part) {
  text += std::to_string(part.size());
  text += ':';
  text += part;
}

std::string digestOfAll(Sha256& content, const layer::Xattrs& attributes) {
  std::string parts;
  for (const auto& [key, value] : attributes) {
    addPart(parts, key);
    addPart(parts, value);
  }
  content.update(parts);
  return content.hex();
}

Result<std::string> hashFile(stage::SourceTree& tree, const std::string& path) {
  TRY(const stage::Content content, tree.open(path));
  Sha256 hash;
  std::string buffer(static_cast<std::size_t>(std::min<std::int64_t>(content.size + 1, 256 * 1024)), '\0');
  for (std::int64_t at = 0; at < content.size;) {
    const auto want = static_cast<std::size_t>(std::min<std::int64_t>(content.size - at,
                                                                      static_cast<std::int64_t>(buffer.size())));
    const ssize_t n = ::pread(content.fd, buffer.data(), want, content.offset + at);
    if (n <= 0) {
      return n == 0 ? unavailable("read " + stagewright::quoted("/" + path) + ": the file shrank") : systemError("read", path, errno);
    }
    hash.update(buffer.data(), static_cast<std::size_t>(n));
    at += n;
  }
  TRY(const layer::Xattrs attributes, tree.xattrs(path));
  return digestOfAll(hash, attributes);
}

class DigestWalk {
 public:
  DigestWalk(Sha256& hash, stage::SourceTree& tree, FileDigests& digests, const layer::PatternList* excludes)
      : hash_(hash), tree_(tree), digests_(digests), excludes_(excludes) {}
  ~DigestWalk() { hash_.update(text_); }
  DigestWalk(const DigestWalk&) = delete;
  DigestWalk& operator=(const DigestWalk&) = delete;

  Status add(const std::string& path, const std::string& inner, const layer::PatternList::Memory& above) {
    layer::PatternList::Memory memory;
    const bool excluded = excludes_ != nullptr && !inner.empty() && excludes_->matches(inner, above, memory);
    if (excluded && !excludes_->hasExceptions()) {
      return ok();
    }
    TRY(const layer::FileStat st, tree_.stat(path));
    if (!excluded) {
      addPart(text_, inner);
      addPart(text_, std::to_string(st.mode) + " " + std::to_string(st.uid) + ":" + std::to_string(st.gid));
      CHECK_OK(addContent(path, st));
      if (text_.size() > kTextPiece) {
        hash_.update(std::exchange(text_, {}));
      }
    }
    if (!st.isDirectory()) {
      return ok();
    }
    TRY(const std::vector<std::string> names, tree_.list(path));
    for (const std::string& name : names) {
      CHECK_OK(add(layer::joinPath(path, name), layer::joinPath(inner, name), memory));
    }
    return ok();
  }

 private:
  Status addContent(const std::string& path, const layer::FileStat& st) {
    if (st.isSymlink()) {
      TRY(const std::string target, tree_.readLink(path));
      addPart(text_, target);
    } else if (st.isFile()) {
      TRY(const std::string digest, digests_.digestOf(tree_, path, st));
      addPart(text_, digest);
    } else if (!st.isDirectory()) {
      addPart(text_, std::to_string(st.major) + ":" + std::to_string(st.minor));
    }
    return ok();
  }

  Sha256& hash_;
  stage::SourceTree& tree_;
  FileDigests& digests_;
  const layer::PatternList* excludes_;
  std::string text_;  ///< not in hash_ yet
};

}  // namespace

FileDigests::FileDigests(std::string path) : path_(std::move(path)) { load(); }

void FileDigests::load() {
  const auto text = loadFile(path_, kFileLimit);
  if (!text || !text->starts_with(kMagic)) {
    return;
  }
  auto memory = memory_.lock();
  memory->files.reserve(text->size() / 128);
  for (Reader reader(std::string_view(*text).substr(kMagic.size())); !reader.atEnd();) {
    std::string path = reader.text();
    Known known;
    known.size = reader.number<std::int64_t>();
    known.inode = reader.number<std::uint64_t>();
    known.mtime = reader.number<std::int64_t>();
    known.ctime = reader.number<std::int64_t>();
    known.digest = reader.text();
    if (known.digest.size() == 64) {
      memory->files[std::move(path)] = std::move(known);
    }
  }
}

Result<std::string> FileDigests::digestOf(stage::SourceTree& tree, const std::string& path, const layer::FileStat& st) {
  Known now = knownOf(st);
  {
    auto memory = memory_.lock();
    const auto it = memory->files.find(path);
    if (it != memory->files.end() && it->second.size == now.size && it->second.inode == now.inode &&
        it->second.mtime == now.mtime && it->second.ctime == now.ctime) {
      return it->second.digest;
    }
  }
  TRY(now.digest, hashFile(tree, path));
  remember(path, now);
  return std::move(now.digest);
}

void FileDigests::learn(const std::string& path, const layer::FileStat& stat, const layer::Xattrs& xattrs, Sha256 hash) {
  Known known = knownOf(stat);
  known.digest = digestOfAll(hash, xattrs);
  remember(path, std::move(known));
}

FileDigests::Known FileDigests::knownOf(const layer::FileStat& st) {
  return {st.size, st.inode, nanosOf(st.mtime), nanosOf(st.ctime), "", false};
}

void FileDigests::remember(const std::string& path, Known known) {
  known.isYoung = nowNanos() - known.ctime < kSecond / 10;
  auto memory = memory_.lock();
  memory->changed = memory->changed || !known.isYoung;
  memory->files.insert_or_assign(path, std::move(known));
}

Status FileDigests::save() {
  auto memory = memory_.lock();
  if (!memory->changed) {
    return ok();
  }
  std::string out(kMagic);
  for (const auto& [path, known] : memory->files) {
    if (known.isYoung) {
      continue;
    }
    putText(out, path);
    put(out, known.size);
    put(out, known.inode);
    put(out, known.mtime);
    put(out, known.ctime);
    putText(out, known.digest);
  }
  memory->changed = false;
  return saveScratchFile(path_, out);
}

Status addTree(Sha256& hash, stage::SourceTree& tree, const std::string& path, FileDigests& digests) {
  return DigestWalk(hash, tree, digests, nullptr).add(path, "", {});
}

Status addSource(Sha256& hash, stage::SourceTree& tree, const plan::CopyStep& copy, const std::string& path,
                 FileDigests& digests) {
  std::optional<layer::PatternList> excludes;
  if (!copy.excludes.empty()) {
    TRY(excludes, layer::PatternList::make(copy.excludes));
  }
  // With --parents the pattern may cross directories: the part before the first wildcard stands for all of it.
  std::string pattern = path;
  if (copy.parents) {
    const std::size_t wildcard = pattern.find_first_of("*?[");
    pattern = wildcard == std::string::npos ? pattern : pattern.substr(0, pattern.rfind('/', wildcard) + 1);
  }
  TRY(const stage::Expansion expansion, stage::expandWildcards(tree, layer::cleanPath(pattern)));
  for (const std::string& match : expansion.paths) {
    TRY(const std::string resolved, tree.resolve(match));
    std::string name;
    addPart(name, match);
    hash.update(name);
    const auto st = tree.stat(resolved);
    if (st) {
      CHECK_OK(DigestWalk(hash, tree, digests, excludes ? &*excludes : nullptr).add(resolved, "", {}));
    }
  }
  return ok();
}

}  // namespace stagewright::local
