#include "lib/dockerfile/glob.h"

#include <algorithm>
#include <optional>

#include "lib/dockerfile/text.h"

namespace stagewright::dockerfile {
namespace {

Error badPattern() { return invalid("syntax error in pattern"); }

bool endsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

/// An invalid byte is a character of its own that equals no other.
char32_t codeAt(std::string_view text, const CodePoint& c) {
  return c.code == kInvalidCode && c.length == 1
             ? 0x110000U + static_cast<unsigned char>(text.front())
             : c.code;
}

char32_t takeCode(std::string_view& text) {
  const CodePoint c = decodeFirst(text);
  const char32_t code = codeAt(text, c);
  text.remove_prefix(c.length);
  return code;
}

}  // namespace

class Glob::Parser {
 public:
  Parser(std::string_view pattern, DoubleStar doubleStar)
      : rest_(pattern), crosses_(doubleStar == DoubleStar::kCrossesSlashes) {}

  Result<Glob> run() {
    while (!rest_.empty()) {
      CHECK_OK(readToken());
    }
    finish();
    return std::move(glob_);
  }

 private:
  Status readToken() {
    Token token;
    switch (rest_.front()) {
      case '*':
        return readStars();
      case '?':
        rest_.remove_prefix(1);
        token.kind = Kind::kAny;
        break;
      case '[':
        rest_.remove_prefix(1);
        return readClass();
      case '\\':
        rest_.remove_prefix(1);
        if (rest_.empty()) {
          return badPattern();
        }
        break;
      default:
        break;
    }
    if (token.kind == Kind::kLiteral) {
      const std::string_view at = rest_;
      token.code = takeCode(rest_);
      literals_ += at.substr(0, at.size() - rest_.size());
    } else {
      noteWildcard();
    }
    glob_.tokens_.push_back(std::move(token));
    return ok();
  }

  void noteWildcard() {
    if (!wildcardSeen_) {
      glob_.prefix_ = literals_;
    }
    wildcardSeen_ = true;
    literals_.clear();
  }

  /// `**` swallows a slash behind it. In front of a tail without wildcards, `**tail` may begin
  /// inside a component.
  Status readStars() {
    const bool atStart = glob_.tokens_.empty();
    rest_.remove_prefix(1);
    Token token;
    token.kind = Kind::kStar;
    if (crosses_ && !rest_.empty() && rest_.front() == '*') {
      rest_.remove_prefix(1);
      const bool slash = !rest_.empty() && rest_.front() == '/';
      rest_.remove_prefix(slash ? 1 : 0);
      const bool plainTail = rest_.find_first_of("*?[]\\") == std::string_view::npos;
      token.kind = rest_.empty() || (atStart && !slash && plainTail) ? Kind::kRest : Kind::kDirs;
    }
    noteWildcard();
    glob_.tokens_.push_back(std::move(token));
    return ok();
  }

  /// One character of a class; `-` and `]` must be escaped to stand there.
  Result<char32_t> readClassCharacter() {
    if (rest_.empty() || rest_.front() == '-' || rest_.front() == ']') {
      return badPattern();
    }
    if (rest_.front() == '\\') {
      rest_.remove_prefix(1);
      if (rest_.empty()) {
        return badPattern();
      }
    }
    const char32_t code = takeCode(rest_);
    if (rest_.empty() || code > 0x10ffff) {
      return badPattern();  // a class must be closed
    }
    return code;
  }

  Status readClass() {
    Token token;
    token.kind = Kind::kClass;
    token.negated = !rest_.empty() && rest_.front() == '^';
    rest_.remove_prefix(token.negated ? 1 : 0);
    while (token.ranges.empty() || rest_.empty() || rest_.front() != ']') {
      TRY(const char32_t first, readClassCharacter());
      Range range{first, first};
      if (rest_.front() == '-') {
        rest_.remove_prefix(1);
        TRY(range.last, readClassCharacter());
      }
      if (range.last < range.first && crosses_) {
        return badPattern();
      }
      token.ranges.push_back(range);
    }
    rest_.remove_prefix(1);
    noteWildcard();
    glob_.tokens_.push_back(std::move(token));
    return ok();
  }

  void finish() {
    glob_.literal_ = !wildcardSeen_;
    (glob_.literal_ ? glob_.prefix_ : glob_.suffix_) = literals_;
  }

  std::string_view rest_;
  bool crosses_;
  bool wildcardSeen_ = false;
  std::string literals_;  ///< since the last wildcard
  Glob glob_;
};

Result<Glob> Glob::parse(std::string_view pattern, DoubleStar doubleStar) {
  return Parser(pattern, doubleStar).run();
}

bool Glob::matches(std::string_view text) const {
  if (literal_) {
    return text == prefix_;
  }
  return text.substr(0, prefix_.size()) == prefix_ && endsWith(text, suffix_) &&
         matchesTokens(text);
}

bool Glob::matchesOne(const Token& token, char32_t code) {
  switch (token.kind) {
    case Kind::kLiteral:
      return code == token.code;
    case Kind::kAny:
      return code != '/';
    case Kind::kClass: {
      // Unlike `*` and `?`, a class may match the slash, a negated one too.
      const bool inside = std::any_of(
          token.ranges.begin(), token.ranges.end(),
          [&](const Range& range) { return code >= range.first && code <= range.last; });
      return inside != token.negated;
    }
    default:
      return false;
  }
}

/// Follows all ways through the tokens at once: time is bounded by length of text times number of
/// tokens. A state is the number of tokens passed; the second half of the states stand inside a
/// `**` that ends with `/`.
bool Glob::matchesTokens(std::string_view text) const {
  const std::size_t count = tokens_.size();
  std::vector<char> now(count + 1, 0);
  std::vector<char> next(count + 1, 0);
  std::vector<char> inside(count + 1, 0);  // within the run of a kDirs token
  const auto skipOptional = [&](std::vector<char>& states) {
    for (std::size_t i = 0; i < count; ++i) {
      const Kind kind = tokens_[i].kind;
      if (states[i] != 0 && (kind == Kind::kStar || kind == Kind::kRest || kind == Kind::kDirs)) {
        states[i + 1] = 1;
      }
    }
  };
  now[0] = 1;
  skipOptional(now);
  while (!text.empty()) {
    const char32_t code = takeCode(text);
    bool alive = false;
    std::fill(next.begin(), next.end(), 0);
    for (std::size_t i = 0; i < count; ++i) {
      const Token& token = tokens_[i];
      if (token.kind == Kind::kDirs) {
        inside[i] = inside[i] != 0 || now[i] != 0;
        if (inside[i] != 0) {
          alive = true;
          next[i + 1] = code == '/' ? 1 : next[i + 1];
        }
      } else if (now[i] != 0) {
        const bool stays = token.kind == Kind::kRest || (token.kind == Kind::kStar && code != '/');
        next[i] = stays ? 1 : next[i];
        if (matchesOne(token, code)) {
          next[i + 1] = 1;
        }
        alive = alive || stays || next[i + 1] != 0;
      }
    }
    if (!alive) {
      return false;
    }
    skipOptional(next);
    now.swap(next);
  }
  return now[count] != 0;
}

}  // namespace stagewright::dockerfile
