#include "lib/registry/requester.h"

#include "lib/http/redirect.h"
#include "lib/http/url.h"
#include "lib/registry/errors.h"

namespace stagewright::registry {

namespace {

/// For requests whose answer is small: a server that drips must not hold us for ever.
constexpr Millis kSmallTotal{600'000};

}  // namespace

Scopes pullScope(const Endpoint& endpoint) {
  return {"repository:" + endpoint.repository + ":pull"};
}

Scopes pushScope(const Endpoint& endpoint) {
  return {"repository:" + endpoint.repository + ":pull,push"};
}

std::string apiUrl(const Endpoint& endpoint, std::string_view rest) {
  return endpoint.baseUrl + "/v2/" + endpoint.repository + "/" + std::string(rest);
}

Result<http::Response> Requester::sendAuthorized(const Endpoint& endpoint, const Scopes& scopes,
                                                 http::Request& request, std::stop_token stop) {
  TRY(std::string authorization, auth_.authorization(endpoint, scopes, stop));
  if (!authorization.empty()) {
    request.headers.set("Authorization", authorization);
  }
  TRY(http::Response response, transport_.send(request, stop));
  if (response.status != 401) {
    return response;
  }
  Result<std::string> second =
      auth_.answerChallenge(endpoint, scopes, response, authorization, stop);
  if (!second) {
    // The registry's own words say more than ours when it refused what we had.
    Error refused = makeStatusError(http::describe(request), response, clock_.now());
    refused.code = second.error().code;
    refused.retryAfter = second.error().retryAfter;
    refused.message += " (" + second.error().message + ")";
    return refused;
  }
  request.headers.set("Authorization", *second);
  if (request.body != nullptr) {
    CHECK_OK(request.body->rewind());
  }
  return transport_.send(request, stop);
}

Result<http::Response> Requester::send(const Endpoint& endpoint, const Scopes& scopes,
                                       http::Request request, std::stop_token stop) {
  TRY(http::Url base, http::parseUrl(endpoint.baseUrl));
  TRY(http::Url url, http::parseUrl(request.url));
  const bool ours = url.origin() == base.origin();
  if (request.timeouts.total == Millis(0) && !request.sink && request.body == nullptr) {
    request.timeouts.total = kSmallTotal;
  }
  request.tls = endpoint.tls;
  request.tls.verify = endpoint.tls.verify || !ours;
  TRY(http::Response response,
      ours ? sendAuthorized(endpoint, scopes, request, stop) : transport_.send(request, stop));
  TRY(std::optional<http::Request> next, http::planRedirect(request, response));
  if (next) {
    request = *next;
    TRY(response, http::sendFollowing(transport_, std::move(*next), stop));
  }
  if (response.status < 200 || response.status > 299) {
    return makeStatusError(http::describe(request), response, clock_.now());
  }
  return response;
}

}  // namespace stagewright::registry
