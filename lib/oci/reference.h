// Image references, by the grammar of distribution/reference.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/base/error.h"
#include "lib/oci/digest.h"

namespace stagewright::oci {

/// registry host + repository path. `golang` is docker.io/library/golang.
struct Repository {
  std::string registry;  ///< host or host:port, e.g. `docker.io`, `10.89.0.1:5001`
  std::string path;      ///< e.g. `library/golang`

  std::string str() const { return registry + "/" + path; }
  bool operator==(const Repository&) const = default;
};

/// A parsed reference: name, then tag and/or digest. Without either, `latest` is meant: see tagOrLatest().
struct Reference {
  Repository repository;
  std::optional<std::string> tag;
  std::optional<Digest> digest;

  /// Normal form with registry: `docker.io/library/golang:1.22@sha256:…`.
  std::string str() const;
  std::string tagOrLatest() const { return tag.value_or("latest"); }
  /// The same repository pinned to `d`, without tag: what a pod's image field gets.
  std::string pinned(const Digest& d) const { return repository.str() + "@" + d.str(); }
};

/// Familiar names (`golang`, `golang:1.22`, `user/app`) are completed as Docker does it: the first component is a host
/// only if it has a `.` or `:` or is `localhost`. Errors: kInvalid, naming what is wrong (upper case, empty part, …).
Result<Reference> parseReference(std::string_view text);

/// A repository without tag or digest.
Result<Repository> parseRepository(std::string_view text);

bool isValidTag(std::string_view tag);

}  // namespace stagewright::oci
