#include "lib/base/json.h"

#include <nlohmann/json.hpp>

namespace stagewright {

namespace {
constexpr int kMaxDepth = 512;
}

Result<Json> parseJson(std::string_view text) {
  bool tooDeep = false;
  const Json::parser_callback_t guard = [&](int depth, Json::parse_event_t, Json&) {
    tooDeep = tooDeep || depth > kMaxDepth;
    return !tooDeep;
  };
  try {
    Json value = Json::parse(text, guard);
    if (tooDeep) {
      return invalid("JSON is nested deeper than 512 levels");
    }
    return value;
  } catch (const Json::exception& e) {
    return invalid(std::string("not JSON: ") + e.what());
  }
}

std::string dumpJson(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

const Json* JsonReader::find(std::string_view key) const {
  if (!value_->is_object()) {
    return nullptr;
  }
  const auto it = value_->find(std::string(key));
  return it == value_->end() || it->is_null() ? nullptr : &*it;
}

std::string JsonReader::pathOf(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

Error JsonReader::expected(std::string_view key, std::string_view type) const {
  const Json* found = find(key);
  if (found == nullptr) {
    return invalid(pathOf(key) + ": required, but missing");
  }
  return invalid(pathOf(key) + ": expected " + std::string(type) + ", got " + found->type_name());
}

bool JsonReader::has(std::string_view key) const { return find(key) != nullptr; }

Result<JsonReader> JsonReader::object(std::string_view key) const {
  const Json* found = find(key);
  if (found == nullptr || !found->is_object()) {
    return expected(key, "object");
  }
  return JsonReader(*found, pathOf(key));
}

Result<std::optional<JsonReader>> JsonReader::optionalObject(std::string_view key) const {
  if (find(key) == nullptr) {
    return std::optional<JsonReader>();
  }
  TRY(JsonReader reader, object(key));
  return std::optional<JsonReader>(std::move(reader));
}

Result<std::vector<JsonReader>> JsonReader::array(std::string_view key) const {
  const Json* found = find(key);
  std::vector<JsonReader> out;
  if (found == nullptr) {
    return out;
  }
  if (!found->is_array()) {
    return expected(key, "array");
  }
  for (std::size_t i = 0; i < found->size(); ++i) {
    out.emplace_back((*found)[i], pathOf(key) + "[" + std::to_string(i) + "]");
  }
  return out;
}

Result<std::string> JsonReader::string(std::string_view key) const {
  const Json* found = find(key);
  if (found == nullptr || !found->is_string()) {
    return expected(key, "string");
  }
  return found->get<std::string>();
}

Result<std::string> JsonReader::string(std::string_view key, std::string_view fallback) const {
  return find(key) == nullptr ? Result<std::string>(std::string(fallback)) : string(key);
}

Result<std::optional<std::string>> JsonReader::optionalString(std::string_view key) const {
  if (find(key) == nullptr) {
    return std::optional<std::string>();
  }
  TRY(std::string text, string(key));
  return std::optional<std::string>(std::move(text));
}

Result<std::int64_t> JsonReader::integer(std::string_view key) const {
  const Json* found = find(key);
  if (found == nullptr || !found->is_number_integer()) {
    return expected(key, "integer");
  }
  if (found->is_number_unsigned() && found->get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX)) {
    return invalid(pathOf(key) + ": out of range");
  }
  return found->get<std::int64_t>();
}

Result<std::int64_t> JsonReader::integer(std::string_view key, std::int64_t fallback) const {
  return find(key) == nullptr ? Result<std::int64_t>(fallback) : integer(key);
}

Result<bool> JsonReader::boolean(std::string_view key, bool fallback) const {
  const Json* found = find(key);
  if (found == nullptr) {
    return fallback;
  }
  if (!found->is_boolean()) {
    return expected(key, "boolean");
  }
  return found->get<bool>();
}

Result<std::vector<std::string>> JsonReader::strings(std::string_view key) const {
  TRY(std::vector<JsonReader> items, array(key));
  std::vector<std::string> out;
  out.reserve(items.size());
  for (const JsonReader& item : items) {
    TRY(std::string text, item.asString());
    out.push_back(std::move(text));
  }
  return out;
}

Result<std::string> JsonReader::asString() const {
  if (!value_->is_string()) {
    return error(std::string("expected string, got ") + value_->type_name());
  }
  return value_->get<std::string>();
}

Status JsonReader::mustBeObject() const {
  if (!value_->is_object()) {
    return error(std::string("expected object, got ") + value_->type_name());
  }
  return ok();
}

Status JsonReader::onlyKeys(std::initializer_list<std::string_view> keys) const {
  for (const auto& [key, unused] : value_->items()) {
    bool known = false;
    for (const std::string_view k : keys) {
      known = known || k == key;
    }
    if (!known) {
      return invalid(pathOf(key) + ": unknown field");
    }
  }
  return ok();
}

Error JsonReader::error(std::string_view message) const {
  return invalid((path_.empty() ? "" : path_ + ": ") + std::string(message));
}

}  // namespace stagewright
