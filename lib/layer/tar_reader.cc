#include "lib/layer/tar_reader.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>

namespace stagewright::layer {

namespace {

constexpr std::int64_t kMaxExtension =
    1024 * 1024;  // a pax header or long name; Go's reader has the same cap
constexpr std::size_t kMaxExtensionsInARow = 16;
constexpr std::int64_t kMaxSize = std::numeric_limits<std::int64_t>::max() / 4;

bool isOurType(char type) { return type >= '0' && type <= '6'; }

bool isUstar(const Block& block) {
  return std::string_view(block.data() + kMagicField.offset, 6) == std::string_view("ustar\0", 6);
}

Result<std::int64_t> decimal(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return invalid("tar: expected a decimal number, got " + quoted(text, 64));
  }
  return value;
}

Result<std::uint32_t> id(std::int64_t value, std::string_view what) {
  if (value < 0 || value > std::int64_t{0xffffffff}) {
    return invalid("tar header: " + std::string(what) + " out of range");
  }
  return static_cast<std::uint32_t>(value);
}

Result<TarEntry> parseHeader(const Block& block) {
  TarEntry entry;
  entry.name = fieldText(block, kNameField);
  if (isUstar(block)) {
    const std::string_view prefix = fieldText(block, kPrefixField);
    if (!prefix.empty()) {
      entry.name = std::string(prefix) + "/" + entry.name;
    }
  }
  entry.link = fieldText(block, kLinkField);
  TRY(const std::int64_t mode, fieldNumber(block, kModeField));
  entry.mode = static_cast<std::uint32_t>(mode & 07777);
  TRY(const std::int64_t uid, fieldNumber(block, kUidField));
  TRY(entry.uid, id(uid, "uid"));
  TRY(const std::int64_t gid, fieldNumber(block, kGidField));
  TRY(entry.gid, id(gid, "gid"));
  TRY(entry.size, fieldNumber(block, kSizeField));
  TRY(entry.mtime.seconds, fieldNumber(block, kMtimeField));
  return entry;
}

Status parseDevice(const Block& block, TarEntry& entry) {
  if (entry.type != TarType::kCharDevice && entry.type != TarType::kBlockDevice) {
    return ok();
  }
  TRY(const std::int64_t major, fieldNumber(block, kMajorField));
  TRY(entry.major, id(major, "device number"));
  TRY(const std::int64_t minor, fieldNumber(block, kMinorField));
  TRY(entry.minor, id(minor, "device number"));
  return ok();
}

Status applyPax(const PaxRecords& pax, TarEntry& entry) {
  for (const auto& [key, value] : pax) {
    if (value.empty() && !key.starts_with(kXattrKey)) {
      continue;  // an empty value deletes the record: the header's field counts
    }
    if (key == "path") {
      entry.name = value;
    } else if (key == "linkpath") {
      entry.link = value;
    } else if (key == "size") {
      TRY(entry.size, decimal(value));
    } else if (key == "uid") {
      TRY(const std::int64_t uid, decimal(value));
      TRY(entry.uid, id(uid, "uid"));
    } else if (key == "gid") {
      TRY(const std::int64_t gid, decimal(value));
      TRY(entry.gid, id(gid, "gid"));
    } else if (key == "mtime") {
      TRY(entry.mtime, parsePaxTime(value));
    } else if (key.starts_with(kXattrKey) && key.size() > kXattrKey.size()) {
      entry.xattrs[key.substr(kXattrKey.size())] = value;
    }
  }
  return ok();
}

/// Type, trailing slashes and sizes brought to our form. `type` is the header's flag.
Status normalize(char type, TarEntry& entry) {
  const bool regular = type == '\0' || type == '7' || type == 'S' || type == '0';
  if (!regular && !isOurType(type)) {
    return invalid("tar entry " + quoted(entry.name) + ": unknown type " +
                   quoted(std::string_view(&type, 1)));
  }
  entry.type = regular ? TarType::kFile : static_cast<TarType>(type);
  if (entry.type == TarType::kFile && entry.name.ends_with('/')) {
    entry.type = TarType::kDirectory;  // v7 archives know no other way
  }
  if (entry.type == TarType::kDirectory) {
    while (entry.name.ends_with('/')) {
      entry.name.pop_back();
    }
  }
  if (entry.type != TarType::kHardLink && entry.type != TarType::kSymlink) {
    entry.link.clear();
  }
  if (entry.size < 0 || entry.size > kMaxSize) {
    return invalid("tar entry " + quoted(entry.name) + ": size out of range");
  }
  return ok();
}

std::string cutAtNul(std::string text) {
  text.resize(std::min(text.find('\0'), text.size()));
  return text;
}

}  // namespace

Result<bool> TarReader::readBlock(Block& block) {
  TRY(const std::size_t n, readFully(source_, block.data(), kBlockSize));
  position_ += static_cast<std::int64_t>(n);
  if (n != 0 && n != kBlockSize) {
    return invalid("tar: unexpected EOF: the archive is cut off");
  }
  return n == kBlockSize;
}

Result<std::size_t> TarReader::readRaw(char* buffer, std::size_t size) {
  const auto want =
      static_cast<std::size_t>(std::min<std::int64_t>(left_, static_cast<std::int64_t>(size)));
  if (want == 0) {
    return std::size_t{0};
  }
  TRY(const std::size_t n, source_.read(buffer, want));
  if (n == 0) {
    return invalid("tar: unexpected EOF: the archive is cut off");
  }
  position_ += static_cast<std::int64_t>(n);
  left_ -= static_cast<std::int64_t>(n);
  return n;
}

Status TarReader::skip(std::int64_t count) {
  char buffer[16384];
  while (count > 0) {
    const auto part = static_cast<std::size_t>(std::min<std::int64_t>(count, sizeof buffer));
    TRY(const std::size_t n, source_.read(buffer, part));
    if (n == 0) {
      return invalid("tar: unexpected EOF: the archive is cut off");
    }
    position_ += static_cast<std::int64_t>(n);
    count -= static_cast<std::int64_t>(n);
  }
  return ok();
}

Status TarReader::skipRest() {
  const std::int64_t rest = left_;
  const std::int64_t padding = padding_;
  left_ = 0;
  padding_ = 0;
  fragments_.clear();
  CHECK_OK(skip(rest));
  // An archive may end right after the content of its last entry.
  for (std::int64_t count = padding; count > 0;) {
    char buffer[512];
    const auto part = static_cast<std::size_t>(std::min<std::int64_t>(count, sizeof buffer));
    TRY(const std::size_t n, source_.read(buffer, part));
    if (n == 0) {
      ended_ = true;
      break;
    }
    position_ += static_cast<std::int64_t>(n);
    count -= static_cast<std::int64_t>(n);
  }
  return ok();
}

Result<std::string> TarReader::readText(std::int64_t size) {
  if (size < 0 || size > kMaxExtension) {
    return invalid("tar: extension header of " + std::to_string(size) + " bytes");
  }
  std::string text(static_cast<std::size_t>(size), '\0');
  TRY(const std::size_t n, readFully(source_, text.data(), text.size()));
  position_ += static_cast<std::int64_t>(n);
  if (n != text.size()) {
    return invalid("tar: unexpected EOF: the archive is cut off");
  }
  CHECK_OK(skip(paddingOf(size)));
  return text;
}

Result<std::optional<TarEntry>> TarReader::next() {
  CHECK_OK(skipRest());
  Extension extension;
  for (std::size_t i = 0; i < kMaxExtensionsInARow; ++i) {
    bool again = false;
    TRY(std::optional<TarEntry> entry, nextFrom(extension, again));
    if (!again) {
      return entry;
    }
  }
  return invalid("tar: too many extension headers in a row");
}

Result<std::optional<TarEntry>> TarReader::nextFrom(Extension& extension, bool& again) {
  Block block;
  TRY(const bool more, readBlock(block));
  if (ended_ || !more || isZero(block)) {
    ended_ = true;
    return std::optional<TarEntry>();
  }
  if (!hasRightChecksum(block)) {
    return invalid("tar: wrong checksum of a header");
  }
  const char type = block[kTypeField.offset];
  if (type == 'x' || type == 'g' || type == 'L' || type == 'K') {
    TRY(const std::int64_t size, fieldNumber(block, kSizeField));
    TRY(std::string text, readText(size));
    again = true;
    if (type == 'x') {
      TRY(extension.pax, parsePax(text));
    } else if (type == 'L') {
      extension.name = cutAtNul(std::move(text));
    } else if (type == 'K') {
      extension.link = cutAtNul(std::move(text));
    }
    return std::optional<TarEntry>();
  }
  TRY(TarEntry entry, parseHeader(block));
  if (extension.name) {
    entry.name = *extension.name;
  }
  if (extension.link) {
    entry.link = *extension.link;
  }
  CHECK_OK(applyPax(extension.pax, entry));
  CHECK_OK(normalize(type, entry));
  CHECK_OK(parseDevice(block, entry));
  // Some writers put a size into the headers of links and directories: only files have data.
  left_ = entry.type == TarType::kFile ? entry.size : 0;
  entry.size = left_;
  padding_ = paddingOf(left_);
  dataOffset_ = position_;
  if (type == 'S') {
    CHECK_OK(readOldSparse(block, entry));
  } else if (extension.pax.contains("GNU.sparse.major") ||
             extension.pax.contains("GNU.sparse.map")) {
    CHECK_OK(readPaxSparse(extension.pax, entry));
  }
  return std::optional<TarEntry>(std::move(entry));
}

Result<std::size_t> TarReader::read(char* buffer, std::size_t size) {
  if (fragments_.empty()) {
    return readRaw(buffer, size);
  }
  while (fragment_ < fragments_.size() &&
         logical_ >= fragments_[fragment_].offset + fragments_[fragment_].length) {
    ++fragment_;
  }
  const bool inData = fragment_ < fragments_.size() && logical_ >= fragments_[fragment_].offset;
  const std::int64_t until = fragment_ == fragments_.size() ? realSize_
                             : inData ? fragments_[fragment_].offset + fragments_[fragment_].length
                                      : fragments_[fragment_].offset;
  auto part = static_cast<std::size_t>(
      std::min<std::int64_t>(until - logical_, static_cast<std::int64_t>(size)));
  if (inData) {
    TRY(part, readRaw(buffer, part));
  } else {
    std::memset(buffer, 0, part);
  }
  logical_ += static_cast<std::int64_t>(part);
  return part;
}

Status TarReader::takeFragments(std::vector<Fragment> fragments, std::int64_t realSize,
                                TarEntry& entry) {
  std::int64_t end = 0;
  std::int64_t total = 0;
  for (const Fragment& f : fragments) {
    if (f.offset < end || f.length < 0 || f.offset > kMaxSize || f.length > kMaxSize - f.offset) {
      return invalid("tar entry " + quoted(entry.name) + ": broken map of a sparse file");
    }
    end = f.offset + f.length;
    total += f.length;
  }
  if (end > realSize || total != left_ || realSize > kMaxSize) {
    return invalid("tar entry " + quoted(entry.name) + ": broken map of a sparse file");
  }
  if (fragments.empty()) {
    fragments.push_back({0, 0});  // all hole; read() knows sparse files by their list
  }
  fragments_ = std::move(fragments);
  fragment_ = 0;
  logical_ = 0;
  realSize_ = realSize;
  entry.size = realSize;
  return ok();
}

Status TarReader::readOldSparse(const Block& block, TarEntry& entry) {
  TRY(const std::int64_t realSize, fieldNumber(block, Field{483, 12}));
  std::vector<Fragment> fragments;
  Block current = block;
  std::size_t at = 386;
  std::size_t count = 4;
  std::size_t extendedAt = 482;
  for (;;) {
    for (std::size_t i = 0; i < count; ++i, at += 24) {
      if (fieldText(current, Field{at + 12, 12}).empty()) {
        break;
      }
      Fragment f;
      TRY(f.offset, fieldNumber(current, Field{at, 12}));
      TRY(f.length, fieldNumber(current, Field{at + 12, 12}));
      fragments.push_back(f);
    }
    if (current[extendedAt] == '\0') {
      break;
    }
    TRY(const bool more, readBlock(current));
    if (!more || fragments.size() > 100000) {
      return invalid("tar entry " + quoted(entry.name) + ": broken map of a sparse file");
    }
    at = 0;
    count = 21;
    extendedAt = 504;
  }
  return takeFragments(std::move(fragments), realSize, entry);
}

Result<std::int64_t> TarReader::readSparseNumber(std::string& pending) {
  std::size_t newline = 0;
  while ((newline = pending.find('\n')) == std::string::npos) {
    Block block;
    if (pending.size() > 64 || left_ < static_cast<std::int64_t>(kBlockSize)) {
      return invalid("tar: broken map of a sparse file");
    }
    TRY(const bool more, readBlock(block));
    if (!more) {
      return invalid("tar: unexpected EOF: the archive is cut off");
    }
    left_ -= static_cast<std::int64_t>(kBlockSize);
    pending.append(block.data(), block.size());
  }
  TRY(const std::int64_t value, decimal(std::string_view(pending).substr(0, newline)));
  pending.erase(0, newline + 1);
  return value;
}

Status TarReader::readPaxSparse(const PaxRecords& pax, TarEntry& entry) {
  const auto text = [&pax](const char* key) {
    const auto it = pax.find(key);
    return it == pax.end() ? std::string() : it->second;
  };
  if (!text("GNU.sparse.name").empty()) {
    entry.name = text("GNU.sparse.name");
  }
  std::vector<Fragment> fragments;
  std::int64_t realSize = 0;
  if (text("GNU.sparse.major") == "1") {
    TRY(realSize, decimal(text("GNU.sparse.realsize")));
    std::string pending;
    TRY(const std::int64_t count, readSparseNumber(pending));
    for (std::int64_t i = 0; i < count; ++i) {
      Fragment f;
      TRY(f.offset, readSparseNumber(pending));
      TRY(f.length, readSparseNumber(pending));
      fragments.push_back(f);
    }
  } else {
    TRY(realSize, decimal(text("GNU.sparse.size")));
    std::string map = text("GNU.sparse.map") + ",";
    for (std::size_t begin = 0; begin < map.size();) {
      std::int64_t pair[2] = {0, 0};
      for (std::int64_t& value : pair) {
        const std::size_t comma = map.find(',', begin);
        if (comma == std::string::npos) {
          return invalid("tar entry " + quoted(entry.name) + ": broken map of a sparse file");
        }
        TRY(value, decimal(std::string_view(map).substr(begin, comma - begin)));
        begin = comma + 1;
      }
      fragments.push_back({pair[0], pair[1]});
    }
  }
  return takeFragments(std::move(fragments), realSize, entry);
}

}  // namespace stagewright::layer
