// The grammar of distribution/reference, by hand: it is small, and std::regex would recurse on
// hostile input.
#include "lib/oci/reference.h"

#include <algorithm>
#include <cctype>

namespace stagewright::oci {

namespace {

constexpr std::size_t kMaxPath = 255;  // distribution/reference, RepositoryNameTotalLengthMax
constexpr std::size_t kMaxTag = 128;
constexpr std::size_t kMaxReference = 1024;  // far above host + path + tag + digest
constexpr std::string_view kDefaultRegistry = "docker.io";
constexpr std::string_view kLegacyRegistry = "index.docker.io";
constexpr std::string_view kOfficial = "library/";

bool isLower(char c) { return c >= 'a' && c <= 'z'; }
bool isUpper(char c) { return c >= 'A' && c <= 'Z'; }
bool isDigit(char c) { return c >= '0' && c <= '9'; }
bool isAlnum(char c) { return isLower(c) || isUpper(c) || isDigit(c); }

Error bad(std::string_view text, std::string_view why) {
  return invalid("invalid reference format: " + quoted(text, 256) + ": " + std::string(why));
}

/// One label of a host name: letters, digits and inner hyphens.
bool isHostLabel(std::string_view label) {
  return !label.empty() && isAlnum(label.front()) && isAlnum(label.back()) &&
         std::all_of(label.begin(), label.end(), [](char c) { return isAlnum(c) || c == '-'; });
}

bool isPort(std::string_view port) {
  return !port.empty() && port.size() <= 5 && std::all_of(port.begin(), port.end(), isDigit);
}

bool isBracketedAddress(std::string_view host) {
  return host.size() > 2 && host.front() == '[' && host.back() == ']' &&
         std::all_of(host.begin() + 1, host.end() - 1, [](char c) {
           return std::isxdigit(static_cast<unsigned char>(c)) != 0 || c == ':';
         });
}

bool isDottedName(std::string_view host) {
  while (true) {
    const std::size_t dot = host.find('.');
    if (!isHostLabel(host.substr(0, dot))) {
      return false;
    }
    if (dot == std::string_view::npos) {
      return true;
    }
    host.remove_prefix(dot + 1);
  }
}

bool isRegistry(std::string_view text) {
  const std::size_t bracket = text.rfind(']');
  const std::size_t from = bracket == std::string_view::npos ? 0 : bracket;
  const std::size_t colon = text.find(':', from);
  if (colon != std::string_view::npos && !isPort(text.substr(colon + 1))) {
    return false;
  }
  const std::string_view host = text.substr(0, colon);
  return isBracketedAddress(host) || isDottedName(host);
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
bool isPathComponent(std::string_view part) {
  std::size_t i = 0;
  while (true) {
    const std::size_t begin = i;
    while (i < part.size() && (isLower(part[i]) || isDigit(part[i]))) {
      ++i;
    }
    if (i == begin) {
      return false;
    }
    if (i == part.size()) {
      return true;
    }
    const char separator = part[i];
    std::size_t run = 0;
    while (i < part.size() && part[i] == separator) {
      ++i;
      ++run;
    }
    const bool allowed =
        separator == '-' || (separator == '.' && run == 1) || (separator == '_' && run <= 2);
    if (!allowed) {
      return false;
    }
  }
}

Status checkPath(std::string_view text, std::string_view path) {
  if (path.empty()) {
    return bad(text, "the repository name is empty");
  }
  if (path.size() > kMaxPath) {
    return bad(text, "the repository name is longer than 255 characters");
  }
  if (std::any_of(path.begin(), path.end(), isUpper)) {
    // The wording that BuildKit's users know (and that Dockerfile error messages quote).
    const bool isShort = path.find('/') == std::string_view::npos && text.substr(0, path.size()) == path;
    return invalid("invalid reference format: repository name (" + std::string(isShort ? "library/" : "") +
                   std::string(path) + ") must be lowercase");
  }
  std::size_t begin = 0;
  while (begin <= path.size()) {
    const std::size_t slash = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, slash - begin);
    if (part.empty()) {
      return bad(text, "a component of the repository name is empty");
    }
    if (!isPathComponent(part)) {
      return bad(text, "component " + quoted(part, 128) +
                           " may hold only a-z, 0-9 and, between them, '.', '_', '__' or '-'");
    }
    begin = slash + 1;
  }
  return ok();
}

/// Docker's rule for what the first component is.
bool namesRegistry(std::string_view first) {
  return first == "localhost" || first.find_first_of(".:[") != std::string_view::npos;
}

Result<Repository> parseName(std::string_view text, std::string_view name) {
  Repository out;
  const std::size_t slash = name.find('/');
  std::string_view path = name;
  if (slash != std::string_view::npos && namesRegistry(name.substr(0, slash))) {
    out.registry = std::string(name.substr(0, slash));
    path = name.substr(slash + 1);
    if (!isRegistry(out.registry)) {
      return bad(text, "invalid registry host " + quoted(out.registry, 256));
    }
  }
  if (out.registry.empty() || out.registry == kLegacyRegistry) {
    out.registry = std::string(kDefaultRegistry);
  }
  CHECK_OK(checkPath(text, path));
  const bool official =
      out.registry == kDefaultRegistry && path.find('/') == std::string_view::npos;
  out.path = (official ? std::string(kOfficial) : std::string()) + std::string(path);
  return out;
}

bool isImageId(std::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return isDigit(c) || (c >= 'a' && c <= 'f');
         });
}

}  // namespace

bool isValidTag(std::string_view tag) {
  return !tag.empty() && tag.size() <= kMaxTag && (isAlnum(tag.front()) || tag.front() == '_') &&
         std::all_of(tag.begin(), tag.end(),
                     [](char c) { return isAlnum(c) || c == '_' || c == '.' || c == '-'; });
}

std::string Reference::str() const {
  std::string out = repository.str();
  if (tag) {
    out += ":" + *tag;
  }
  if (digest) {
    out += "@" + digest->str();
  }
  return out;
}

Result<Reference> parseReference(std::string_view text) {
  if (text.empty() || text.size() > kMaxReference) {
    return bad(text, text.empty() ? "it is empty" : "it is longer than 1024 characters");
  }
  if (isImageId(text)) {
    return bad(text, "cannot specify 64-byte hexadecimal strings");
  }
  Reference out;
  std::string_view name = text;
  if (const std::size_t at = name.find('@'); at != std::string_view::npos) {
    auto digest = Digest::parse(name.substr(at + 1));
    if (!digest) {
      return bad(text, digest.error().message);
    }
    out.digest = *std::move(digest);
    name = name.substr(0, at);
  }
  const std::size_t slash = name.rfind('/');
  const std::size_t colon = name.find(':', slash == std::string_view::npos ? 0 : slash);
  TRY(out.repository, parseName(text, name.substr(0, colon)));  // of a name that is wrong twice, this is said
  if (colon != std::string_view::npos) {
    const std::string_view tag = name.substr(colon + 1);
    if (!isValidTag(tag)) {
      return bad(text, "invalid tag " + quoted(tag, 160));
    }
    out.tag = std::string(tag);
  }
  return out;
}

Result<Repository> parseRepository(std::string_view text) {
  TRY(Reference reference, parseReference(text));
  if (reference.tag || reference.digest) {
    return bad(text, "expected a repository without tag and digest");
  }
  return std::move(reference.repository);
}

}  // namespace stagewright::oci
