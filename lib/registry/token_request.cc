#include "lib/registry/token_request.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/base/hash.h"
#include "lib/base/json.h"
#include "lib/http/url.h"

namespace stagewright::registry {

namespace {

constexpr std::string_view kClientId = "stagewright";

std::string paramOf(const Challenge& challenge, const std::string& name) {
  auto it = challenge.params.find(name);
  return it == challenge.params.end() ? "" : it->second;
}

std::string joinScopes(const std::vector<std::string>& scopes) {
  std::string joined;
  for (const std::string& scope : scopes) {
    joined += (joined.empty() ? "" : " ") + scope;
  }
  return joined;
}

/// The realm is the registry's word: it must not lead a password out of TLS, and another host is
/// always verified.
Result<http::Url> realmUrl(const Endpoint& endpoint, const Challenge& challenge,
                           http::Request& request) {
  TRY(http::Url registry, http::parseUrl(endpoint.baseUrl));
  Result<http::Url> realm = http::parseUrl(paramOf(challenge, "realm"));
  if (!realm) {
    return std::move(realm).error().during("token realm of " + endpoint.host);
  }
  if (registry.scheme == "https" && realm->scheme == "http") {
    return invalid("token realm of " + endpoint.host +
                   " is plain HTTP: " + http::redactUrl(realm->str()));
  }
  request.tls = endpoint.tls;
  request.tls.verify = endpoint.tls.verify || realm->host != registry.host;
  request.timeouts.idle = Millis(30'000);
  request.timeouts.total = Millis(60'000);
  return realm;
}

}  // namespace

std::string basicAuthorization(const Credential& credential) {
  return "Basic " + toBase64(credential.username + ":" + credential.password);
}

Result<http::Request> makeTokenGet(const Endpoint& endpoint, const Challenge& challenge,
                                   const std::vector<std::string>& scopes,
                                   const std::optional<Credential>& credential) {
  http::Request request;
  TRY(http::Url url, realmUrl(endpoint, challenge, request));
  if (const std::string service = paramOf(challenge, "service"); !service.empty()) {
    http::addQuery(url, "service", service);
  }
  for (const std::string& scope : scopes) {
    http::addQuery(url, "scope", scope);
  }
  if (credential && !credential->username.empty()) {
    http::addQuery(url, "account", credential->username);
    request.headers.set("Authorization", basicAuthorization(*credential));
  }
  request.url = url.str();
  return request;
}

Result<http::Request> makeTokenPost(const Endpoint& endpoint, const Challenge& challenge) {
  http::Request request;
  TRY(http::Url url, realmUrl(endpoint, challenge, request));
  request.method = "POST";
  request.url = url.str();
  request.headers.set("Content-Type", "application/x-www-form-urlencoded");
  return request;
}

std::string makeTokenForm(const Challenge& challenge, const std::vector<std::string>& scopes,
                          const Credential& credential) {
  std::string form = "client_id=" + std::string(kClientId);
  form += "&service=" + http::percentEncode(paramOf(challenge, "service"));
  form += "&scope=" + http::percentEncode(joinScopes(scopes));
  if (!credential.identityToken.empty()) {
    return form + "&grant_type=refresh_token&refresh_token=" +
           http::percentEncode(credential.identityToken);
  }
  return form + "&grant_type=password&username=" + http::percentEncode(credential.username) +
         "&password=" + http::percentEncode(credential.password);
}

Result<TokenAnswer> parseTokenAnswer(std::string_view body) {
  Result<Json> json = parseJson(body);
  if (!json) {
    return invalid("the token server's answer is not JSON");  // it may hold a token: not quoted
  }
  const JsonReader reader(*json);
  CHECK_OK(reader.mustBeObject());
  TokenAnswer answer;
  TRY(answer.token, reader.string("token", ""));
  if (answer.token.empty()) {
    TRY(answer.token, reader.string("access_token", ""));
  }
  if (answer.token.empty()) {
    return invalid("the token server's answer has no token");
  }
  TRY(std::int64_t seconds, reader.integer("expires_in", 60));
  answer.lifetime = Millis(std::clamp<std::int64_t>(seconds, 60, 86'400) * 1000);
  return answer;
}

}  // namespace stagewright::registry
