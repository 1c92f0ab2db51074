// An ignore file, then after a NUL a path. Walking down must agree with asking directly, and a
// directory that may be skipped must hold nothing that is re-included.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "lib/dockerfile/ignore.h"
#include "lib/dockerfile/values.h"

namespace {

namespace df = stagewright::dockerfile;

void require(bool condition) {
  if (!condition) {
    std::abort();
  }
}

void walk(const df::IgnoreMatcher& matcher, const std::string& path) {
  df::IgnoreMatcher::State state;
  bool skipped = false;
  for (std::size_t end = path.find('/'); end != std::string::npos; end = path.find('/', end + 1)) {
    const std::string directory = path.substr(0, end);
    state = matcher.step(directory, state);
    skipped = skipped || (state.excluded() && matcher.canSkipDirectory(directory));
  }
  state = matcher.step(path, state);
  require(state.excluded() == matcher.excludes(path));
  require(!skipped || state.excluded());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = input.find('\0');
  const std::string_view text = input.substr(0, end);
  const std::string path =
      df::cleanPath(end == std::string_view::npos ? "a/b/c" : input.substr(end + 1));
  const std::vector<std::string> patterns = df::parseIgnoreFile(text);
  for (const std::string& pattern : patterns) {
    static_cast<void>(df::matchGlob(pattern, path));
  }
  const stagewright::Result<df::IgnoreMatcher> matcher = df::makeIgnoreMatcher(patterns);
  if (matcher && path.front() != '/') {
    walk(*matcher, path);
  }
  return 0;
}
