// A LabelSelector of Kubernetes.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/json.h"

namespace stagewright::policy {

struct Requirement {
  enum class Operator { kIn, kNotIn, kExists, kDoesNotExist };
  std::string key;
  Operator op = Operator::kIn;
  std::vector<std::string> values;
};

/// Without requirements it selects everything.
struct Selector {
  std::vector<Requirement> requirements;

  bool matches(const std::map<std::string, std::string>& labels) const;
};

Result<Selector> parseSelector(const JsonReader& reader);

}  // namespace stagewright::policy
