#include "lib/registry/authenticator.h"

#include "lib/registry/errors.h"
#include "lib/registry/token_request.h"

namespace stagewright::registry {

namespace {

std::string scopeKey(const Scopes& scopes) {
  std::string key;
  for (const std::string& scope : scopes) {
    key += scope + " ";
  }
  return key;
}

/// Bearer before Basic: registries that offer both want their own token service to be used.
std::optional<Challenge> chooseChallenge(const http::Response& response) {
  std::optional<Challenge> chosen;
  for (const std::string& header : response.headers.all("WWW-Authenticate")) {
    for (Challenge& challenge : parseChallenges(header)) {
      if (challenge.scheme == "bearer" || (challenge.scheme == "basic" && !chosen)) {
        chosen = std::move(challenge);
      }
    }
  }
  return chosen;
}

}  // namespace

std::optional<Credential> Authenticator::credentialFor(const Endpoint& endpoint) const {
  return credentials_.find({endpoint.host, endpoint.repository});
}

Result<std::string> Authenticator::authorization(const Endpoint& endpoint, const Scopes& scopes,
                                                 std::stop_token stop) {
  std::optional<Challenge> known;
  {
    auto state = state_.lock();
    if (auto it = state->challenges.find(endpoint.baseUrl); it != state->challenges.end()) {
      known = it->second;
    }
  }
  if (!known || (known->scheme == "basic" && !credentialFor(endpoint))) {
    return std::string();
  }
  return answer(endpoint, scopes, *known, stop);
}

Result<std::string> Authenticator::answerChallenge(const Endpoint& endpoint, const Scopes& scopes,
                                                   const http::Response& response,
                                                   const std::string& used, std::stop_token stop) {
  const std::optional<Challenge> challenge = chooseChallenge(response);
  if (!challenge) {
    return denied("401 from " + endpoint.host + " without a challenge that we understand");
  }
  {
    auto state = state_.lock();
    state->challenges[endpoint.baseUrl] = *challenge;
    state->tokens.erase({endpoint.baseUrl, scopeKey(scopes)});
  }
  TRY(std::string value, answer(endpoint, scopes, *challenge, stop));
  if (value == used) {
    return denied(endpoint.host + " refuses the credentials");
  }
  return value;
}

Result<std::string> Authenticator::answer(const Endpoint& endpoint, const Scopes& scopes,
                                          const Challenge& challenge, std::stop_token stop) {
  if (challenge.scheme == "bearer") {
    return bearer(endpoint, scopes, challenge, stop);
  }
  const std::optional<Credential> credential = credentialFor(endpoint);
  if (!credential || credential->username.empty()) {
    return denied(endpoint.host + " asks for a user name and password and there are none for it");
  }
  return basicAuthorization(*credential);
}

Result<std::string> Authenticator::bearer(const Endpoint& endpoint, const Scopes& scopes,
                                          const Challenge& challenge, std::stop_token stop) {
  const std::optional<Credential> credential = credentialFor(endpoint);
  if (credential && !credential->registryToken.empty()) {
    return "Bearer " + credential->registryToken;
  }
  const std::pair<std::string, std::string> key(endpoint.baseUrl, scopeKey(scopes));
  {
    auto state = state_.lock();
    auto it = state->tokens.find(key);
    if (it != state->tokens.end() && clock_.steadyNow() < it->second.expires) {
      return "Bearer " + it->second.value;
    }
  }
  TRY(Token token, fetchToken(endpoint, scopes, challenge, stop));
  const std::string value = "Bearer " + token.value;
  state_.lock()->tokens[key] = std::move(token);
  return value;
}

Result<Authenticator::Token> Authenticator::fetchToken(const Endpoint& endpoint,
                                                       const Scopes& scopes,
                                                       const Challenge& challenge,
                                                       std::stop_token stop) {
  const std::optional<Credential> credential = credentialFor(endpoint);
  const bool post = credential && !credential->identityToken.empty();
  TRY(http::Request request, post ? makeTokenPost(endpoint, challenge)
                                  : makeTokenGet(endpoint, challenge, scopes, credential));
  std::optional<http::StringSource> form;
  if (post) {
    request.body = &form.emplace(makeTokenForm(challenge, scopes, *credential));
  }
  const SteadyPoint asked = clock_.steadyNow();
  TRY(http::Response response, transport_.send(request, stop));
  // Servers with OAuth2 only know no GET.
  if (!post && credential && (response.status == 404 || response.status == 405)) {
    TRY(request, makeTokenPost(endpoint, challenge));
    request.body = &form.emplace(makeTokenForm(challenge, scopes, *credential));
    TRY(response, transport_.send(request, stop));
  }
  if (response.status != 200) {
    return makeStatusError("fetch token for " + endpoint.host + ": " + http::describe(request),
                           response, clock_.now());
  }
  Result<TokenAnswer> answered = parseTokenAnswer(response.body);
  if (!answered) {
    return std::move(answered).error().during(http::describe(request));
  }
  // A tenth earlier, so that it does not expire on the way.
  return Token{answered->token, asked + answered->lifetime * 9 / 10};
}

}  // namespace stagewright::registry
