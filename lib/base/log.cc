#include "lib/base/log.h"

#include <unistd.h>

#include <atomic>
#include <nlohmann/json.hpp>

#include "lib/base/clock.h"
#include "lib/base/json.h"

namespace stagewright::log {

namespace {
// Set in main() before threads start, read everywhere after.
std::atomic<Level> threshold{Level::kInfo};
std::string& component() {
  static std::string name = "stagewright";
  return name;
}

const char* nameOf(Level level) {
  switch (level) {
    case Level::kDebug: return "debug";
    case Level::kInfo: return "info";
    case Level::kWarn: return "warn";
    case Level::kError: return "error";
  }
  return "error";
}

void write(Level level, std::string_view message, Fields fields) {
  if (level < threshold.load(std::memory_order_relaxed)) {
    return;
  }
  nlohmann::ordered_json line;
  line["ts"] = formatMicroTime(SystemClock().now());
  line["level"] = nameOf(level);
  line["component"] = component();
  line["msg"] = message;
  for (const auto& [key, value] : fields) {
    line[std::string(key)] = value;
  }
  const std::string text = line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  // Nowhere to report a log that cannot be written.
  [[maybe_unused]] const ssize_t n = ::write(STDERR_FILENO, text.data(), text.size());
}
}  // namespace

void setLevel(Level level) { threshold.store(level, std::memory_order_relaxed); }
void setComponent(std::string_view name) { component() = name; }

void debug(std::string_view message, Fields fields) { write(Level::kDebug, message, fields); }
void info(std::string_view message, Fields fields) { write(Level::kInfo, message, fields); }
void warn(std::string_view message, Fields fields) { write(Level::kWarn, message, fields); }
void error(std::string_view message, Fields fields) { write(Level::kError, message, fields); }

}  // namespace stagewright::log
