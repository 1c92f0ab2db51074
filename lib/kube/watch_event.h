// One line of a watch.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "lib/base/json.h"
#include "lib/kube/api_error.h"

namespace stagewright::kube {

struct WatchEvent {
  enum class Type { kAdded, kModified, kDeleted, kBookmark };
  Type type = Type::kAdded;
  Json object;
  std::string resourceVersion;  ///< of the object

  /// The bookmark after the initial events of a WatchList.
  bool isEndOfInitialEvents() const;
};

/// An ERROR event is the error it carries (410 can arrive so, inside an answer of status 200).
/// kInvalid: no event.
ApiResult<WatchEvent> parseWatchEvent(std::string_view line);

}  // namespace stagewright::kube
