// Credentials out of a docker config.json (a Secret of type kubernetes.io/dockerconfigjson).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/error.h"
#include "lib/oci/reference.h"

namespace stagewright::registry {

struct Credential {
  std::string username;
  std::string password;
  std::string identityToken;  ///< an OAuth2 refresh token, instead of the password
  std::string registryToken;  ///< a bearer token to send as it is

  bool operator==(const Credential&) const = default;
};

/// A list of (host with optional path prefix, credential).
class Credentials {
 public:
  /// kInvalid says what is wrong without repeating any of the contents. Credential helpers are
  /// refused, not run.
  static Result<Credentials> parseDockerConfig(std::string_view text);

  void add(std::string_view key, Credential credential);
  /// Appends: entries of `other` are asked after ours.
  void append(const Credentials& other);
  /// The entry with the longest matching path prefix; the first of equals, as the kubelet orders
  /// them. `https://`,
  /// `/v1/` and `/v2/` in keys are ignored; index.docker.io and registry-1.docker.io mean
  /// docker.io.
  std::optional<Credential> find(const oci::Repository& repository) const;
  bool empty() const { return entries_.empty(); }

 private:
  struct Entry {
    std::string host;
    std::string pathPrefix;  ///< without slashes at its ends
    Credential credential;
  };
  std::vector<Entry> entries_;
};

}  // namespace stagewright::registry
