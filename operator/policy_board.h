// The BuildPolicies and the labels of namespaces, and which policies count for a namespace.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "lib/base/guarded.h"
#include "lib/base/json.h"
#include "lib/policy/policy.h"
#include "lib/queue/fair_queue.h"

namespace stagewright::op {

/// Thread-safe.
class PolicyBoard {
 public:
  /// What the cache shows; null: it is gone.
  void updatePolicy(const std::string& name, const Json* object);
  /// True if its labels changed.
  bool updateNamespace(const std::string& name, const Json* object);

  /// Nothing as long as the namespace is not known: its labels decide, so nobody can say.
  std::optional<policy::Policies> policiesOf(const std::string& ns) const;
  /// The same as rules for the queue; a namespace that is not known is held.
  queue::NamespaceRules rulesOf(const std::string& ns) const;

 private:
  using Labels = std::map<std::string, std::string>;
  struct State {
    std::map<std::string, policy::BuildPolicy> policies;
    std::map<std::string, Labels> namespaces;
    std::map<std::string, policy::Policies> selected;  ///< by namespace, until something changes
  };

  mutable Guarded<State> state_;
};

/// Leaves of a namespace its metadata, which is all that counts.
void trimNamespace(Json& ns);

}  // namespace stagewright::op
