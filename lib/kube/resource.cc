#include "lib/kube/resource.h"

namespace stagewright::kube {

namespace {
bool isUnreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

void appendPart(std::string& path, std::string_view part) {
  if (!part.empty()) {
    path += "/" + percentEncode(part);
  }
}
}  // namespace

std::string percentEncode(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (isUnreserved(c)) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  }
  return out;
}

std::string resourcePath(const Resource& resource, std::string_view ns, std::string_view name,
                         std::string_view subresource) {
  std::string path = resource.group.empty() ? "/api" : "/apis";
  appendPart(path, resource.group);
  appendPart(path, resource.version);
  if (resource.namespaced && !ns.empty()) {
    path += "/namespaces";
    appendPart(path, ns);
  }
  appendPart(path, resource.plural);
  appendPart(path, name);
  appendPart(path, subresource);
  return path;
}

std::string queryText(const Query& query) {
  std::string out;
  for (const auto& [key, value] : query) {
    if (!value.empty()) {
      out += (out.empty() ? "?" : "&") + std::string(key) + "=" + percentEncode(value);
    }
  }
  return out;
}

bool isAtLeast(std::string_view version, std::string_view wanted) {
  return version.size() != wanted.size() ? version.size() > wanted.size() : version >= wanted;
}

}  // namespace stagewright::kube
