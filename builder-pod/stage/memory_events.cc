#include "builder-pod/stage/memory_events.h"

#include <charconv>
#include <optional>
#include <string_view>

#include "lib/base/file.h"

namespace stagewright::stage {

namespace {

std::string textOf(const std::string& path) { return loadFile(path, 64 * 1024).value_or(""); }

std::optional<std::int64_t> countOf(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end != text.data() ? std::optional(value) : std::nullopt;
}

/// The value of the line `key value`.
std::optional<std::int64_t> valueOf(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.starts_with(key) && line.size() > key.size() && line[key.size()] == ' ') {
      return countOf(line.substr(key.size() + 1));
    }
  }
  return std::nullopt;
}

}  // namespace

std::int64_t MemoryEvents::kills() const {
  for (const char* file : {"/memory.events", "/memory/memory.oom_control"}) {
    if (const auto count = valueOf(textOf(directory_ + file), "oom_kill")) {
      return *count;
    }
  }
  return 0;
}

std::string MemoryEvents::limit() const {
  for (const char* file : {"/memory.max", "/memory/memory.limit_in_bytes"}) {
    const auto bytes = countOf(textOf(directory_ + file));
    if (bytes && *bytes < (std::int64_t{1} << 60)) {
      return std::to_string(*bytes / (1024 * 1024)) + "Mi";
    }
  }
  return "";
}

}  // namespace stagewright::stage
