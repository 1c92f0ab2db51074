// Which pods of a build have ever been there, as far as this process knows.
#pragma once

#include <map>
#include <set>
#include <string>

#include "lib/base/guarded.h"

namespace stagewright::op {

/// A pod can be created and gone again before status tells that it ran; then absence means "lost"
/// and not "still to be created", or one attempt would have two pods. Thread-safe.
class KnownPods {
 public:
  /// It was created by us, or a cache told of it.
  void saw(const std::string& key, const std::string& name) { (*seen_.lock())[key].insert(name); }
  std::set<std::string> of(const std::string& key) const {
    auto seen = seen_.lock();
    const auto it = seen->find(key);
    return it == seen->end() ? std::set<std::string>() : it->second;
  }
  /// The build is gone, or its run has ended.
  void forget(const std::string& key) { seen_.lock()->erase(key); }

 private:
  mutable Guarded<std::map<std::string, std::set<std::string>>> seen_;
};

}  // namespace stagewright::op
