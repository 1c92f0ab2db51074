// Users and groups of the image, read from its own /etc/passwd and /etc/group: never by NSS, which
// would ask the builder's libraries.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/layer/tree.h"

namespace stagewright::stage {

/// The two files' texts; a missing file is empty.
struct Accounts {
  std::string passwd;
  std::string group;
  bool hasPasswd = false;
};

/// Files larger than 10 MiB are kInvalid.
Result<Accounts> loadAccounts(layer::Tree& tree);

/// Who a RUN step is.
struct Identity {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;  ///< supplementary, the primary one first
  std::string home = "/";
};

/// The rules of USER for RUN (docs: Dockerfile language, 5.7). kInvalid with BuildKit's text for an
/// unknown name.
Result<Identity> resolveUser(std::string_view user, const Accounts& accounts);

struct Owner {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;

  bool operator==(const Owner&) const = default;
};

/// The rules of --chown and WORKDIR (6.7): a bare number is uid and gid, an unknown name is 0, and
/// `user:` is `user`.
Owner resolveOwner(std::string_view text, const Accounts& accounts);

}  // namespace stagewright::stage
