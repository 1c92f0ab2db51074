// Which paths of the context the steps of a plan read, found by walking the real tree: wildcards,
// and links in sources, which COPY follows inside the context.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "builder-pod/prepare/refusal.h"
#include "lib/base/error.h"
#include "lib/plan/context_use.h"

namespace stagewright::prepare {

/// Paths relative to the context, without slashes at their ends; "" is the context itself.
class ContextSelection {
 public:
  /// Adds what `use` (§6.1, §6.4) names below `root`, with everything below it. False if it names
  /// nothing. A link that is named, or lies on the way, is selected together with what it points
  /// to; links are resolved with the context as root, as COPY does, so no target lies outside.
  bool add(int root, const plan::ContextUse& use);

  /// `path` itself or a directory above it was selected.
  bool covers(const std::string& path) const;
  /// Something below the directory `path` was selected.
  bool hasBelow(const std::string& path) const;

 private:
  struct Component {
    std::string name;
    bool pattern = false;
    bool doubleStar = false;  ///< any number of directories: the whole tree from here on is taken
  };
  using Components = std::vector<Component>;

  static std::string keyOf(const std::string& directory, const Components& rest);
  static Components componentsOf(std::string_view path, const plan::ContextUse* use);
  bool match(int root, const std::string& directory, const Components& rest, int links);
  bool matchFirst(int root, const std::string& directory, Components rest, int links);
  bool matchName(int root, const std::string& directory, const std::string& name, Components rest,
                 int links);
  bool follow(int root, const std::string& directory, const std::string& link, Components rest,
              int links);

  std::set<std::string> paths_;
  /// What match() said about (directory, rest) during one add(): links to where one came from would
  /// otherwise multiply with every wildcard.
  std::map<std::string, bool> answers_;
};

}  // namespace stagewright::prepare
