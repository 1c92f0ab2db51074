// One pattern of an ignore file or of a wildcard, compiled (§6.4, §8.2).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"

namespace stagewright::dockerfile {

/// Go's rules for `*`, `?`, `[…]` and `\`, plus `**` if asked for. Immutable after parsing.
class Glob {
 public:
  enum class DoubleStar { kCrossesSlashes, kOrdinary };

  /// kInvalid `syntax error in pattern`.
  static Result<Glob> parse(std::string_view pattern, DoubleStar doubleStar);

  bool matches(std::string_view text) const;
  /// What every match begins with.
  std::string_view literalPrefix() const { return prefix_; }

 private:
  enum class Kind : std::uint8_t {
    kLiteral,
    kAny,  ///< `?`: one character, not `/`
    kClass,
    kStar,  ///< `*`: any characters, not `/`
    kDirs,  ///< `**` before something: nothing, or anything that ends with `/`
    kRest,  ///< `**` at the end, or the `**` of `**tail`: anything
  };
  struct Range {
    char32_t first;
    char32_t last;
  };
  struct Token {
    Kind kind = Kind::kLiteral;
    bool negated = false;
    char32_t code = 0;
    std::vector<Range> ranges;
  };
  class Parser;

  static bool matchesOne(const Token& token, char32_t code);
  bool matchesTokens(std::string_view text) const;

  std::vector<Token> tokens_;
  std::string prefix_;    ///< literal text before the first wildcard
  std::string suffix_;    ///< literal text behind the last wildcard
  bool literal_ = false;  ///< no wildcard: prefix_ is the whole pattern
};

}  // namespace stagewright::dockerfile
