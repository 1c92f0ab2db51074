// A word, a here-document or a value against an environment that the input brings along: the first
// byte chooses the escape character, then come values up to a NUL each, then the word.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "lib/dockerfile/expand.h"
#include "lib/dockerfile/values.h"

namespace {

namespace df = stagewright::dockerfile;

void require(bool condition) {
  if (!condition) {
    std::abort();
  }
}

void tryValues(std::string_view text) {
  static_cast<void>(df::parseMount(
      text,
      [](std::string_view word) -> stagewright::Result<std::string> { return std::string(word); }));
  static_cast<void>(df::parsePorts({std::string(text)}));
  static_cast<void>(df::checkStopSignal(text));
  if (const auto change = df::parseChmod(text)) {
    require(df::applyChmod(*change, 0644, true) <= 07777);
  }
  if (const auto duration = df::parseGoDuration(text)) {
    const auto again = df::parseGoDuration(df::formatGoDuration(*duration));
    require(again && *again == *duration);
  }
  const std::string clean = df::cleanPath(text);
  require(df::cleanPath(clean) == clean);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const char escape = !rest.empty() && (rest.front() & 1) != 0 ? '`' : '\\';
  rest.remove_prefix(rest.empty() ? 0 : 1);
  df::EnvironmentList environment;
  for (const std::string_view name : {"A", "B", "C"}) {
    const std::size_t end = rest.find('\0');
    if (end == std::string_view::npos) {
      break;
    }
    environment.set(name, rest.substr(0, end));
    rest.remove_prefix(end + 1);
  }
  if (const auto expansion = df::expandWord(rest, environment, escape)) {
    require(expansion->text.size() <= 64U * 1024 * 1024);
    for (const std::string& word : expansion->words) {
      require(!word.empty());
    }
  }
  static_cast<void>(df::expandHeredoc(rest, environment));
  tryValues(rest);
  return 0;
}
