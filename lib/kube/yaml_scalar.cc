#include "lib/kube/yaml_scalar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "lib/base/hash.h"

namespace stagewright::kube {

namespace {

constexpr std::string_view kCoreTag = "tag:yaml.org,2002:";

template <std::size_t n>
bool oneOf(std::string_view text, const std::array<std::string_view, n>& words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

std::optional<bool> asBool(std::string_view text) {
  static constexpr std::array<std::string_view, 11> kTrue = {
      "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"};
  static constexpr std::array<std::string_view, 11> kFalse = {
      "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"};
  if (oneOf(text, kTrue)) {
    return true;
  }
  return oneOf(text, kFalse) ? std::optional(false) : std::nullopt;
}

bool isNull(std::string_view text) {
  static constexpr std::array<std::string_view, 5> kNull = {"", "~", "null", "Null", "NULL"};
  return oneOf(text, kNull);
}

bool isInfinite(std::string_view text) {
  static constexpr std::array<std::string_view, 12> kWords = {".inf",  ".Inf",  ".INF",  "+.inf",
                                                              "+.Inf", "+.INF", "-.inf", "-.Inf",
                                                              "-.INF", ".nan",  ".NaN",  ".NAN"};
  return oneOf(text, kWords);
}

/// Go's ParseInt with base 0: the prefix tells the base. Underscores are already gone.
std::optional<Json> asInteger(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) {
    text.remove_prefix(1);
  }
  int base = 10;
  if (text.size() > 1 && text[0] == '0') {
    const char letter = static_cast<char>(text[1] | 0x20);
    base = letter == 'x' ? 16 : letter == 'b' ? 2 : 8;
    text.remove_prefix(letter == 'x' || letter == 'b' || letter == 'o' ? 2 : 1);
  }
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  if (!negative) {
    return Json(value);
  }
  constexpr std::uint64_t kMin = std::uint64_t{1} << 63;
  if (value > kMin) {
    return std::nullopt;
  }
  return value == kMin ? Json(INT64_MIN) : Json(-static_cast<std::int64_t>(value));
}

/// [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?
bool looksLikeFloat(std::string_view text) {
  std::size_t i = 0;
  const auto digits = [&] {
    const std::size_t from = i;
    while (i < text.size() && text[i] >= '0' && text[i] <= '9') {
      ++i;
    }
    return i - from;
  };
  const auto sign = [&] { i += i < text.size() && (text[i] == '-' || text[i] == '+') ? 1 : 0; };
  sign();
  const std::size_t whole = digits();
  std::size_t fraction = 0;
  if (i < text.size() && text[i] == '.') {
    ++i;
    fraction = digits();
  }
  if (whole + fraction == 0) {
    return false;
  }
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    sign();
    if (digits() == 0) {
      return false;
    }
  }
  return i == text.size();
}

/// Integral values become integers, as encoding/json prints them.
Json numberOf(double value) {
  if (std::nearbyint(value) == value && std::fabs(value) < 9.0e18) {
    return static_cast<std::int64_t>(value);
  }
  return value;
}

std::optional<Json> asFloat(std::string_view text) {
  if (!looksLikeFloat(text)) {
    return std::nullopt;
  }
  text.remove_prefix(text.starts_with('+') ? 1 : 0);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return numberOf(value);
}

std::optional<Json> asNumber(std::string_view text) {
  std::string plain(text);
  plain.erase(std::remove(plain.begin(), plain.end(), '_'), plain.end());
  if (auto integer = asInteger(plain)) {
    return integer;
  }
  return asFloat(plain);
}

Result<Json> resolvePlain(std::string_view text) {
  if (isNull(text)) {
    return Json(nullptr);
  }
  if (isInfinite(text)) {
    return invalid(stagewright::quoted(text) + " cannot be said in JSON");
  }
  if (const auto flag = asBool(text)) {
    return Json(*flag);
  }
  const char first = text.front();
  if ((first >= '0' && first <= '9') || first == '+' || first == '-' || first == '.') {
    if (auto number = asNumber(text)) {
      return *std::move(number);
    }
  }
  return Json(std::string(text));
}

Result<Json> resolveTagged(std::string_view kind, std::string_view text) {
  if (kind == "str" || kind == "timestamp") {
    return Json(std::string(text));
  }
  if (kind == "binary") {
    TRY(std::string bytes, fromBase64(text));
    return Json(std::move(bytes));
  }
  TRY(Json value, resolvePlain(text));
  const bool fits = (kind == "int" && value.is_number_integer()) ||
                    (kind == "float" && value.is_number()) ||
                    (kind == "bool" && value.is_boolean()) || (kind == "null" && value.is_null());
  if (!fits) {
    return invalid("cannot read " + stagewright::quoted(text) + " as !!" + std::string(kind));
  }
  return value;
}

}  // namespace

Result<Json> resolveYamlScalar(std::string_view tag, std::string_view text) {
  if (tag == "?" || tag.empty()) {
    return resolvePlain(text);
  }
  if (tag.starts_with(kCoreTag)) {
    return resolveTagged(tag.substr(kCoreTag.size()), text);
  }
  return Json(std::string(text));
}

}  // namespace stagewright::kube
