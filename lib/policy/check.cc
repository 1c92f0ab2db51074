#include "lib/policy/check.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/oci/reference.h"
#include "lib/pods/quantity.h"
#include "lib/policy/pattern.h"

namespace stagewright::policy {

namespace {
constexpr std::size_t kMaxListed = 10;

using Strings = std::vector<std::string>;

std::string listed(const Strings& items) {
  if (items.empty()) {
    return "none";
  }
  std::string out;
  for (std::size_t i = 0; i < std::min(items.size(), kMaxListed); ++i) {
    out += (i == 0 ? "" : ", ") + items[i];
  }
  return items.size() > kMaxListed
             ? out + " and " + std::to_string(items.size() - kMaxListed) + " more"
             : out;
}

bool contains(const Strings& items, const std::string& item) {
  return std::find(items.begin(), items.end(), item) != items.end();
}

/// One policy and one build; each method checks one rule.
class Check {
 public:
  Check(const Wanted& wanted, const BuildPolicy& policy, const Fallbacks& fallbacks)
      : wanted_(wanted),
        spec_(wanted.effective),
        policy_(policy),
        allowed_(policy.allowed),
        limits_(policy.limits),
        fallbacks_(fallbacks) {}

  std::optional<Violation> run() const {
    for (const auto rule :
         {&Check::outputs, &Check::caches, &Check::isolation, &Check::storageClass,
          &Check::workspaceSize, &Check::nodeSelector, &Check::tolerations, &Check::classes,
          &Check::timeout, &Check::parallelStages, &Check::resources}) {
      if (std::optional<Violation> violation = (this->*rule)()) {
        return violation;
      }
    }
    return std::nullopt;
  }

 private:
  Violation violation(const std::string& rule, const std::string& what,
                      const std::string& allowed) const {
    return {policy_.name, rule,
            "policy " + quoted(policy_.name, 253) + ", " + rule + ": " + what + "; " + allowed};
  }

  std::optional<Violation> outputs() const {
    if (!allowed_.outputs || wanted_.repository.empty()) {
      return std::nullopt;
    }
    return mayBeWritten(wanted_.repository)
               ? std::nullopt
               : std::optional(violation("allowed.outputs",
                                         "the image would go to " + quoted(wanted_.repository, 256),
                                         "allowed: " + listed(*allowed_.outputs)));
  }

  /// A cache is pushed with the same credentials as the image. What a policy gives it allows.
  std::optional<Violation> caches() const {
    const std::string& repository = wanted_.asked.cache.repository;
    if (!allowed_.outputs || repository.empty() || mayBeWritten(repository)) {
      return std::nullopt;
    }
    return violation("allowed.outputs", "the cache would go to " + quoted(repository, 256),
                     "allowed: " + listed(*allowed_.outputs));
  }

  bool mayBeWritten(const std::string& name) const {
    const Result<oci::Repository> repository = oci::parseRepository(name);
    return repository && std::any_of(allowed_.outputs->begin(), allowed_.outputs->end(),
                                     [&](const std::string& pattern) {
                                       return matchesImage(pattern, *repository, "", wanted_.ns);
                                     });
  }

  std::optional<Violation> isolation() const {
    const api::Isolation chosen = spec_.execution.isolation.value_or(api::Isolation::kAuto);
    if (!allowed_.isolation || chosen == api::Isolation::kAuto ||
        std::find(allowed_.isolation->begin(), allowed_.isolation->end(), chosen) !=
            allowed_.isolation->end()) {
      return std::nullopt;
    }
    const bool baseline = chosen == api::Isolation::kBaseline;
    return violation(
        "allowed.isolation",
        std::string("spec.execution.isolation is ") + (baseline ? "Baseline" : "UserNamespace"),
        std::string("allowed: ") + (baseline ? "UserNamespace" : "Baseline"));
  }

  std::optional<Violation> storageClass() const {
    if (!allowed_.storageClasses || !spec_.workspace.claimName.empty()) {
      return std::nullopt;
    }
    const std::string& chosen = spec_.workspace.storageClassName.empty()
                                    ? fallbacks_.pods.storageClassName
                                    : spec_.workspace.storageClassName;
    if (!chosen.empty() && contains(*allowed_.storageClasses, chosen)) {
      return std::nullopt;
    }
    const std::string what =
        "spec.workspace.storageClassName is " +
        (chosen.empty() ? std::string("not set, and the cluster's default is not known")
                        : quoted(chosen, 253));
    return violation("allowed.storageClasses", what,
                     "allowed: " + listed(*allowed_.storageClasses));
  }

  std::optional<Violation> workspaceSize() const {
    const std::string& size = wanted_.asked.workspace.size;
    if (limits_.workspaceSize.empty() || size.empty() ||
        !pods::quantityLess(limits_.workspaceSize, size)) {
      return std::nullopt;
    }
    return violation("limits.workspaceSize", "spec.workspace.size is " + size,
                     "at most " + limits_.workspaceSize + " is allowed");
  }

  std::optional<Violation> nodeSelector() const {
    if (!allowed_.nodeSelector) {
      return std::nullopt;
    }
    for (const auto& [key, value] : wanted_.asked.execution.nodeSelector) {
      const std::string& asked = value;
      const std::string& label = key;
      const bool matches = std::any_of(
          allowed_.nodeSelector->begin(), allowed_.nodeSelector->end(),
          [&](const AllowedLabel& entry) {
            return entry.key == label && (entry.values.empty() || contains(entry.values, asked));
          });
      if (!matches) {
        Strings allowed;
        for (const AllowedLabel& entry : *allowed_.nodeSelector) {
          allowed.push_back(entry.key + "=" + (entry.values.empty() ? "*" : listed(entry.values)));
        }
        return violation("allowed.nodeSelector",
                         "spec.execution.nodeSelector asks for " + key + "=" + value,
                         "allowed: " + listed(allowed));
      }
    }
    return std::nullopt;
  }

  static bool tolerates(const AllowedToleration& entry, const api::Toleration& asked) {
    // An empty key, value or effect tolerates all of them, so it needs an entry for all of them.
    const bool key = entry.key == "*" || (!asked.key.empty() && entry.key == asked.key);
    const bool everyValue = asked.operator_ == "Exists";
    const bool value = entry.values.empty() || (!everyValue && contains(entry.values, asked.value));
    const bool effect =
        entry.effects.empty() || (!asked.effect.empty() && contains(entry.effects, asked.effect));
    return key && value && effect;
  }

  std::optional<Violation> tolerations() const {
    if (!allowed_.tolerations) {
      return std::nullopt;
    }
    for (const api::Toleration& asked : wanted_.asked.execution.tolerations) {
      const bool matches =
          std::any_of(allowed_.tolerations->begin(), allowed_.tolerations->end(),
                      [&](const AllowedToleration& entry) { return tolerates(entry, asked); });
      if (!matches) {
        Strings allowed;
        for (const AllowedToleration& entry : *allowed_.tolerations) {
          allowed.push_back(entry.key + (entry.values.empty() ? "" : "=" + listed(entry.values)) +
                            (entry.effects.empty() ? "" : ":" + listed(entry.effects)));
        }
        return violation("allowed.tolerations",
                         "spec.execution.tolerations asks for " + dumpJson(api::toJson(asked)),
                         "allowed: " + listed(allowed));
      }
    }
    return std::nullopt;
  }

  std::optional<Violation> classes() const {
    const api::Execution& asked = wanted_.asked.execution;
    const auto check = [&](const char* rule, const char* field, const std::string& value,
                           const std::optional<Strings>& allowed) {
      return value.empty() || !allowed || contains(*allowed, value)
                 ? std::nullopt
                 : std::optional(violation(
                       rule, std::string("spec.execution.") + field + " is " + quoted(value, 253),
                       "allowed: " + listed(*allowed)));
    };
    if (auto out = check("allowed.priorityClasses", "priorityClassName", asked.priorityClassName,
                         allowed_.priorityClasses)) {
      return out;
    }
    if (auto out = check("allowed.runtimeClasses", "runtimeClassName", asked.runtimeClassName,
                         allowed_.runtimeClasses)) {
      return out;
    }
    return check("allowed.serviceAccounts", "serviceAccountName", asked.serviceAccountName,
                 allowed_.serviceAccounts);
  }

  std::optional<Violation> timeout() const {
    const std::optional<Millis>& asked = wanted_.asked.timeout;
    if (!limits_.timeout || !asked || *asked <= *limits_.timeout) {
      return std::nullopt;
    }
    return violation("limits.timeout", "spec.timeout is " + formatDuration(*asked),
                     "at most " + formatDuration(*limits_.timeout) + " is allowed");
  }

  std::optional<Violation> parallelStages() const {
    const std::optional<std::int64_t>& asked = wanted_.asked.execution.maxParallelStages;
    if (limits_.parallelStages <= 0 || !asked || *asked <= limits_.parallelStages) {
      return std::nullopt;
    }
    return violation("limits.parallelStages",
                     "spec.execution.maxParallelStages is " + std::to_string(*asked),
                     "at most " + std::to_string(limits_.parallelStages) + " is allowed");
  }

  std::optional<Violation> resources() const {
    const api::Execution& execution = spec_.execution;
    const auto check = [&](const std::string& field, const api::Resources& of) {
      for (const auto* amounts : {&of.limits, &of.requests}) {
        for (const auto& [name, amount] : *amounts) {
          const auto maximum = limits_.resources.find(name);
          if (maximum != limits_.resources.end() && pods::quantityLess(maximum->second, amount)) {
            return std::optional(violation("limits.resources",
                                           "spec.execution." + field +
                                               (amounts == &of.limits ? ".limits." : ".requests.") +
                                               name + " is " + amount,
                                           "at most " + maximum->second + " is allowed"));
          }
        }
      }
      return std::optional<Violation>();
    };
    for (const auto& [field, of] : {std::pair("resources", &execution.resources),
                                    std::pair("prepare.resources", &execution.prepare),
                                    std::pair("publish.resources", &execution.publish)}) {
      if (auto out = check(field, *of)) {
        return out;
      }
    }
    for (const api::StageSettings& stage : execution.stages) {
      if (auto out = check("stages[" + stage.stage + "].resources", stage.resources)) {
        return out;
      }
    }
    return std::nullopt;
  }

  const Wanted& wanted_;
  const api::ImageBuildSpec& spec_;
  const BuildPolicy& policy_;
  const Allowed& allowed_;
  const Limits& limits_;
  const Fallbacks& fallbacks_;
};

/// What reaches beyond the namespace needs a policy that lists it.
std::optional<Violation> checkClosed(const api::Execution& asked, const Policies& policies) {
  const auto check = [&](const char* rule, const char* field, const std::string& value,
                         std::optional<Strings> Allowed::*list) -> std::optional<Violation> {
    const bool allowed =
        value.empty() || (policies && std::any_of(policies->begin(), policies->end(),
                                                  [&](const BuildPolicy& policy) {
                                                    return (policy.allowed.*list).has_value();
                                                  }));
    if (allowed) {
      return std::nullopt;
    }
    return Violation{"", rule,
                     std::string("spec.execution.") + field + " is " + quoted(value, 253) +
                         ", but no BuildPolicy of this namespace has " + rule +
                         "; it must be listed there"};
  };
  if (auto out = check("allowed.priorityClasses", "priorityClassName", asked.priorityClassName,
                       &Allowed::priorityClasses)) {
    return out;
  }
  if (auto out = check("allowed.runtimeClasses", "runtimeClassName", asked.runtimeClassName,
                       &Allowed::runtimeClasses)) {
    return out;
  }
  return check("allowed.serviceAccounts", "serviceAccountName", asked.serviceAccountName,
               &Allowed::serviceAccounts);
}

/// What the pod runs counts; the name only gives the tag.
bool isAllowed(const Base& base, const Strings& patterns, const std::string& ns) {
  const Result<oci::Reference> image = oci::parseReference(base.image);
  if (!image) {
    return false;
  }
  const Result<oci::Reference> name = oci::parseReference(base.name);
  const std::string tag = !name                        ? std::string()
                          : name->digest && !name->tag ? std::string()
                                                       : name->tagOrLatest();
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    return matchesImage(pattern, image->repository, tag, ns);
  });
}
}  // namespace

std::optional<Violation> checkSpec(const Wanted& wanted, const Policies& policies,
                                   const Fallbacks& fallbacks) {
  if (policies) {
    for (const BuildPolicy& policy : *policies) {
      if (std::optional<Violation> violation = Check(wanted, policy, fallbacks).run()) {
        return violation;
      }
    }
  }
  return checkClosed(wanted.asked.execution, policies);
}

std::optional<Violation> checkPlan(const std::vector<Base>& bases, std::size_t stages,
                                   const std::string& ns, const Policies& policies) {
  if (!policies) {
    return std::nullopt;
  }
  for (const BuildPolicy& policy : *policies) {
    const std::string who = "policy " + quoted(policy.name, 253) + ", ";
    const std::int64_t limit = policy.limits.stages;
    if (limit > 0 && static_cast<std::int64_t>(stages) > limit) {
      return Violation{policy.name, "limits.stages",
                       who + "limits.stages: the Dockerfile needs " + std::to_string(stages) +
                           " stages; at most " + std::to_string(limit) + " are allowed"};
    }
    if (!policy.allowed.baseImages) {
      continue;
    }
    for (const Base& base : bases) {
      if (!isAllowed(base, *policy.allowed.baseImages, ns)) {
        const std::size_t digest = base.image.find('@');
        return Violation{policy.name, "allowed.baseImages",
                         who + "allowed.baseImages: stage " + quoted(base.stage, 128) +
                             " is based on " + quoted(base.name, 256) + " (" +
                             base.image.substr(0, digest) +
                             "); allowed: " + listed(*policy.allowed.baseImages)};
      }
    }
  }
  return std::nullopt;
}

}  // namespace stagewright::policy
