// Which paths of the context the steps of a plan read, found by walking the real tree: wildcards,
// and links in sources, which COPY follows inside the context.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "builder-pod/prepare/refusal.h"
#include "lib/base/error.h"

namespace stagewright::prepare {

/// Paths relative to the context, without slashes at their ends; "" is the context itself.
class ContextSelection {
 public:
  /// Adds what `pattern` (§6.1, §6.4: relative, a leading slash means the same) names below `root`.
  /// False if it names nothing. A link that is named, or lies on the way, is selected together with
  /// what it points to; links are resolved with the context as root, as COPY does, so no target
  /// lies outside.
  bool add(int root, const std::string& pattern);

  /// `path` itself or a directory above it was selected.
  bool covers(const std::string& path) const;
  /// Something below the directory `path` was selected.
  bool hasBelow(const std::string& path) const;
  bool empty() const { return paths_.empty(); }

 private:
  bool match(int root, const std::string& directory, std::vector<std::string> rest, int links);
  bool matchName(int root, const std::string& directory, const std::string& name,
                 std::vector<std::string> rest, int links);
  bool follow(int root, const std::string& directory, const std::string& link,
              std::vector<std::string> rest, int links);

  std::set<std::string> paths_;
};

}  // namespace stagewright::prepare
