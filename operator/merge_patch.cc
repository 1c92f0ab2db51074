#include "operator/merge_patch.h"

#include <nlohmann/json.hpp>

namespace stagewright::op {

Json makeMergePatch(const Json& from, const Json& to) {
  Json patch = Json::object();
  for (const auto& [key, value] : to.items()) {
    const auto before = from.find(key);
    if (before == from.end()) {
      patch[key] = value;
    } else if (before->is_object() && value.is_object()) {
      if (Json inner = makeMergePatch(*before, value); !inner.empty()) {
        patch[key] = std::move(inner);
      }
    } else if (*before != value) {
      patch[key] = value;
    }
  }
  for (const auto& [key, value] : from.items()) {
    if (!to.contains(key)) {
      patch[key] = nullptr;
    }
  }
  return patch;
}

}  // namespace stagewright::op
