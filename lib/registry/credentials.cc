#include "lib/registry/credentials.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/base/hash.h"
#include "lib/base/json.h"
#include "lib/http/headers.h"
#include "lib/registry/host_config.h"

namespace stagewright::registry {

namespace {

/// `auth` is base64 of "user:password"; the password may hold colons.
Status parseAuthField(const JsonReader& reader, std::string_view text, Credential& credential) {
  Result<std::string> decoded = fromBase64(http::trim(text));
  const std::size_t colon = decoded ? decoded->find(':') : std::string::npos;
  if (colon == std::string::npos) {
    return reader.error("auth is not base64 of \"user:password\"");
  }
  credential.username = decoded->substr(0, colon);
  credential.password = decoded->substr(colon + 1);
  // Docker pads with zero bytes.
  credential.password.erase(credential.password.find_last_not_of('\0') + 1);
  return ok();
}

Result<Credential> parseCredential(const JsonReader& reader) {
  CHECK_OK(reader.mustBeObject());
  Credential credential;
  TRY(credential.username, reader.string("username", ""));
  TRY(credential.password, reader.string("password", ""));
  TRY(credential.identityToken, reader.string("identitytoken", ""));
  TRY(credential.registryToken, reader.string("registrytoken", ""));
  TRY(std::string auth, reader.string("auth", ""));
  if (credential.username.empty() && !auth.empty()) {
    CHECK_OK(parseAuthField(reader, auth, credential));
  }
  return credential;
}

/// Splits a key of auths into host and path prefix.
std::pair<std::string, std::string> splitKey(std::string_view key) {
  for (const std::string_view scheme :
       {std::string_view("https://"), std::string_view("http://")}) {
    if (key.starts_with(scheme)) {
      key.remove_prefix(scheme.size());
    }
  }
  const std::size_t slash = std::min(key.find('/'), key.size());
  const std::string host = canonicalHost(key.substr(0, slash));
  std::string_view path = key.substr(slash);
  while (path.starts_with('/')) {
    path.remove_prefix(1);
  }
  while (path.ends_with('/')) {
    path.remove_suffix(1);
  }
  if (path == "v1" || path == "v2") {
    path = {};
  }
  return {host, std::string(path)};
}

bool pathMatches(std::string_view prefix, std::string_view path) {
  return prefix.empty() ||
         (path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/'));
}

}  // namespace

Result<Credentials> Credentials::parseDockerConfig(std::string_view text) {
  Result<Json> json = parseJson(text);
  if (!json) {
    return invalid(
        "the docker config is not JSON");  // the parser's message could quote a part of a password
  }
  const JsonReader reader(*json);
  CHECK_OK(reader.mustBeObject());
  TRY(std::optional<JsonReader> auths, reader.optionalObject("auths"));
  Credentials credentials;
  if (!auths) {
    if (reader.has("credHelpers") || reader.has("credsStore")) {
      return invalid(
          "the docker config names credential helpers, which do not run here; it needs auths");
    }
    return invalid("the docker config has no auths");
  }
  for (const auto& [key, value] : auths->value().items()) {
    TRY(Credential credential,
        parseCredential(JsonReader(value, "auths[" + quoted(key, 128) + "]")));
    credentials.add(key, std::move(credential));
  }
  return credentials;
}

void Credentials::add(std::string_view key, Credential credential) {
  auto [host, path] = splitKey(key);
  entries_.push_back({std::move(host), std::move(path), std::move(credential)});
}

void Credentials::append(const Credentials& other) {
  entries_.insert(entries_.end(), other.entries_.begin(), other.entries_.end());
}

std::optional<Credential> Credentials::find(const oci::Repository& repository) const {
  const std::string host = canonicalHost(repository.registry);
  const Entry* best = nullptr;
  for (const Entry& entry : entries_) {
    const bool matches = entry.host == host && pathMatches(entry.pathPrefix, repository.path);
    if (matches && (best == nullptr || entry.pathPrefix.size() > best->pathPrefix.size())) {
      best = &entry;
    }
  }
  return best == nullptr ? std::nullopt : std::optional<Credential>(best->credential);
}

}  // namespace stagewright::registry
