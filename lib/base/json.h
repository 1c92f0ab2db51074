// Reading JSON with the path kept: `spec.output.image: expected string, got number`.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"

namespace stagewright {

using Json = nlohmann::json;

/// Parses one JSON text. Depth is capped (512): nlohmann's dump and copy recurse. kInvalid with the byte offset.
Result<Json> parseJson(std::string_view text);

/// One line, keys sorted; invalid UTF-8 is replaced, so it never throws.
std::string dumpJson(const Json& value);

/// A cursor into a JSON value that knows its path. Borrows: the value must outlive the reader. Every getter checks the
/// type; "absent" is a missing key, and null counts as absent for the optional getters (as in the Kubernetes API).
class JsonReader {
 public:
  explicit JsonReader(const Json& value, std::string path = "") : value_(&value), path_(std::move(path)) {}

  const Json& value() const { return *value_; }
  const std::string& path() const { return path_; }
  bool has(std::string_view key) const;

  Result<JsonReader> object(std::string_view key) const;                       ///< required
  Result<std::optional<JsonReader>> optionalObject(std::string_view key) const;
  Result<std::vector<JsonReader>> array(std::string_view key) const;           ///< absent gives an empty list
  Result<std::string> string(std::string_view key) const;
  Result<std::string> string(std::string_view key, std::string_view fallback) const;
  Result<std::optional<std::string>> optionalString(std::string_view key) const;
  Result<std::int64_t> integer(std::string_view key) const;
  Result<std::int64_t> integer(std::string_view key, std::int64_t fallback) const;
  Result<bool> boolean(std::string_view key, bool fallback) const;
  Result<std::vector<std::string>> strings(std::string_view key) const;        ///< absent gives an empty list

  /// This value itself as a string, an object.
  Result<std::string> asString() const;
  Status mustBeObject() const;
  /// kInvalid naming the first key that is not listed.
  Status onlyKeys(std::initializer_list<std::string_view> keys) const;
  /// `<path>: <message>` as kInvalid.
  Error error(std::string_view message) const;

 private:
  const Json* find(std::string_view key) const;
  std::string pathOf(std::string_view key) const;
  Error expected(std::string_view key, std::string_view type) const;

  const Json* value_;
  std::string path_;
};

}  // namespace stagewright
