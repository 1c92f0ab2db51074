#include "lib/plan/json_parts.h"

#include <algorithm>
#include <climits>
#include <nlohmann/json.hpp>

#include "lib/oci/reference.h"

namespace stagewright::plan {

Result<int> parseInt(const JsonReader& reader, std::string_view key, int low, int high) {
  TRY(const std::int64_t value, reader.integer(key));
  if (value < low || value > high) {
    return reader.error(std::string(key) + ": " + std::to_string(value) + " is not within " +
                        std::to_string(low) + " and " + std::to_string(high));
  }
  return static_cast<int>(value);
}

Result<std::int64_t> parseSize(const JsonReader& reader, std::string_view key) {
  TRY(const std::int64_t value, reader.integer(key));
  if (value < 0) {
    return reader.error(std::string(key) + ": must not be negative");
  }
  return value;
}

Result<oci::Digest> parseDigest(const JsonReader& reader, std::string_view key) {
  TRY(const std::string text, reader.string(key));
  auto digest = oci::Digest::parse(text);
  if (!digest) {
    return reader.error(std::string(key) + ": " + digest.error().message);
  }
  return *std::move(digest);
}

Result<oci::Platform> parsePlatformAt(const JsonReader& reader, std::string_view key) {
  TRY(const std::string text, reader.string(key));
  auto platform = oci::parsePlatform(text);
  if (!platform) {
    return reader.error(std::string(key) + ": " + platform.error().message);
  }
  return *std::move(platform);
}

Result<std::vector<int>> parseInts(const JsonReader& reader, std::string_view key) {
  TRY(const auto items, reader.array(key));
  std::vector<int> out;
  for (const JsonReader& item : items) {
    const Json& value = item.value();
    if (!value.is_number_integer() || value < INT_MIN || value > INT_MAX) {
      return item.error("expected a small integer");
    }
    out.push_back(value.get<int>());
  }
  return out;
}

Json toJson(const Warning& warning) {
  return {{"rule", warning.rule},
          {"line", warning.line},
          {"message", warning.message},
          {"url", warning.url}};
}

Result<Warning> parseWarning(const JsonReader& reader) {
  CHECK_OK(reader.mustBeObject());
  Warning out;
  TRY(out.rule, reader.string("rule"));
  TRY(out.line, parseInt(reader, "line", 0, INT_MAX));
  TRY(out.message, reader.string("message"));
  TRY(out.url, reader.string("url", ""));
  return out;
}

bool isCleanRelative(std::string_view path) {
  if (path == ".") {
    return true;
  }
  if (path.empty() || path.find('\0') != std::string_view::npos) {
    return false;
  }
  std::size_t begin = 0;
  while (begin <= path.size()) {
    const std::size_t slash = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, slash - begin);
    if (part.empty() || part == "." || part == "..") {
      return false;
    }
    begin = slash + 1;
  }
  return true;
}

bool isCleanAbsolute(std::string_view path) {
  return path == "/" ||
         (path.size() > 1 && path[0] == '/' && path != "/." && isCleanRelative(path.substr(1)));
}

bool isPinned(std::string_view reference) {
  const auto parsed = oci::parseReference(reference);
  return parsed && parsed->digest && !parsed->tag;
}

}  // namespace stagewright::plan
