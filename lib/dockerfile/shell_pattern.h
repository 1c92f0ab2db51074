// Patterns of `${n#p}` and its relatives (§4.2): `*`, `?`, `\`; no classes.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"

namespace stagewright::dockerfile {

class ShellPattern {
 public:
  /// kInvalid `invalid escape '\x'`: only `*`, `?`, `\`, `}` and `/` can be escaped.
  static Result<ShellPattern> parse(std::string_view text);

  /// `text` without the shortest or longest match at its front, its end.
  Result<std::string> trimPrefix(std::string_view text, bool longest) const;
  Result<std::string> trimSuffix(std::string_view text, bool longest) const;

  /// The first match, or all, replaced. In replacements of all matches `$name` is a group reference
  /// as in Go's regular expressions, of which only `$0` is not empty.
  Result<std::string> replaceFirst(std::string_view text, std::string_view replacement) const;
  Result<std::string> replaceAll(std::string_view text, std::string_view replacement) const;

 private:
  enum class Kind { kLiteral, kAny, kStar };
  struct Token {
    Kind kind;
    char32_t code = 0;
  };
  struct Span {
    std::size_t start;
    std::size_t end;
  };
  class Matcher;
  std::vector<Token> tokens_;
};

}  // namespace stagewright::dockerfile
