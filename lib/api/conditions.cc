#include "lib/api/conditions.h"

#include <algorithm>

#include "lib/api/json_fields.h"

namespace stagewright::api {

namespace {
constexpr std::size_t kMaxMessage = 1024;
constexpr std::array<std::string_view, 3> kTruthWords = {"True", "False", "Unknown"};
}  // namespace

std::string_view truthName(Truth truth) { return kTruthWords[static_cast<std::size_t>(truth)]; }

void ConditionSet::set(std::string_view type, Truth status, std::string_view reason,
                       std::string_view message, std::int64_t observedGeneration, TimePoint now) {
  const auto place = std::lower_bound(
      conditions_.begin(), conditions_.end(), type,
      [](const Condition& condition, std::string_view key) { return condition.type < key; });
  const bool found = place != conditions_.end() && place->type == type;
  Condition next{std::string(type),  status, std::string(reason), cleanText(message, kMaxMessage),
                 observedGeneration, now};
  if (!found) {
    conditions_.insert(place, std::move(next));
    return;
  }
  if (place->status == status) {
    next.lastTransitionTime = place->lastTransitionTime;
  }
  *place = std::move(next);
}

void ConditionSet::remove(std::string_view type) {
  std::erase_if(conditions_, [&](const Condition& condition) { return condition.type == type; });
}

const Condition* ConditionSet::find(std::string_view type) const {
  const auto it = std::find_if(conditions_.begin(), conditions_.end(),
                               [&](const Condition& condition) { return condition.type == type; });
  return it == conditions_.end() ? nullptr : &*it;
}

bool ConditionSet::isTrue(std::string_view type) const {
  const Condition* condition = find(type);
  return condition != nullptr && condition->status == Truth::kTrue;
}

Result<ConditionSet> ConditionSet::parse(const std::vector<JsonReader>& items) {
  ConditionSet out;
  for (const JsonReader& item : items) {
    CHECK_OK(item.mustBeObject());
    TRY(const std::string type, item.string("type"));
    TRY(const std::optional<Truth> status, optionalEnum<Truth>(item, "status", kTruthWords));
    TRY(const std::string reason, item.string("reason", ""));
    TRY(const std::string message, item.string("message", ""));
    TRY(const std::int64_t generation, item.integer("observedGeneration", 0));
    TRY(const std::optional<TimePoint> time, optionalTime(item, "lastTransitionTime"));
    out.set(type, status.value_or(Truth::kUnknown), reason, message, generation,
            time.value_or(TimePoint{}));
  }
  return out;
}

Json ConditionSet::toJson() const {
  Json out = Json::array();
  for (const Condition& condition : conditions_) {
    out.push_back({{"type", condition.type},
                   {"status", truthName(condition.status)},
                   {"reason", condition.reason},
                   {"message", condition.message},
                   {"observedGeneration", condition.observedGeneration},
                   {"lastTransitionTime", formatTime(condition.lastTransitionTime)}});
  }
  return out;
}

}  // namespace stagewright::api
