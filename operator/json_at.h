// Members of JSON objects that other people wrote: what is missing or of another type is "nothing",
// never an error.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "lib/base/json.h"

namespace stagewright::op {

/// The member, or null. Borrows from `object`.
inline const Json& at(const Json& object, const char* key) {
  static const Json kNothing;
  if (!object.is_object()) {
    return kNothing;
  }
  const auto it = object.find(key);
  return it == object.end() ? kNothing : *it;
}

/// The member if it is a string, or an empty one.
inline std::string textAt(const Json& object, const char* key) {
  const Json& value = at(object, key);
  return value.is_string() ? value.get<std::string>() : "";
}

}  // namespace stagewright::op
