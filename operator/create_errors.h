// The last refusal of each object we tried to create, for the next plan.
#pragma once

#include <map>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/guarded.h"
#include "lib/kube/api_error.h"
#include "lib/lifecycle/world.h"

namespace stagewright::op {

/// Thread-safe.
class CreateErrors {
 public:
  using ByName = std::map<std::string, lifecycle::CreateError>;

  void add(const std::string& key, const std::string& name, const kube::ApiError& error,
           TimePoint now) {
    auto all = all_.lock();
    lifecycle::CreateError& entry = (*all)[key][name];
    const bool continues = entry.httpStatus != 0;
    entry.first = continues ? entry.first : now;
    entry.count = continues ? entry.count + 1 : 1;
    entry.last = now;
    entry.httpStatus = error.status;
    entry.reason = error.reason;
    entry.message = error.message;
  }
  /// A create of that name succeeded.
  void clear(const std::string& key, const std::string& name) {
    auto all = all_.lock();
    if (const auto it = all->find(key);
        it != all->end() && it->second.erase(name) > 0 && it->second.empty()) {
      all->erase(it);
    }
  }
  void forget(const std::string& key) { all_.lock()->erase(key); }
  ByName of(const std::string& key) const {
    auto all = all_.lock();
    const auto it = all->find(key);
    return it == all->end() ? ByName() : it->second;
  }

 private:
  mutable Guarded<std::map<std::string, ByName>> all_;
};

}  // namespace stagewright::op
