// One authenticated request to one endpoint: credentials, redirects, errors as codes. No retries.
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "lib/base/clock.h"
#include "lib/http/transport.h"
#include "lib/registry/authenticator.h"
#include "lib/registry/host_config.h"

namespace stagewright::registry {

/// Thread-safe.
class Requester {
 public:
  Requester(http::Transport& transport, Clock& clock, Credentials credentials)
      : transport_(transport), clock_(clock), auth_(transport, clock, std::move(credentials)) {}

  /// Sends, authenticating where asked and following redirects of GET and HEAD. Only 2xx come back
  /// as a response; other statuses are errors (errors.h). A body is rewound before it is sent a
  /// second time. Credentials go to the endpoint's origin only, even if `request.url` (a Location
  /// of an upload) leads elsewhere.
  Result<http::Response> send(const Endpoint& endpoint, const Scopes& scopes, http::Request request,
                              std::stop_token stop);

  Clock& clock() { return clock_; }

 private:
  Result<http::Response> sendAuthorized(const Endpoint& endpoint, const Scopes& scopes,
                                        http::Request& request, std::stop_token stop);

  http::Transport& transport_;
  Clock& clock_;
  Authenticator auth_;
};

Scopes pullScope(const Endpoint& endpoint);
Scopes pushScope(const Endpoint& endpoint);
/// baseUrl/v2/<repository>/<rest>.
std::string apiUrl(const Endpoint& endpoint, std::string_view rest);

}  // namespace stagewright::registry
