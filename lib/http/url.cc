#include "lib/http/url.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "lib/http/headers.h"

namespace stagewright::http {

namespace {

constexpr std::size_t kMaxUrl = 8192;
constexpr std::size_t kMaxRedacted = 512;
constexpr std::array<std::string_view, 8> kHarmlessNames = {
    "digest", "mount", "from", "n", "last", "service", "scope", "account"};

int defaultPort(std::string_view scheme) { return scheme == "https" ? 443 : 80; }

bool isHostCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

Result<int> parsePort(std::string_view text) {
  int port = 0;
  auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (ec != std::errc() || end != text.data() + text.size() || port < 1 || port > 65535) {
    return invalid("port " + quoted(text, 16) + " is not a number from 1 to 65535");
  }
  return port;
}

Status parseHost(std::string_view text, Url& url) {
  std::size_t hostEnd;
  if (!text.empty() && text.front() == '[') {
    hostEnd = text.find(']');
    const std::string_view inner =
        text.substr(1, hostEnd == std::string_view::npos ? 0 : hostEnd - 1);
    if (inner.empty() ||
        inner.find_first_not_of("0123456789abcdefABCDEF:.") != std::string_view::npos) {
      return invalid("bad IPv6 address in host");
    }
    ++hostEnd;
  } else {
    hostEnd = std::min(text.find(':'), text.size());
  }
  url.host = toLower(text.substr(0, hostEnd));
  if (url.host.empty()) {
    return invalid("the host is missing");
  }
  if (url.host.front() != '[' && !std::all_of(url.host.begin(), url.host.end(), isHostCharacter)) {
    return invalid("host " + quoted(url.host, 128) + " has a character that no host name has");
  }
  url.port = defaultPort(url.scheme);
  if (hostEnd < text.size()) {
    if (text[hostEnd] != ':') {
      return invalid("bad host");
    }
    TRY(url.port, parsePort(text.substr(hostEnd + 1)));
  }
  return ok();
}

/// RFC 3986 section 5.2.4.
std::string removeDotSegments(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    const std::size_t slash = path.find('/', 1);
    const std::string_view segment = path.substr(0, slash);
    path.remove_prefix(segment.size());
    const bool last = path.empty();
    if (segment == "/." || segment == "/..") {
      if (segment == "/..") {
        out.erase(std::min(out.rfind('/'), out.size()));
      }
      out += last ? "/" : "";
    } else {
      out += segment;
    }
  }
  return out;
}

void splitPath(std::string_view rest, Url& url) {
  rest = rest.substr(0, rest.find('#'));
  const std::size_t question = rest.find('?');
  url.path = std::string(rest.substr(0, question));
  if (url.path.empty()) {
    url.path = "/";
  }
  url.query = question == std::string_view::npos ? "" : std::string(rest.substr(question + 1));
}

std::string redactQuery(std::string_view query) {
  std::string out;
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    const std::size_t equals = pair.find('=');
    const std::string_view name = pair.substr(0, equals);
    const bool harmless =
        std::find(kHarmlessNames.begin(), kHarmlessNames.end(), name) != kHarmlessNames.end();
    out += out.empty() ? "" : "&";
    out +=
        harmless || equals == std::string_view::npos ? std::string(pair) : std::string(name) + "=…";
  }
  return out;
}

}  // namespace

std::string Url::origin() const { return scheme + "://" + host + ":" + std::to_string(port); }

std::string Url::str() const {
  std::string out = scheme + "://" + host;
  if (port != defaultPort(scheme)) {
    out += ":" + std::to_string(port);
  }
  return out + path + (query.empty() ? "" : "?" + query);
}

Result<Url> parseUrl(std::string_view text) {
  if (text.size() > kMaxUrl) {
    return invalid("URL is longer than 8192 bytes");
  }
  if (std::any_of(text.begin(), text.end(),
                  [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f; })) {
    return invalid("URL " + quoted(redactUrl(text)) + " has a blank or a control character");
  }
  Url url;
  const std::size_t colon = text.find("://");
  url.scheme = toLower(text.substr(0, colon));
  if (colon == std::string_view::npos || (url.scheme != "http" && url.scheme != "https")) {
    return invalid("URL " + quoted(redactUrl(text)) + " does not begin with http:// or https://");
  }
  text.remove_prefix(colon + 3);
  const std::size_t authorityEnd = std::min(text.find_first_of("/?#"), text.size());
  std::string_view authority = text.substr(0, authorityEnd);
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    url.userInfo = std::string(authority.substr(0, at));
    authority.remove_prefix(at + 1);
  }
  if (Status host = parseHost(authority, url); !host) {
    return std::move(host).error().during(
        "URL " + quoted(redactUrl(url.scheme + "://" + std::string(authority))));
  }
  splitPath(text.substr(authorityEnd), url);
  return url;
}

Result<Url> resolveUrl(const Url& base, std::string_view reference) {
  const std::size_t colon = reference.find(':');
  if (colon != std::string_view::npos && colon < reference.find_first_of("/?#")) {
    return parseUrl(reference);
  }
  if (reference.starts_with("//")) {
    return parseUrl(base.scheme + ":" + std::string(reference));
  }
  Url url = base;
  url.path.clear();
  url.query.clear();
  if (reference.starts_with("/")) {
    return parseUrl(
        url.str() + removeDotSegments(reference.substr(0, reference.find_first_of("?#"))) +
        std::string(reference.substr(std::min(reference.find_first_of("?#"), reference.size()))));
  }
  const std::size_t end = std::min(reference.find_first_of("?#"), reference.size());
  const std::string merged = end == 0
                                 ? base.path
                                 : removeDotSegments(base.path.substr(0, base.path.rfind('/') + 1) +
                                                     std::string(reference.substr(0, end)));
  return parseUrl(url.str() + merged + std::string(reference.substr(end)));
}

std::string redactUrl(std::string_view url) {
  std::string out;
  const std::size_t scheme = url.find("://");
  if (scheme != std::string_view::npos) {
    out = std::string(url.substr(0, scheme + 3));
    url.remove_prefix(scheme + 3);
  }
  const std::string_view authority = url.substr(0, std::min(url.find_first_of("/?#"), url.size()));
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    url.remove_prefix(at + 1);
  }
  url = url.substr(0, url.find('#'));
  const std::size_t question = url.find('?');
  out += url.substr(0, question);
  if (question != std::string_view::npos) {
    out += "?" + redactQuery(url.substr(question + 1));
  }
  return out.size() > kMaxRedacted ? out.substr(0, kMaxRedacted) + "…" : out;
}

std::string redactHeader(std::string_view name, std::string_view value) {
  constexpr std::array<std::string_view, 5> kSecret = {"authorization", "proxy-authorization",
                                                       "cookie", "set-cookie", "x-registry-auth"};
  if (std::find(kSecret.begin(), kSecret.end(), toLower(name)) == kSecret.end()) {
    return std::string(value);
  }
  const std::size_t blank = value.find(' ');
  return blank == std::string_view::npos ? "***" : std::string(value.substr(0, blank)) + " ***";
}

std::string percentEncode(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
        std::string_view("-._~").find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += '%';
      out += kDigits[u >> 4];
      out += kDigits[u & 15];
    }
  }
  return out;
}

void addQuery(Url& url, std::string_view name, std::string_view value) {
  url.query += (url.query.empty() ? "" : "&") + std::string(name) + "=" + percentEncode(value);
}

}  // namespace stagewright::http
