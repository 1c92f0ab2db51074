#include "lib/policy/selector.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/api/json_fields.h"

namespace stagewright::policy {

namespace {
constexpr std::array<std::string_view, 4> kOperatorWords = {"In", "NotIn", "Exists",
                                                            "DoesNotExist"};

bool holds(const Requirement& requirement, const std::map<std::string, std::string>& labels) {
  const auto label = labels.find(requirement.key);
  const bool there = label != labels.end();
  const auto& values = requirement.values;
  const bool listed =
      there && std::find(values.begin(), values.end(), label->second) != values.end();
  switch (requirement.op) {
    case Requirement::Operator::kIn:
      return listed;
    case Requirement::Operator::kNotIn:
      return !listed;  // also without the label, as everywhere in Kubernetes
    case Requirement::Operator::kExists:
      return there;
    case Requirement::Operator::kDoesNotExist:
      return !there;
  }
  return false;
}

Result<Requirement> parseExpression(const JsonReader& reader) {
  CHECK_OK(reader.onlyKeys({"key", "operator", "values"}));
  Requirement out;
  TRY(out.key, reader.string("key"));
  TRY(const auto op, api::optionalEnum<Requirement::Operator>(reader, "operator", kOperatorWords));
  TRY(out.values, reader.strings("values"));
  if (!op) {
    return reader.error("operator is missing");
  }
  out.op = *op;
  const bool needsValues =
      out.op == Requirement::Operator::kIn || out.op == Requirement::Operator::kNotIn;
  if (needsValues == out.values.empty()) {
    return reader.error("In and NotIn need values, Exists and DoesNotExist have none");
  }
  return out;
}
}  // namespace

bool Selector::matches(const std::map<std::string, std::string>& labels) const {
  return std::all_of(requirements.begin(), requirements.end(),
                     [&](const Requirement& requirement) { return holds(requirement, labels); });
}

Result<Selector> parseSelector(const JsonReader& reader) {
  CHECK_OK(reader.onlyKeys({"matchLabels", "matchExpressions"}));
  Selector out;
  TRY(const std::optional<JsonReader> labels, reader.optionalObject("matchLabels"));
  if (labels) {
    for (const auto& [key, unused] : labels->value().items()) {
      TRY(std::string value, labels->string(key));
      out.requirements.push_back({key, Requirement::Operator::kIn, {std::move(value)}});
    }
  }
  TRY(const std::vector<Requirement> expressions,
      api::listOf<Requirement>(reader, "matchExpressions", parseExpression));
  out.requirements.insert(out.requirements.end(), expressions.begin(), expressions.end());
  return out;
}

}  // namespace stagewright::policy
