// Characters and strings as Go's standard library sees them; BuildKit's rules are defined in its
// terms.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace stagewright::dockerfile {

/// One character at the start of `text`. An invalid byte is one character of length 1 with code
/// kInvalidCode, so that text which is no UTF-8 passes through unchanged. REQUIRES: `text` is not
/// empty.
struct CodePoint {
  char32_t code = 0;
  std::size_t length = 1;
};
inline constexpr char32_t kInvalidCode = 0xfffd;
CodePoint decodeFirst(std::string_view text);

bool isSpace(char32_t c);  ///< unicode.IsSpace
bool isLetter(char32_t c);
bool isDigit(char32_t c);
bool isPrintable(char32_t c);  ///< strconv.IsPrint

inline bool isAsciiDigit(char c) { return c >= '0' && c <= '9'; }
inline bool isBlank(char c) { return c == ' ' || c == '\t'; }
/// The separators of plain words: `[\t\v\f\r ]`.
inline bool isWordSeparator(char c) {
  return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r';
}

std::string_view trimLeft(std::string_view text);  ///< strings.TrimLeftFunc(unicode.IsSpace)
std::string_view trimRight(std::string_view text);
std::string_view trim(std::string_view text);

std::string lower(std::string_view text);  ///< ASCII only
std::string upper(std::string_view text);
bool equalFold(std::string_view a, std::string_view b);
std::vector<std::string> splitAt(std::string_view text, char separator);
std::string join(const std::vector<std::string>& parts, std::string_view separator);

}  // namespace stagewright::dockerfile
