#include "lib/kube/watch_event.h"

#include <nlohmann/json.hpp>
#include <optional>

namespace stagewright::kube {

namespace {
std::optional<WatchEvent::Type> typeOf(std::string_view name) {
  if (name == "ADDED") {
    return WatchEvent::Type::kAdded;
  }
  if (name == "MODIFIED") {
    return WatchEvent::Type::kModified;
  }
  if (name == "DELETED") {
    return WatchEvent::Type::kDeleted;
  }
  return name == "BOOKMARK" ? std::optional(WatchEvent::Type::kBookmark) : std::nullopt;
}
}  // namespace

bool WatchEvent::isEndOfInitialEvents() const {
  static const Json::json_pointer kMark("/metadata/annotations/k8s.io~1initial-events-end");
  return type == Type::kBookmark && object.contains(kMark) && object.at(kMark) == "true";
}

ApiResult<WatchEvent> parseWatchEvent(std::string_view line) {
  Result<Json> parsed = parseJson(line);
  if (!parsed) {
    return std::move(parsed).error().during("read a watch event");
  }
  const JsonReader reader(*parsed);
  TRY(std::string name, reader.string("type"));
  TRY(JsonReader object, reader.object("object"));
  if (name == "ERROR") {
    return apiErrorOf(object.value(), "watch");
  }
  const std::optional<WatchEvent::Type> type = typeOf(name);
  if (!type) {
    return reader.error("unknown watch event " + stagewright::quoted(name));
  }
  TRY(JsonReader metadata, object.object("metadata"));
  WatchEvent event;
  event.type = *type;
  TRY(event.resourceVersion, metadata.string("resourceVersion"));
  event.object = std::move((*parsed)["object"]);
  return event;
}

}  // namespace stagewright::kube
