// Authentication with registries: Basic, and bearer tokens by Docker's token specification and
// OAuth2.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/base/guarded.h"
#include "lib/http/transport.h"
#include "lib/registry/challenge.h"
#include "lib/registry/credentials.h"
#include "lib/registry/host_config.h"

namespace stagewright::registry {

/// `repository:<path>:pull` or `repository:<path>:pull,push`.
using Scopes = std::vector<std::string>;

/// Remembers what each registry asked for and the tokens it got. Thread-safe.
class Authenticator {
 public:
  Authenticator(http::Transport& transport, Clock& clock, Credentials credentials)
      : transport_(transport), clock_(clock), credentials_(std::move(credentials)) {}

  /// The Authorization value to begin with; empty until the registry has asked for one. Fetches a
  /// token if it knows where but has none that is still good.
  Result<std::string> authorization(const Endpoint& endpoint, const Scopes& scopes,
                                    std::stop_token stop);
  /// After a 401 to a request that was sent with `used`: the value for a second try. kDenied if
  /// there is nothing better to offer; the message says why.
  Result<std::string> answerChallenge(const Endpoint& endpoint, const Scopes& scopes,
                                      const http::Response& response, const std::string& used,
                                      std::stop_token stop);

 private:
  struct Token {
    std::string value;
    SteadyPoint expires;
  };
  struct State {
    std::map<std::string, Challenge> challenges;                  ///< by endpoint
    std::map<std::pair<std::string, std::string>, Token> tokens;  ///< by endpoint and scopes
  };

  Result<std::string> answer(const Endpoint& endpoint, const Scopes& scopes,
                             const Challenge& challenge, std::stop_token stop);
  Result<std::string> bearer(const Endpoint& endpoint, const Scopes& scopes,
                             const Challenge& challenge, std::stop_token stop);
  Result<Token> fetchToken(const Endpoint& endpoint, const Scopes& scopes,
                           const Challenge& challenge, std::stop_token stop);
  std::optional<Credential> credentialFor(const Endpoint& endpoint) const;

  http::Transport& transport_;
  Clock& clock_;
  Credentials credentials_;
  Guarded<State> state_;
};

}  // namespace stagewright::registry
