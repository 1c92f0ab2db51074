// How values of Secrets come to the executor of a stage: the container `secrets` of its pod, which
// alone mounts them, copies them to a volume in memory and says in its last file what is there.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/json.h"

namespace stagewright::plan {

/// One key of a Secret that a stage may see. The i-th of a list is mounted as kGrantsDir/<i>/value.
struct SecretGrant {
  enum class Kind { kSecret, kSsh };
  Kind kind = Kind::kSecret;
  std::string id;          ///< in the Dockerfile
  std::string secretName;  ///< for messages, as is `key`
  std::string key;
};

Json toJson(const std::vector<SecretGrant>& grants);
Result<std::vector<SecretGrant>> parseGrants(std::string_view text);

/// kHandOverFile, put there by renaming when everything else is.
struct HandOver {
  struct Item {
    SecretGrant::Kind kind = SecretGrant::Kind::kSecret;
    std::string id;
    std::string file;  ///< its name beside kHandOverFile: digits
  };
  std::vector<Item> items;
  std::string problem;  ///< a sentence that names what does not exist; then there are no items
};

inline constexpr std::string_view kHandOverFile = "handover.json";

Json toJson(const HandOver& handOver);
Result<HandOver> parseHandOver(std::string_view text);

}  // namespace stagewright::plan
