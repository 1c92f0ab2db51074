#include "cli/image_tree.h"

#include <cstdio>
#include <optional>
#include <set>

#include "lib/base/hash.h"
#include "lib/layer/tar_reader.h"

namespace stagewright::cli {

namespace {

using layer::TarType;

Result<std::string> hashData(layer::TarReader& reader) {
  Sha256 hash;
  std::string buffer(256 * 1024, '\0');
  while (true) {
    TRY(std::size_t n, reader.read(buffer.data(), buffer.size()));
    if (n == 0) {
      return hash.hex();
    }
    hash.update(buffer.data(), n);
  }
}

std::string parentOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::string nameOf(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::string joined(const std::string& parent, const std::string& name) {
  return parent.empty() ? name : parent + "/" + name;
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == '\\' || c == 0x7f) {
      char code[5];
      std::snprintf(code, sizeof code, "\\x%02x", static_cast<unsigned char>(c));
      out += code;
    } else {
      out += c;
    }
  }
  return out;
}

const char* typeName(TarType type) {
  switch (type) {
    case TarType::kFile:
      return "file";
    case TarType::kHardLink:
      return "hardlink";
    case TarType::kSymlink:
      return "symlink";
    case TarType::kCharDevice:
      return "chardev";
    case TarType::kBlockDevice:
      return "blockdev";
    case TarType::kDirectory:
      return "dir";
    case TarType::kFifo:
      return "fifo";
  }
  return "?";
}

}  // namespace

void ImageTree::removeBelow(const std::string& path) {
  const std::string prefix = path.empty() ? "" : path + "/";
  for (auto it = files_.lower_bound(prefix); it != files_.end() && it->first.starts_with(prefix);) {
    it = files_.erase(it);
  }
}

void ImageTree::remove(const std::string& path) {
  files_.erase(path);
  removeBelow(path);
}

Status ImageTree::addEntry(layer::TarEntry entry, std::string sha256, int position, Files& added) {
  TRY(std::string path, layer::cleanEntryName(entry.name));
  if (path.empty()) {
    return ok();  // the root itself
  }
  if (entry.type == TarType::kHardLink) {
    TRY(std::string target, layer::cleanEntryName(entry.link));
    auto it = added.find(target);
    auto lower = files_.find(target);
    if (it == added.end() && lower == files_.end()) {
      return invalid("hard link " + stagewright::quoted(path) + " to " +
                     stagewright::quoted(target) + ", which does not exist");
    }
    added[path] = it != added.end() ? it->second : lower->second;
    return ok();
  }
  auto file = std::make_shared<TreeFile>();
  entry.name = path;
  file->entry = std::move(entry);
  file->sha256 = std::move(sha256);
  file->layer = layers_;
  file->position = position;
  added[path] = std::move(file);
  return ok();
}

Status ImageTree::apply(layer::ByteSource& tar) {
  layer::TarReader reader(tar);
  Files added;
  std::set<std::string> whiteouts;
  std::set<std::string> opaque;
  for (int position = 0;; ++position) {
    TRY(std::optional<layer::TarEntry> entry, reader.next());
    if (!entry) {
      break;
    }
    TRY(std::string path, layer::cleanEntryName(entry->name));
    const std::string name = nameOf(path);
    if (name == layer::kOpaqueMarker) {
      opaque.insert(parentOf(path));
    } else if (name.starts_with(layer::kWhiteoutPrefix)) {
      whiteouts.insert(joined(parentOf(path), name.substr(layer::kWhiteoutPrefix.size())));
    } else {
      std::string sha256;
      if (entry->type == TarType::kFile) {
        TRY(sha256, hashData(reader));
      }
      CHECK_OK(addEntry(std::move(*entry), std::move(sha256), position, added));
    }
  }
  for (const std::string& path : opaque) {
    removeBelow(path);
  }
  for (const std::string& path : whiteouts) {
    remove(path);
  }
  for (auto& [path, file] : added) {
    if (file->entry.type != TarType::kDirectory) {
      removeBelow(path);  // a directory below became something else
    }
    files_[path] = file;
  }
  ++layers_;
  return ok();
}

std::string listTree(const ImageTree& tree) {
  std::string text;
  std::map<const TreeFile*, std::string> firstNames;
  for (const auto& [path, file] : tree.files()) {
    const layer::TarEntry& entry = file->entry;
    char mode[8];
    std::snprintf(mode, sizeof mode, "%04o", entry.mode & 07777);
    std::string link = "-";
    if (entry.type == TarType::kSymlink) {
      link = escaped(entry.link);
    } else if (entry.type == TarType::kCharDevice || entry.type == TarType::kBlockDevice) {
      link = std::to_string(entry.major) + ":" + std::to_string(entry.minor);
    } else if (auto [first, isFirst] = firstNames.try_emplace(file.get(), path); !isFirst) {
      link = escaped(first->second);
    }
    text += escaped(path) + "\t" + typeName(entry.type) + "\t" + mode + "\t" +
            std::to_string(entry.uid) + "\t" + std::to_string(entry.gid) + "\t" +
            std::to_string(entry.size) + "\t" + (file->sha256.empty() ? "-" : file->sha256) + "\t" +
            link;
    for (const auto& [key, value] : entry.xattrs) {
      text += "\t" + escaped(key) + "=" + toHex(value);
    }
    text += "\n";
  }
  return text;
}

}  // namespace stagewright::cli
