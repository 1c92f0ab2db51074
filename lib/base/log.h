// JSON lines on standard error: a constant message and key-values.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace stagewright::log {

enum class Level { kDebug, kInfo, kWarn, kError };

/// Lines below `level` are dropped. Call once, early in main().
void setLevel(Level level);
/// Name that stands in every line as "component".
void setComponent(std::string_view name);

using Field = std::pair<std::string_view, std::string>;
using Fields = std::initializer_list<Field>;

/// One write(2) per line, so lines of several threads never mix. Thread-safe.
/// error: a human must act; warn: odd but handled; info: state changes; debug: chatter.
void debug(std::string_view message, Fields fields = {});
void info(std::string_view message, Fields fields = {});
void warn(std::string_view message, Fields fields = {});
void error(std::string_view message, Fields fields = {});

}  // namespace stagewright::log
