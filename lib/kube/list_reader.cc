#include "lib/kube/list_reader.h"

#include <nlohmann/json.hpp>

namespace stagewright::kube {

Result<ListMeta> readList(std::string_view text, const std::function<void(Json&)>& onItem) {
  constexpr int kItemDepth = 2;  // {"items":[{…}]}: the root has depth 0, the array 1
  constexpr int kMaxDepth = 512;
  bool inItems = false;
  bool tooDeep = false;
  const Json::parser_callback_t callback = [&](int depth, Json::parse_event_t event, Json& parsed) {
    tooDeep = tooDeep || depth > kMaxDepth;
    if (event == Json::parse_event_t::key && depth == 1) {
      inItems = parsed == "items";
    }
    if (inItems && depth == kItemDepth && event == Json::parse_event_t::object_end) {
      onItem(parsed);
      return false;
    }
    return !tooDeep;
  };
  try {
    const Json rest = Json::parse(text, callback);
    if (tooDeep || !rest.is_object() || !rest.contains("metadata")) {
      return invalid("the answer is no list");
    }
    const JsonReader reader(rest);
    TRY(JsonReader metadata, reader.object("metadata"));
    ListMeta meta;
    TRY(meta.resourceVersion, metadata.string("resourceVersion", ""));
    TRY(meta.continueToken, metadata.string("continue", ""));
    return meta;
  } catch (const Json::exception& e) {
    return invalid(std::string("the answer is not JSON: ") + e.what());
  }
}

}  // namespace stagewright::kube
