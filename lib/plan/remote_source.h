// What a source of ADD is: a path, a URL to download or a git repository (reference
// sections 6.12, 6.13). Internal to lib/plan.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/base/error.h"

namespace stagewright::plan {

/// A git source, taken apart.
struct GitRef {
  std::string remote;  ///< without fragment and query
  std::string ref;     ///< branch, tag, commit; empty: the remote's HEAD
  std::string subdir;
  std::string checksum;  ///< the commit, or a prefix of it
  std::optional<bool> keepGitDir;
  std::optional<bool> submodules;
  bool commitTime = false;  ///< of the files, rather than the checkout's
};

/// Nothing if the text is no git source. Errors: kInvalid for a bad query, worded as section 6.13.
Result<std::optional<GitRef>> parseGitRef(std::string_view text);

/// http:// or https:// and no git source.
bool isUrl(std::string_view text);

/// Name of what an URL delivers: the last component of its path, `__unnamed__` if it has none
/// (section 6.12).
std::string fileNameOfUrl(std::string_view url);

}  // namespace stagewright::plan
