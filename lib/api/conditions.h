// metav1.Condition as a set keyed by type. The transition time moves only when the status does.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/clean_text.h"
#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/base/json.h"

namespace stagewright::api {

namespace condition {
inline constexpr std::string_view kReady = "Ready";
inline constexpr std::string_view kSucceeded = "Succeeded";
inline constexpr std::string_view kFinished = "Finished";
inline constexpr std::string_view kReconciling = "Reconciling";
inline constexpr std::string_view kStalled = "Stalled";
inline constexpr std::string_view kSourceFetched = "SourceFetched";
inline constexpr std::string_view kPlanned = "Planned";
inline constexpr std::string_view kAdmitted = "Admitted";
inline constexpr std::string_view kWorkspaceReady = "WorkspaceReady";
inline constexpr std::string_view kStagesSucceeded = "StagesSucceeded";
inline constexpr std::string_view kPushed = "Pushed";
}  // namespace condition

enum class Truth { kTrue, kFalse, kUnknown };

struct Condition {
  std::string type;
  Truth status = Truth::kUnknown;
  std::string reason;
  std::string message;  ///< at most 1024 bytes here
  std::int64_t observedGeneration = 0;
  TimePoint lastTransitionTime{};

  bool operator==(const Condition&) const = default;
};

class ConditionSet {
 public:
  /// Adds or replaces; keeps lastTransitionTime if the status stays. The message is cut at 1024
  /// bytes and cleaned.
  void set(std::string_view type, Truth status, std::string_view reason, std::string_view message,
           std::int64_t observedGeneration, TimePoint now);
  void remove(std::string_view type);
  const Condition* find(std::string_view type) const;
  bool isTrue(std::string_view type) const;
  const std::vector<Condition>& all() const { return conditions_; }

  static Result<ConditionSet> parse(const std::vector<JsonReader>& items);
  Json toJson() const;

 private:
  std::vector<Condition> conditions_;  ///< sorted by type
};

std::string_view truthName(Truth truth);  ///< "True", "False", "Unknown"

}  // namespace stagewright::api
