// A git repository as a directory of this build.
#pragma once

#include <string>

#include "lib/base/error.h"
#include "local/store.h"

namespace stagewright::local {

struct GitCheckout {
  std::string directory;  ///< with .git in it
  std::string commit;
};

/// `ref`: a commit, `refs/heads/…`, `refs/tags/…`, or the name of a branch, else of a tag; empty: the remote's HEAD.
Result<GitCheckout> checkOutGit(const std::string& url, const std::string& ref, Store& store);

}  // namespace stagewright::local
