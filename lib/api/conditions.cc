#include "lib/api/conditions.h"

#include <algorithm>

#include "lib/api/json_fields.h"

namespace stagewright::api {

namespace {
constexpr std::size_t kMaxMessage = 1024;
constexpr std::array<std::string_view, 3> kTruthWords = {"True", "False", "Unknown"};

/// Length of the UTF-8 sequence at `pos`, 0 if it is not valid.
std::size_t sequenceLength(std::string_view text, std::size_t pos) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(pos);
  const std::size_t length = lead < 0x80                    ? 1
                             : lead >= 0xC2 && lead <= 0xDF ? 2
                             : (lead & 0xF0) == 0xE0        ? 3
                             : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                            : 0;
  if (length == 0 || pos + length > text.size()) {
    return 0;
  }
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(pos + i) & 0xC0) != 0x80) {
      return 0;
    }
  }
  const bool overlong =
      (lead == 0xE0 && byte(pos + 1) < 0xA0) || (lead == 0xF0 && byte(pos + 1) < 0x90);
  const bool outside =
      (lead == 0xED && byte(pos + 1) > 0x9F) || (lead == 0xF4 && byte(pos + 1) > 0x8F);
  return overlong || outside ? 0 : length;
}

/// C0 except newline, DEL, and C1 (U+0080..U+009F): they move cursors and colour terminals.
bool isControl(std::string_view sequence) {
  const auto first = static_cast<unsigned char>(sequence[0]);
  return sequence.size() == 1 ? (first < 0x20 && first != '\n') || first == 0x7F
                              : first == 0xC2 && static_cast<unsigned char>(sequence[1]) < 0xA0;
}
}  // namespace

std::string cleanText(std::string_view text, std::size_t limit) {
  static constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
  static constexpr std::string_view kEllipsis = "\xE2\x80\xA6";
  std::string out;
  std::size_t lastFit = 0;  // where the ellipsis would still fit
  for (std::size_t pos = 0; pos < text.size();) {
    const std::size_t length = sequenceLength(text, pos);
    const std::string_view sequence = text.substr(pos, std::max<std::size_t>(length, 1));
    out += length == 0 ? kReplacement : isControl(sequence) ? " " : sequence;
    if (out.size() > limit) {
      out.resize(lastFit);
      return limit < kEllipsis.size() ? std::string() : out.append(kEllipsis);
    }
    if (out.size() + kEllipsis.size() <= limit) {
      lastFit = out.size();
    }
    pos += sequence.size();
  }
  return out;
}

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
