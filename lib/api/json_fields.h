// Small words for reading and writing JSON objects whose unset fields are left out. Internal to
// lib/api.
#pragma once

#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/json.h"

namespace stagewright::api {

inline void putText(Json& object, const char* key, const std::string& text) {
  if (!text.empty()) {
    object[key] = text;
  }
}

template <class Integer>
void putNumber(Json& object, const char* key, Integer number) {
  if (number != 0) {
    object[key] = number;
  }
}

inline void putTime(Json& object, const char* key, const std::optional<TimePoint>& time) {
  if (time) {
    object[key] = formatTime(*time);
  }
}

/// Objects and arrays: left out when empty.
inline void putJson(Json& object, const char* key, Json value) {
  if (!value.empty()) {
    object[key] = std::move(value);
  }
}

template <class T>
Json arrayOf(const std::vector<T>& items) {
  Json out = Json::array();
  for (const T& item : items) {
    out.push_back(toJson(item));
  }
  return out;
}

inline Json nameObject(const std::string& name) {
  return name.empty() ? Json::object() : Json{{"name", name}};
}

inline Result<std::optional<TimePoint>> optionalTime(const JsonReader& reader,
                                                     std::string_view key) {
  TRY(const std::optional<std::string> text, reader.optionalString(key));
  if (!text) {
    return std::optional<TimePoint>();
  }
  Result<TimePoint> time = parseTime(*text);
  if (!time) {
    return reader.error(std::string(key) + ": " + time.error().message);
  }
  return std::optional<TimePoint>(*time);
}

/// Absent and 0 are different things to say.
inline Result<std::optional<int>> optionalCount(const JsonReader& reader, std::string_view key,
                                                int least, int most) {
  if (!reader.has(key)) {
    return std::optional<int>();
  }
  TRY(const std::int64_t number, reader.integer(key));
  if (number < least || number > most) {
    return reader.error(std::string(key) + ": must lie between " + std::to_string(least) + " and " +
                        std::to_string(most));
  }
  return std::optional<int>(static_cast<int>(number));
}

inline void putCount(Json& object, const char* key, const std::optional<int>& count) {
  if (count) {
    object[key] = *count;
  }
}

inline Result<std::optional<Millis>> optionalDuration(const JsonReader& reader,
                                                      std::string_view key) {
  TRY(const std::optional<std::string> text, reader.optionalString(key));
  if (!text) {
    return std::optional<Millis>();
  }
  Result<Millis> duration = parseDuration(*text);
  if (!duration) {
    return reader.error(std::string(key) + ": " + duration.error().message);
  }
  return std::optional<Millis>(*duration);
}

inline void putDuration(Json& object, const char* key, const std::optional<Millis>& duration) {
  if (duration) {
    object[key] = formatDuration(*duration);
  }
}

template <class E, std::size_t N>
Result<std::optional<E>> optionalEnum(const JsonReader& reader, std::string_view key,
                                      const std::array<std::string_view, N>& words) {
  TRY(const std::optional<std::string> text, reader.optionalString(key));
  if (!text) {
    return std::optional<E>();
  }
  std::string expected;
  for (std::size_t i = 0; i < N; ++i) {
    if (words[i] == *text) {
      return std::optional<E>(static_cast<E>(i));
    }
    expected += (i == 0 ? "" : i + 1 == N ? " or " : ", ") + std::string(words[i]);
  }
  return reader.error(std::string(key) + ": expected " + expected + ", got " + quoted(*text, 64));
}

template <class E, std::size_t N>
void putEnum(Json& object, const char* key, const std::optional<E>& value,
             const std::array<std::string_view, N>& words) {
  if (value) {
    object[key] = words[static_cast<std::size_t>(*value)];
  }
}

/// A list of objects, each read by `read`.
template <class T, class Read>
Result<std::vector<T>> listOf(const JsonReader& reader, std::string_view key, Read read) {
  TRY(const std::vector<JsonReader> items, reader.array(key));
  std::vector<T> out;
  out.reserve(items.size());
  for (const JsonReader& item : items) {
    CHECK_OK(item.mustBeObject());
    TRY(T value, read(item));
    out.push_back(std::move(value));
  }
  return out;
}

}  // namespace stagewright::api
