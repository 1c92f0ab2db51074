#include "lib/dockerfile/source.h"

#include "lib/dockerfile/text.h"

namespace stagewright::dockerfile {
namespace {

std::string_view sourceText(const Source& source) {
  const std::string_view text = source.text;
  return text.substr(0, 3) == "\xef\xbb\xbf" ? text.substr(3) : text;
}

std::size_t startOfLine(std::string_view text, int number) {
  std::size_t start = 0;
  for (int line = 1; line < number; ++line) {
    const std::size_t end = text.find('\n', start);
    if (end == std::string_view::npos) {
      return text.size();
    }
    start = end + 1;
  }
  return start;
}

bool isTokenEdge(std::string_view text, std::size_t at) {
  return at >= text.size() || isSpace(static_cast<unsigned char>(text[at]));
}

/// A place where `token` stands alone is better than one inside another word.
std::size_t findToken(std::string_view text, std::string_view token) {
  std::size_t first = std::string_view::npos;
  for (std::size_t at = text.find(token); at != std::string_view::npos;
       at = text.find(token, at + 1)) {
    first = first == std::string_view::npos ? at : first;
    if ((at == 0 || isTokenEdge(text, at - 1)) && isTokenEdge(text, at + token.size())) {
      return at;
    }
  }
  return first;
}

int columnOf(std::string_view line, std::size_t offset) {
  int column = 1;
  for (std::size_t at = 0; at < offset && at < line.size();
       at += decodeFirst(line.substr(at)).length) {
    ++column;
  }
  return column;
}

}  // namespace

std::string_view lineOf(const Source& source, int number) {
  if (number < 1) {
    return {};
  }
  const std::string_view text = sourceText(source);
  const std::string_view rest = text.substr(startOfLine(text, number));
  std::string_view line = rest.substr(0, rest.find('\n'));
  while (!line.empty() && line.back() == '\r') {
    line.remove_suffix(1);
  }
  return line;
}

SourceRange locateToken(const Source& source, const SourceRange& range, std::string_view token) {
  if (token.empty() || range.line < 1) {
    return range;
  }
  const std::string_view text = sourceText(source);
  const std::size_t start = startOfLine(text, range.line);
  const std::size_t end = startOfLine(text.substr(start), range.endLine - range.line + 2);
  const std::string_view block = text.substr(start, end);
  const std::size_t at = findToken(block, token);
  if (at == std::string_view::npos) {
    return range;
  }
  SourceRange out = range;
  std::size_t lineStart = 0;
  for (std::size_t i = 0; i < at; ++i) {
    if (block[i] == '\n') {
      ++out.line;
      lineStart = i + 1;
    }
  }
  out.column = columnOf(block.substr(lineStart), at - lineStart);
  return out;
}

}  // namespace stagewright::dockerfile
