// The exchange with a token server, as values: which request, and what its answer means.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/http/transport.h"
#include "lib/registry/challenge.h"
#include "lib/registry/credentials.h"
#include "lib/registry/host_config.h"

namespace stagewright::registry {

/// GET realm?service=…&scope=…, with Basic if there is a password (Docker's token specification).
Result<http::Request> makeTokenGet(const Endpoint& endpoint, const Challenge& challenge,
                                   const std::vector<std::string>& scopes,
                                   const std::optional<Credential>& credential);
/// The form of an OAuth2 POST: with an identity token (grant_type=refresh_token) or a password.
std::string makeTokenForm(const Challenge& challenge, const std::vector<std::string>& scopes,
                          const Credential& credential);
/// kInvalid: no realm, or a realm that would send the password in the clear although the registry
/// speaks TLS.
Result<http::Request> makeTokenPost(const Endpoint& endpoint, const Challenge& challenge);

struct TokenAnswer {
  std::string token;
  Millis lifetime{60'000};  ///< 60 s where the server does not say, as the specification has it
};
Result<TokenAnswer> parseTokenAnswer(std::string_view body);

std::string basicAuthorization(const Credential& credential);

}  // namespace stagewright::registry
