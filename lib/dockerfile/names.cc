#include "lib/dockerfile/names.h"

#include <algorithm>
#include <array>

#include "lib/dockerfile/text.h"

namespace stagewright::dockerfile {
namespace {

constexpr std::size_t kMaxNameLength = 255;
constexpr std::size_t kMaxTagLength = 128;
constexpr std::size_t kIdLength = 64;

bool isLowerAlnum(char c) { return (c >= 'a' && c <= 'z') || isAsciiDigit(c); }
bool isAlnum(char c) { return isLowerAlnum(c) || (c >= 'A' && c <= 'Z'); }
bool isLowerHex(char c) { return isAsciiDigit(c) || (c >= 'a' && c <= 'f'); }

template <class Predicate>
bool allOf(std::string_view text, Predicate predicate) {
  return !text.empty() && std::all_of(text.begin(), text.end(), predicate);
}

/// Lower-case letters and digits, separated by `.`, `_`, `__` or any number of `-`.
bool isPathComponent(std::string_view text) {
  if (text.empty() || !isLowerAlnum(text.front()) || !isLowerAlnum(text.back())) {
    return false;
  }
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    while (end < text.size() && !isLowerAlnum(text[end])) {
      ++end;
    }
    const std::string_view separator = text.substr(at, end - at);
    const bool good = separator.empty() || separator == "." || separator == "_" ||
                      separator == "__" ||
                      separator.find_first_not_of('-') == std::string_view::npos;
    if (!good) {
      return false;
    }
    at = std::max(end, at + 1);
  }
  return true;
}

bool isPath(std::string_view path) {
  const std::vector<std::string> parts = splitAt(path, '/');
  return std::all_of(parts.begin(), parts.end(), isPathComponent);
}

bool isHost(std::string_view host) {
  const std::size_t colon = host.front() == '[' ? host.find(':', host.find(']')) : host.find(':');
  if (colon != std::string_view::npos && !allOf(host.substr(colon + 1), isAsciiDigit)) {
    return false;
  }
  const std::string_view name = host.substr(0, colon);
  if (name.front() == '[') {
    return name.size() > 2 && name.back() == ']' &&
           allOf(name.substr(1, name.size() - 2), [](char c) { return isAlnum(c) || c == ':'; });
  }
  const std::vector<std::string> labels = splitAt(name, '.');
  return std::all_of(labels.begin(), labels.end(), [](const std::string& label) {
    return allOf(label, [](char c) { return isAlnum(c) || c == '-'; }) && isAlnum(label.front()) &&
           isAlnum(label.back());
  });
}

bool isTag(std::string_view tag) {
  const auto allowed = [](char c) { return isAlnum(c) || c == '_' || c == '.' || c == '-'; };
  return allOf(tag, allowed) && tag.size() <= kMaxTagLength && tag.front() != '.' &&
         tag.front() != '-';
}

bool isDigest(std::string_view digest) {
  const std::size_t colon = digest.find(':');
  if (colon == std::string_view::npos) {
    return false;
  }
  const auto algorithm = [](char c) {
    return isAlnum(c) || c == '+' || c == '.' || c == '_' || c == '-';
  };
  const std::string_view hex = digest.substr(colon + 1);
  return allOf(digest.substr(0, colon), algorithm) && allOf(hex, isLowerHex) && hex.size() >= 32;
}

/// The first component is a host if it could be no path: with a dot, a port, upper case, or
/// `localhost`.
bool looksLikeHost(std::string_view component) {
  return component.find_first_of(".:") != std::string_view::npos || component == "localhost" ||
         component != lower(component);
}

constexpr std::array<std::string_view, 14> kSystems = {
    "aix", "android", "darwin", "dragonfly", "freebsd", "illumos", "ios",
    "js",  "linux",   "netbsd", "openbsd",   "plan9",   "solaris", "windows"};
constexpr std::array<std::string_view, 20> kArchitectures = {
    "386",    "amd64",    "arm",   "arm64",   "loong64", "mips",  "mipsle",
    "mips64", "mips64le", "ppc",   "ppc64",   "ppc64le", "riscv", "riscv64",
    "s390",   "s390x",    "sparc", "sparc64", "wasm",    "armbe"};

template <std::size_t n>
bool isOneOf(const std::array<std::string_view, n>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void normalize(PlatformName& platform) {
  platform.os = lower(platform.os) == "macos" ? "darwin" : lower(platform.os);
  platform.architecture = lower(platform.architecture);
  platform.variant = lower(platform.variant);
  std::string& arch = platform.architecture;
  if (arch == "x86_64" || arch == "x86-64" || arch == "amd64") {
    arch = "amd64";
    platform.variant = platform.variant == "v1" ? "" : platform.variant;
  } else if (arch == "aarch64" || arch == "arm64") {
    arch = "arm64";
    platform.variant = platform.variant == "8" || platform.variant == "v8" ? "" : platform.variant;
  } else if (arch == "i386") {
    arch = "386";
    platform.variant.clear();
  } else if (arch == "armhf" ||
             (arch == "arm" && (platform.variant.empty() || platform.variant == "7"))) {
    arch = "arm";
    platform.variant = "v7";
  } else if (arch == "armel") {
    arch = "arm";
    platform.variant = "v6";
  }
}

}  // namespace

std::string PlatformName::text() const {
  return os + "/" + architecture + (variant.empty() ? "" : "/" + variant);
}

std::optional<PlatformName> parsePlatformName(std::string_view text, const PlatformName& fallback) {
  const std::vector<std::string> parts = splitAt(text, '/');
  const auto allowed = [](char c) { return isAlnum(c) || c == '_' || c == '.' || c == '-'; };
  if (parts.size() > 3 || !std::all_of(parts.begin(), parts.end(),
                                       [&](const auto& part) { return allOf(part, allowed); })) {
    return std::nullopt;
  }
  PlatformName out{parts[0], parts.size() > 1 ? parts[1] : std::string(),
                   parts.size() > 2 ? parts[2] : std::string()};
  if (parts.size() > 1) {
    normalize(out);
    return out;
  }
  PlatformName asArchitecture{fallback.os, parts[0], ""};
  normalize(asArchitecture);
  normalize(out);
  if (isOneOf(kSystems, out.os)) {
    return PlatformName{out.os, fallback.architecture, fallback.variant};
  }
  return isOneOf(kArchitectures, asArchitecture.architecture)
             ? std::optional<PlatformName>(asArchitecture)
             : std::nullopt;
}

bool isImageName(std::string_view text) {
  std::string_view name = text;
  if (const std::size_t at = name.find('@'); at != std::string_view::npos) {
    if (!isDigest(name.substr(at + 1))) {
      return false;
    }
    name = name.substr(0, at);
  }
  const std::size_t lastSlash = name.rfind('/');
  const std::size_t tag = name.find(':', lastSlash == std::string_view::npos ? 0 : lastSlash);
  if (tag != std::string_view::npos) {
    if (!isTag(name.substr(tag + 1))) {
      return false;
    }
    name = name.substr(0, tag);
  }
  if (name.empty() || name.size() > kMaxNameLength ||
      (name.size() == kIdLength && allOf(name, isLowerHex))) {
    return false;
  }
  const std::size_t slash = name.find('/');
  if (slash == std::string_view::npos || slash == 0 || !looksLikeHost(name.substr(0, slash))) {
    return isPath(name);
  }
  return isHost(name.substr(0, slash)) && isPath(name.substr(slash + 1));
}

}  // namespace stagewright::dockerfile
