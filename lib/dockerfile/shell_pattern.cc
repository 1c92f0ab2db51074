#include "lib/dockerfile/shell_pattern.h"

#include <algorithm>

#include "lib/dockerfile/text.h"

namespace stagewright::dockerfile {
namespace {

// Comparisons of one operation. Enough for any honest value; keeps a hostile one from occupying a
// worker.
constexpr std::size_t kWorkLimit = 50'000'000;

struct Character {
  char32_t code;
  std::string_view bytes;
};

std::vector<Character> charactersOf(std::string_view text) {
  std::vector<Character> out;
  while (!text.empty()) {
    const CodePoint c = decodeFirst(text);
    // An invalid byte equals itself only.
    const char32_t code = c.code == kInvalidCode && c.length == 1
                              ? 0x110000U + static_cast<unsigned char>(text[0])
                              : c.code;
    out.push_back({code, text.substr(0, c.length)});
    text.remove_prefix(c.length);
  }
  return out;
}

std::string textOf(const std::vector<Character>& characters, std::size_t from, std::size_t to) {
  std::string out;
  for (std::size_t i = from; i < to; ++i) {
    out += characters[i].bytes;
  }
  return out;
}

bool isGroupNameCharacter(char c) {
  return isAsciiDigit(c) || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// Go's Regexp.Expand with group 0 only.
std::string expandTemplate(std::string_view replacement, std::string_view whole) {
  std::string out;
  while (!replacement.empty()) {
    const std::size_t at = replacement.find('$');
    out += replacement.substr(0, at);
    if (at == std::string_view::npos) {
      break;
    }
    replacement.remove_prefix(at + 1);
    if (!replacement.empty() && replacement.front() == '$') {
      out += '$';
      replacement.remove_prefix(1);
      continue;
    }
    const bool braces = !replacement.empty() && replacement.front() == '{';
    const std::string_view rest = replacement.substr(braces ? 1 : 0);
    std::size_t length = 0;
    while (length < rest.size() && isGroupNameCharacter(rest[length])) {
      ++length;
    }
    if (length == 0 || (braces && (length == rest.size() || rest[length] != '}'))) {
      out += '$';  // no reference: stays as it is
      continue;
    }
    const std::string_view name = rest.substr(0, length);
    if (name.find_first_not_of('0') == std::string_view::npos) {
      out += whole;
    }
    replacement.remove_prefix(length + (braces ? 2 : 0));
  }
  return out;
}

}  // namespace

/// Matches at given places of one text, within a budget.
class ShellPattern::Matcher {
 public:
  Matcher(const std::vector<Token>& tokens, const std::vector<Character>& text)
      : tokens_(tokens), text_(text) {}

  /// End of the match that starts at `start`; nothing if there is none. `*` and `?` do not cross a
  /// newline.
  Result<std::optional<std::size_t>> matchAt(std::size_t start, bool longest) {
    // Segments between stars are placed one after the other, each at its first possible place. That
    // finds the shortest match; for the longest one, the last segment is then moved as far back as
    // it goes.
    std::size_t token = 0;
    std::size_t at = start;
    std::size_t end = segmentEnd(token);
    if (!matchesSegment(token, end, at)) {
      return finish(std::nullopt);
    }
    at += end - token;
    token = end;
    while (token < tokens_.size()) {
      ++token;  // the star
      end = segmentEnd(token);
      const bool last = end == tokens_.size();
      std::optional<std::size_t> place = placeSegment(token, end, at, last && longest);
      if (!place) {
        return finish(std::nullopt);
      }
      at = *place + (end - token);
      token = end;
    }
    return finish(at);
  }

  /// The first match from `from` on, with the longest extent.
  Result<std::optional<Span>> find(std::size_t from) {
    for (std::size_t start = from; start <= text_.size(); ++start) {
      TRY(const std::optional<std::size_t> end, matchAt(start, true));
      if (end) {
        return std::optional<Span>(Span{start, *end});
      }
    }
    return std::optional<Span>();
  }

 private:
  std::size_t segmentEnd(std::size_t token) const {
    while (token < tokens_.size() && tokens_[token].kind != Kind::kStar) {
      ++token;
    }
    return token;
  }

  bool matchesSegment(std::size_t token, std::size_t end, std::size_t at) {
    if (end - token > text_.size() - at) {
      return false;
    }
    for (; token < end; ++token, ++at) {
      ++work_;
      const char32_t code = text_[at].code;
      if (tokens_[token].kind == Kind::kAny ? code == '\n' : code != tokens_[token].code) {
        return false;
      }
    }
    return true;
  }

  /// First or last place at or after `at` for a segment, with no newline skipped on the way.
  std::optional<std::size_t> placeSegment(std::size_t token, std::size_t end, std::size_t at,
                                          bool lastOne) {
    std::optional<std::size_t> found;
    for (; at <= text_.size() && work_ < kWorkLimit; ++at) {
      ++work_;
      if (matchesSegment(token, end, at)) {
        found = at;
        if (!lastOne) {
          return found;
        }
      }
      if (at < text_.size() && text_[at].code == '\n') {
        break;
      }
    }
    return found;
  }

  Result<std::optional<std::size_t>> finish(std::optional<std::size_t> end) const {
    if (work_ >= kWorkLimit) {
      return invalid("pattern takes too much work");
    }
    return end;
  }

  const std::vector<Token>& tokens_;
  const std::vector<Character>& text_;
  std::size_t work_ = 0;
};

Result<ShellPattern> ShellPattern::parse(std::string_view text) {
  ShellPattern pattern;
  const std::vector<Character> characters = charactersOf(text);
  for (std::size_t i = 0; i < characters.size(); ++i) {
    char32_t code = characters[i].code;
    if (code == '*' || code == '?') {
      const Kind kind = code == '*' ? Kind::kStar : Kind::kAny;
      pattern.tokens_.push_back({kind, 0});
      continue;
    }
    if (code == '\\') {
      const std::string_view escaped =
          i + 1 < characters.size() ? characters[i + 1].bytes : std::string_view();
      if (escaped != "}" && escaped != "/" && escaped != "*" && escaped != "?" && escaped != "\\") {
        return invalid("invalid escape '\\" + std::string(escaped) + "'");
      }
      code = characters[++i].code;
    }
    pattern.tokens_.push_back({Kind::kLiteral, code});
  }
  return pattern;
}

Result<std::string> ShellPattern::trimPrefix(std::string_view text, bool longest) const {
  const std::vector<Character> characters = charactersOf(text);
  TRY(const std::optional<std::size_t> end, Matcher(tokens_, characters).matchAt(0, longest));
  return end ? textOf(characters, *end, characters.size()) : std::string(text);
}

Result<std::string> ShellPattern::trimSuffix(std::string_view text, bool longest) const {
  // Leftmost matching on both reversed, as the shortest match at the end is not the first that a
  // search finds.
  std::vector<Character> characters = charactersOf(text);
  std::reverse(characters.begin(), characters.end());
  std::vector<Token> reversed(tokens_.rbegin(), tokens_.rend());
  TRY(const std::optional<std::size_t> end, Matcher(reversed, characters).matchAt(0, longest));
  if (!end) {
    return std::string(text);
  }
  std::reverse(characters.begin(), characters.end());
  return textOf(characters, 0, characters.size() - *end);
}

Result<std::string> ShellPattern::replaceFirst(std::string_view text,
                                               std::string_view replacement) const {
  const std::vector<Character> characters = charactersOf(text);
  TRY(const std::optional<Span> span, Matcher(tokens_, characters).find(0));
  if (!span) {
    return std::string(text);
  }
  return textOf(characters, 0, span->start) + std::string(replacement) +
         textOf(characters, span->end, characters.size());
}

Result<std::string> ShellPattern::replaceAll(std::string_view text,
                                             std::string_view replacement) const {
  const std::vector<Character> characters = charactersOf(text);
  Matcher matcher(tokens_, characters);
  std::string out;
  std::size_t copied = 0;
  std::size_t from = 0;
  while (from <= characters.size()) {
    TRY(const std::optional<Span> span, matcher.find(from));
    if (!span) {
      break;
    }
    out += textOf(characters, copied, span->start);
    // As in Go, an empty match right behind another match does not count.
    if (span->end > copied || span->start == 0) {
      out += expandTemplate(replacement, textOf(characters, span->start, span->end));
    }
    copied = span->end;
    from = std::max(span->end, from + 1);
  }
  return out + textOf(characters, copied, characters.size());
}

}  // namespace stagewright::dockerfile
