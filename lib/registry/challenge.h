// WWW-Authenticate: what a registry asks for (RFC 9110 section 11, Docker's token specification).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace stagewright::registry {

struct Challenge {
  std::string scheme;                         ///< lower case: bearer, basic
  std::map<std::string, std::string> params;  ///< names in lower case: realm, service, scope, error
};

/// Every challenge of one header value; unreadable rest is dropped. Values may be quoted, with
/// commas inside.
std::vector<Challenge> parseChallenges(std::string_view header);

}  // namespace stagewright::registry
