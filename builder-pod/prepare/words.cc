#include "builder-pod/prepare/words.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace stagewright::prepare {

std::string seconds(Millis duration) {
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), "%.1f s", static_cast<double>(duration.count()) / 1000);
  return text.data();
}

std::string byteSize(std::int64_t bytes) {
  std::array<char, 32> text;
  double size = static_cast<double>(bytes);
  const char* unit = "B";
  for (const char* larger : {"kB", "MB", "GB", "TB"}) {
    if (size < 1000) {
      break;
    }
    size /= 1000;
    unit = larger;
  }
  std::snprintf(text.data(), text.size(), bytes < 1000 ? "%.0f %s" : "%.1f %s", size, unit);
  return text.data();
}

std::string printable(std::string_view text) {
  std::string line(text);
  const auto isControl = [](unsigned char c) { return c < ' ' || c == 0x7f; };
  std::replace_if(line.begin(), line.end(), isControl, '?');
  return line;
}

}  // namespace stagewright::prepare
