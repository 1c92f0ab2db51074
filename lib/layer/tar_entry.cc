#include "lib/layer/tar_entry.h"

#include <vector>

namespace stagewright::layer {

namespace {
constexpr std::size_t kMaxPath = 4095;
}  // namespace

Result<std::string> cleanEntryName(std::string_view name) {
  if (name.find('\0') != std::string_view::npos) {
    return invalid("tar entry " + quoted(name) + ": NUL in its name");
  }
  const bool absolute = name.starts_with('/');
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('/', begin), name.size());
    const std::string_view part = name.substr(begin, end - begin);
    begin = end + 1;
    if (part.empty() || part == ".") {
      continue;
    }
    if (part != "..") {
      parts.push_back(part);
    } else if (!parts.empty()) {
      parts.pop_back();
    } else if (!absolute) {
      return invalid("tar entry " + quoted(name) + ": leads out of its directory");
    }
  }
  std::string out;
  for (const std::string_view part : parts) {
    if (!out.empty()) {
      out += '/';
    }
    out += part;
  }
  if (out.size() > kMaxPath) {
    return invalid("tar entry " + quoted(name, 64) + ": name too long");
  }
  return out;
}

std::string whiteoutName(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  const std::size_t base = slash == std::string_view::npos ? 0 : slash + 1;
  return std::string(path.substr(0, base)) + std::string(kWhiteoutPrefix) +
         std::string(path.substr(base));
}

}  // namespace stagewright::layer
