// Absolute http and https URLs: parsed, resolved, and redacted for messages.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/error.h"

namespace stagewright::http {

struct Url {
  std::string scheme;    ///< http or https
  std::string userInfo;  ///< as written, without the @
  std::string host;      ///< lower case; an IPv6 address keeps its brackets
  int port = 0;          ///< always set: 80 and 443 by scheme
  std::string path;      ///< begins with /
  std::string query;     ///< without the ?

  /// scheme://host:port, the unit that credentials belong to.
  std::string origin() const;
  /// Without userInfo and with the default port left out.
  std::string str() const;
};

/// kInvalid for anything but an absolute http(s) URL without control characters and blanks.
Result<Url> parseUrl(std::string_view text);
/// What a Location header means (RFC 3986 section 5, without dot segments beyond what servers
/// send).
Result<Url> resolveUrl(const Url& base, std::string_view reference);
/// For messages: without user information, values of the query replaced by `…` except harmless
/// names (digest, mount, from, n, last, scope, service), at most 512 bytes. Works on any text.
std::string redactUrl(std::string_view url);
/// For messages: `Bearer ***`; fields that may carry secrets (authorization, cookies) keep only
/// their scheme.
std::string redactHeader(std::string_view name, std::string_view value);

/// Everything but RFC 3986 unreserved characters becomes %XX.
std::string percentEncode(std::string_view text);
/// Puts `name=value` (value encoded) behind the query.
void addQuery(Url& url, std::string_view name, std::string_view value);

}  // namespace stagewright::http
