#include "operator/policy_board.h"

#include <nlohmann/json.hpp>

#include "lib/base/log.h"
#include "lib/policy/defaults.h"

namespace stagewright::op {

namespace {
std::map<std::string, std::string> labelsOf(const Json& object) {
  std::map<std::string, std::string> out;
  const auto metadata = object.find("metadata");
  if (metadata == object.end() || !metadata->is_object()) {
    return out;
  }
  const auto labels = metadata->find("labels");
  if (labels == metadata->end() || !labels->is_object()) {
    return out;
  }
  for (const auto& [key, value] : labels->items()) {
    if (value.is_string()) {
      out[key] = value.get<std::string>();
    }
  }
  return out;
}
}  // namespace

void PolicyBoard::updatePolicy(const std::string& name, const Json* object) {
  std::optional<policy::BuildPolicy> policy;
  if (object != nullptr) {
    Result<policy::BuildPolicy> parsed = policy::parsePolicy(*object);
    if (!parsed) {
      // It has a name, or it would not be here.
      parsed = policy::BuildPolicy();
      parsed->name = name;
      parsed->error = internal("the object has no metadata");
    }
    policy = std::move(*parsed);
    if (policy->error) {
      log::error("a BuildPolicy cannot be read and holds every namespace",
                 {{"policy", name}, {"error", policy->error->message}});
    }
  }
  auto state = state_.lock();
  state->selected.clear();
  if (policy) {
    state->policies[name] = std::move(*policy);
  } else {
    state->policies.erase(name);
  }
}

bool PolicyBoard::updateNamespace(const std::string& name, const Json* object) {
  auto state = state_.lock();
  const auto known = state->namespaces.find(name);
  if (object == nullptr) {
    if (known != state->namespaces.end()) {
      state->namespaces.erase(known);
    }
    state->selected.erase(name);
    return true;
  }
  Labels labels = labelsOf(*object);
  if (known != state->namespaces.end() && known->second == labels) {
    return false;
  }
  state->namespaces[name] = std::move(labels);
  state->selected.erase(name);
  return true;
}

std::optional<policy::Policies> PolicyBoard::policiesOf(const std::string& ns) const {
  auto state = state_.lock();
  if (const auto known = state->selected.find(ns); known != state->selected.end()) {
    return known->second;
  }
  const auto labels = state->namespaces.find(ns);
  if (labels == state->namespaces.end()) {
    return std::nullopt;
  }
  std::vector<policy::BuildPolicy> all;
  for (const auto& [name, policy] : state->policies) {
    all.push_back(policy);
  }
  policy::Policies selected = policy::selectPolicies(all, labels->second);
  state->selected[ns] = selected;
  return selected;
}

queue::NamespaceRules PolicyBoard::rulesOf(const std::string& ns) const {
  const std::optional<policy::Policies> policies = policiesOf(ns);
  if (!policies) {
    queue::NamespaceRules held;
    held.heldBy = "the labels of namespace " + ns + " are not known yet";
    return held;
  }
  return policy::queueRules(*policies);
}

void trimNamespace(Json& ns) {
  ns.erase("spec");
  ns.erase("status");
}

}  // namespace stagewright::op
