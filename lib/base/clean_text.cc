#include "lib/base/clean_text.h"

#include <algorithm>
#include <vector>

namespace stagewright {

namespace {
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr std::string_view kEllipsis = "\xE2\x80\xA6";

/// Length of the UTF-8 sequence at `pos`, 0 if it is not valid.
std::size_t sequenceLength(std::string_view text, std::size_t pos) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(pos);
  const std::size_t length = lead < 0x80                    ? 1
                             : lead >= 0xC2 && lead <= 0xDF ? 2
                             : (lead & 0xF0) == 0xE0        ? 3
                             : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                            : 0;
  if (length == 0 || pos + length > text.size()) {
    return 0;
  }
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(pos + i) & 0xC0) != 0x80) {
      return 0;
    }
  }
  const bool overlong =
      (lead == 0xE0 && byte(pos + 1) < 0xA0) || (lead == 0xF0 && byte(pos + 1) < 0x90);
  const bool outside =
      (lead == 0xED && byte(pos + 1) > 0x9F) || (lead == 0xF4 && byte(pos + 1) > 0x8F);
  return overlong || outside ? 0 : length;
}

/// Of a valid sequence.
char32_t codePoint(std::string_view sequence) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(sequence[i]); };
  char32_t out = sequence.size() == 1   ? byte(0)
                 : sequence.size() == 2 ? byte(0) & 0x1FU
                 : sequence.size() == 3 ? byte(0) & 0x0FU
                                        : byte(0) & 0x07U;
  for (std::size_t i = 1; i < sequence.size(); ++i) {
    out = out << 6 | (byte(i) & 0x3FU);
  }
  return out;
}

bool isControl(char32_t c) {
  const bool c0OrC1 = (c < 0x20 && c != '\n') || (c >= 0x7F && c < 0xA0);
  const bool separator = c == 0x2028 || c == 0x2029;
  const bool direction = c == 0x061C || c == 0x200E || c == 0x200F ||
                         (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
  return c0OrC1 || separator || direction;
}

bool isFinal(char c) { return c >= 0x40 && c <= 0x7E; }

/// Length of the terminal sequence at `pos`, 0 if there is none: ESC [ … final, ESC ] … BEL or
/// ESC \, ESC and one character.
std::size_t escapeLength(std::string_view text, std::size_t pos) {
  if (text[pos] != '\x1b' || pos + 1 == text.size()) {
    return 0;
  }
  const char kind = text[pos + 1];
  std::size_t end = pos + 2;
  if (kind == '[') {
    while (end < text.size() && text[end] >= 0x20 && text[end] <= 0x3F) {
      ++end;
    }
    return end < text.size() && isFinal(text[end]) ? end + 1 - pos : 0;
  }
  if (kind == ']' || kind == 'P' || kind == '_' || kind == '^' || kind == 'X') {
    while (end < text.size() && text[end] != '\x07' && text[end] != '\x1b' && text[end] != '\n') {
      ++end;
    }
    const bool ends = end < text.size() && text[end] != '\n';
    return !ends ? 0 : (text[end] == '\x07' || end + 1 == text.size() ? end + 1 : end + 2) - pos;
  }
  return isFinal(kind) ? 2 : 0;
}

/// Appends the next character of `text` at `pos`, cleaned, and moves on.
void takeOne(std::string_view text, std::size_t& pos, std::string& out) {
  if (const std::size_t escape = escapeLength(text, pos); escape > 0) {
    pos += escape;
    return;
  }
  const std::size_t length = sequenceLength(text, pos);
  const std::string_view sequence = text.substr(pos, std::max<std::size_t>(length, 1));
  out += length == 0 ? kReplacement : isControl(codePoint(sequence)) ? " " : sequence;
  pos += sequence.size();
}

/// What is left of a line after every return to its start.
std::string_view lastState(std::string_view line) {
  while (!line.empty() && line.back() == '\r') {
    line.remove_suffix(1);
  }
  const std::size_t start = line.rfind('\r');
  return start == std::string_view::npos ? line : line.substr(start + 1);
}
}  // namespace

std::string cleanText(std::string_view text, std::size_t limit) {
  std::string out;
  std::size_t lastFit = 0;  // where the ellipsis would still fit
  for (std::size_t pos = 0; pos < text.size();) {
    takeOne(text, pos, out);
    if (out.size() > limit) {
      out.resize(lastFit);
      return limit < kEllipsis.size() ? std::string() : out.append(kEllipsis);
    }
    if (out.size() + kEllipsis.size() <= limit) {
      lastFit = out.size();
    }
  }
  return out;
}

std::string cleanLine(std::string_view text, std::size_t limit) {
  std::string out = cleanText(text, limit);
  std::replace(out.begin(), out.end(), '\n', ' ');
  return out;
}

std::string cleanTail(std::string_view text, std::size_t limit) {
  std::vector<std::string> lines;  // the last one first
  std::size_t size = 0;
  while (!text.empty()) {
    const std::size_t newline = text.rfind('\n');
    const std::size_t start = newline == std::string_view::npos ? 0 : newline + 1;
    std::string line = cleanText(lastState(text.substr(start)), limit);
    text = text.substr(0, start == 0 ? 0 : newline);
    const bool emptyEnd = lines.empty() && line.find_first_not_of(' ') == std::string::npos;
    if (emptyEnd) {
      continue;
    }
    size += line.size() + (lines.empty() ? 0 : 1);
    if (size > limit) {
      break;
    }
    lines.push_back(std::move(line));
  }
  std::string out;
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    out += (out.empty() && line == lines.rbegin() ? "" : "\n") + *line;
  }
  return out;
}

}  // namespace stagewright
