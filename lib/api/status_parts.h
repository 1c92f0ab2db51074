// Reading and writing the parts of status. Internal to lib/api.
#pragma once

#include <string_view>

#include "lib/api/status.h"
#include "lib/base/json.h"

namespace stagewright::api {

/// An integer that fits an int; 0 if absent.
Result<int> intOf(const JsonReader& reader, std::string_view key, int fallback = 0);

Result<RunStatus> parseRun(const JsonReader& reader);
Result<StageStatus> parseStage(const JsonReader& reader);
Json toJson(const RunStatus& run);
Json toJson(const StageStatus& stage);
Json toJson(const PastAttempt& past);
Json toJson(const BaseImage& base);
Json toJson(const ImageStatus& image);
Json toJson(const LastSuccessful& last);
Json toJson(const FailureStatus& failure);
Json toJson(const BuildWarning& warning);
Json toJson(const PastRun& past);

}  // namespace stagewright::api
