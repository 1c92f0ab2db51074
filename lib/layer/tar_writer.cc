#include "lib/layer/tar_writer.h"

#include <algorithm>
#include <optional>
#include <string>

#include "lib/layer/tar_header.h"

namespace stagewright::layer {

namespace {

constexpr std::string_view kMagic("ustar\00000", 8);

std::string headerName(const TarEntry& entry) {
  return entry.type == TarType::kDirectory ? entry.name + "/" : entry.name;
}

/// Where a long name is cut for ustar's prefix field; nothing if it does not fit.
std::optional<std::size_t> ustarSplit(std::string_view name) {
  // The slash itself is stored nowhere, and a directory's last slash must stay in the name.
  const std::size_t from = name.size() - std::min(name.size(), kNameField.size + 1);
  for (std::size_t i = from; i < name.size() - 1 && i <= kPrefixField.size; ++i) {
    if (name[i] == '/' && i > 0) {
      return i;
    }
  }
  return std::nullopt;
}

bool fitsUstarName(std::string_view name) {
  return name.size() <= kNameField.size || ustarSplit(name).has_value();
}

bool isDevice(const TarEntry& entry) {
  return entry.type == TarType::kCharDevice || entry.type == TarType::kBlockDevice;
}

PaxRecords neededRecords(const TarEntry& entry, std::string_view name) {
  PaxRecords records;
  if (!fitsUstarName(name)) {
    records["path"] = name;
  }
  if (entry.link.size() > kLinkField.size) {
    records["linkpath"] = entry.link;
  }
  if (!fitsOctal(entry.size, kSizeField)) {
    records["size"] = std::to_string(entry.size);
  }
  if (!fitsOctal(entry.uid, kUidField)) {
    records["uid"] = std::to_string(entry.uid);
  }
  if (!fitsOctal(entry.gid, kGidField)) {
    records["gid"] = std::to_string(entry.gid);
  }
  if (entry.mtime.nanos != 0 || !fitsOctal(entry.mtime.seconds, kMtimeField)) {
    records["mtime"] = formatPaxTime(entry.mtime);
  }
  for (const auto& [key, value] : entry.xattrs) {
    records[std::string(kXattrKey) + key] = value;
  }
  return records;
}

void setName(Block& block, std::string_view name) {
  if (name.size() <= kNameField.size) {
    setText(block, kNameField, name);
  } else if (const auto split = ustarSplit(name)) {
    setText(block, kPrefixField, name.substr(0, *split));
    setText(block, kNameField, name.substr(*split + 1));
  } else {
    setText(block, kNameField, name.substr(0, kNameField.size));  // the pax record has all of it
  }
}

/// The number if it fits, else 0: then a pax record has it.
void setNumber(Block& block, Field field, std::int64_t value) {
  setOctal(block, field, fitsOctal(value, field) ? value : 0);
}

Block makeHeader(const TarEntry& entry, std::string_view name) {
  Block block{};
  setName(block, name);
  setOctal(block, kModeField, entry.mode & 07777);
  setNumber(block, kUidField, entry.uid);
  setNumber(block, kGidField, entry.gid);
  setNumber(block, kSizeField, entry.size);
  setNumber(block, kMtimeField, entry.mtime.seconds);
  block[kTypeField.offset] = static_cast<char>(entry.type);
  setText(block, kLinkField, std::string_view(entry.link).substr(0, kLinkField.size));
  setText(block, kMagicField, kMagic);
  setOctal(block, kMajorField, isDevice(entry) ? entry.major : 0);
  setOctal(block, kMinorField, isDevice(entry) ? entry.minor : 0);
  setChecksum(block);
  return block;
}

std::string_view bytesOf(const Block& block) {
  return std::string_view(block.data(), block.size());
}

bool hasNul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

}  // namespace

Status TarWriter::writePax(const TarEntry& entry, std::string_view records) {
  const std::size_t slash = entry.name.rfind('/');
  const std::size_t base = slash == std::string::npos ? 0 : slash + 1;
  std::string name = entry.name.substr(0, base) + "PaxHeaders.0/" + entry.name.substr(base);
  name.resize(std::min(name.size(), kNameField.size));
  TarEntry header;
  header.name = name;
  header.mode = 0644;
  header.size = static_cast<std::int64_t>(records.size());
  Block block = makeHeader(header, header.name);
  block[kTypeField.offset] = 'x';
  setChecksum(block);
  CHECK_OK(sink_.write(bytesOf(block)));
  CHECK_OK(sink_.write(records));
  return sink_.write(std::string(static_cast<std::size_t>(paddingOf(header.size)), '\0'));
}

Status TarWriter::begin(const TarEntry& entry) {
  if (left_ != 0 || padding_ != 0) {
    return internal("tar: an entry began before the last one ended");
  }
  if (entry.name.empty() || hasNul(entry.name) || hasNul(entry.link) || entry.size < 0) {
    return invalid("tar entry " + quoted(entry.name) + ": not a name that tar can hold");
  }
  const std::string name = headerName(entry);
  const PaxRecords records = neededRecords(entry, name);
  if (!records.empty()) {
    CHECK_OK(writePax(entry, formatPax(records)));
  }
  CHECK_OK(sink_.write(bytesOf(makeHeader(entry, name))));
  left_ = entry.size;
  padding_ = paddingOf(entry.size);
  return ok();
}

Status TarWriter::data(std::string_view bytes) {
  if (static_cast<std::int64_t>(bytes.size()) > left_) {
    return internal("tar: more bytes than the header announced");
  }
  left_ -= static_cast<std::int64_t>(bytes.size());
  return sink_.write(bytes);
}

Status TarWriter::zeros(std::int64_t count) {
  static constexpr char kZeros[64 * 1024] = {};
  while (count > 0) {
    const auto part = static_cast<std::size_t>(std::min<std::int64_t>(count, sizeof kZeros));
    CHECK_OK(data(std::string_view(kZeros, part)));
    count -= static_cast<std::int64_t>(part);
  }
  return ok();
}

Status TarWriter::end() {
  if (left_ != 0) {
    return internal("tar: fewer bytes than the header announced");
  }
  const auto padding = static_cast<std::size_t>(padding_);
  padding_ = 0;
  return sink_.write(std::string(padding, '\0'));
}

Status TarWriter::add(const TarEntry& entry) {
  CHECK_OK(begin(entry));
  return end();
}

Status TarWriter::finish() { return sink_.write(std::string(2 * kBlockSize, '\0')); }

}  // namespace stagewright::layer
