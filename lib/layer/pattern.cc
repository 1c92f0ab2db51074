#include "lib/layer/pattern.h"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace stagewright::layer {

namespace {

struct Rune {
  std::uint32_t value;
  std::size_t size;
};

/// The code point at the beginning of `text`; a byte that is no UTF-8 counts as U+FFFD, as in Go.
/// REQUIRES: not empty.
Rune runeAt(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x80) {
    return {first, 1};
  }
  const std::size_t size = first >= 0xf0 && first < 0xf5   ? 4
                           : first >= 0xe0 && first < 0xf0 ? 3
                           : first >= 0xc2 && first < 0xe0 ? 2
                                                           : 0;
  if (size == 0 || text.size() < size) {
    return {0xfffd, 1};
  }
  std::uint32_t value = first & (0xffu >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xc0) != 0x80) {
      return {0xfffd, 1};
    }
    value = (value << 6) | (byte & 0x3fu);
  }
  return {value, size};
}

std::uint32_t takeRune(std::string_view& text) {
  const Rune rune = runeAt(text);
  text.remove_prefix(rune.size);
  return rune.value;
}

/// One character of a class, perhaps escaped. Nothing if the pattern is malformed here.
std::optional<std::uint32_t> takeClassRune(std::string_view& pattern) {
  if (pattern.empty() || pattern[0] == '-' || pattern[0] == ']') {
    return std::nullopt;
  }
  if (pattern[0] == '\\') {
    pattern.remove_prefix(1);
    if (pattern.empty()) {
      return std::nullopt;
    }
  }
  const std::uint32_t value = takeRune(pattern);
  if (pattern.empty()) {
    return std::nullopt;
  }
  return value;
}

/// Consumes a class after its '[': whether `rune` is in it, or nothing if it is malformed.
std::optional<bool> takeClass(std::string_view& pattern, std::uint32_t rune) {
  const bool negated = pattern.starts_with('^');
  if (negated) {
    pattern.remove_prefix(1);
  }
  bool found = false;
  for (int ranges = 0;; ++ranges) {
    if (pattern.starts_with(']') && ranges > 0) {
      pattern.remove_prefix(1);
      return found != negated;
    }
    const auto low = takeClassRune(pattern);
    if (!low) {
      return std::nullopt;
    }
    auto high = low;
    if (pattern.starts_with('-')) {
      pattern.remove_prefix(1);
      high = takeClassRune(pattern);
      if (!high || *high < *low) {
        return std::nullopt;
      }
    }
    found = found || (*low <= rune && rune <= *high);
  }
}

enum class Match { kYes, kNo, kMalformed };

Match matchGlob(std::string_view pattern, std::string_view name) {
  while (!pattern.empty()) {
    const char c = pattern[0];
    if (c == '*') {
      pattern.remove_prefix(1);
      // Shortest first; a star never crosses a slash.
      for (std::size_t skip = 0;; ++skip) {
        const Match rest = matchGlob(pattern, name.substr(skip));
        if (rest != Match::kNo || skip == name.size() || name[skip] == '/') {
          return rest;
        }
      }
    }
    if (c == '[') {
      pattern.remove_prefix(1);
      const bool none = name.empty();
      const auto in = takeClass(pattern, none ? 0 : takeRune(name));
      if (!in || none || !*in) {
        return in ? Match::kNo : Match::kMalformed;
      }
      continue;
    }
    if (c == '?') {
      pattern.remove_prefix(1);
      if (name.empty() || name[0] == '/') {
        return Match::kNo;
      }
      takeRune(name);
      continue;
    }
    if (c == '\\') {
      pattern.remove_prefix(1);
      if (pattern.empty()) {
        return Match::kMalformed;
      }
    }
    if (name.empty() || name[0] != pattern[0]) {
      return Match::kNo;
    }
    name.remove_prefix(1);
    pattern.remove_prefix(1);
  }
  return name.empty() ? Match::kYes : Match::kNo;
}

std::string trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n\v\f");
  return begin == std::string_view::npos
             ? std::string()
             : std::string(text.substr(begin, text.find_last_not_of(" \t\r\n\v\f") - begin + 1));
}

/// filepath.Clean.
std::string cleaned(std::string_view text) {
  const bool rooted = text.starts_with('/');
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('/', begin), text.size());
    const std::string_view part = text.substr(begin, end - begin);
    begin = end + 1;
    if (part.empty() || part == ".") {
      continue;
    }
    if (part == ".." && !parts.empty() && parts.back() != "..") {
      parts.pop_back();
    } else if (part != ".." || !rooted) {
      parts.push_back(part);
    }
  }
  std::string out = rooted ? "/" : "";
  for (std::size_t i = 0; i < parts.size(); ++i) {
    out.append(i == 0 ? "" : "/").append(parts[i]);
  }
  return out.empty() ? "." : out;
}

}  // namespace

bool matchesGlob(std::string_view pattern, std::string_view name) {
  return isWellFormedGlob(pattern) && matchGlob(pattern, name) == Match::kYes;
}

bool isWellFormedGlob(std::string_view pattern) {
  while (!pattern.empty()) {
    const char c = pattern[0];
    pattern.remove_prefix(1);
    if (c == '[' && !takeClass(pattern, 0)) {
      return false;
    }
    if (c == '\\') {
      if (pattern.empty()) {
        return false;
      }
      pattern.remove_prefix(1);
    }
  }
  return true;
}

bool hasWildcard(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '*' || text[i] == '?' || text[i] == '[') {
      return true;
    }
  }
  return false;
}

Result<PatternList> PatternList::make(const std::vector<std::string>& patterns) {
  PatternList list;
  for (const std::string& raw : patterns) {
    std::string text = trim(raw);
    if (text.empty()) {
      continue;
    }
    text = cleaned(text);
    const bool exception = text[0] == '!';
    if (exception) {
      if (text.size() == 1) {
        return invalid("illegal exclusion pattern: \"!\"");
      }
      text.erase(0, 1);
    }
    if (!isWellFormedGlob(text)) {
      return invalid("syntax error in pattern " + quoted(text));
    }
    list.patterns_.push_back(compile(std::move(text)));
    list.patterns_.back().exception = exception;
    list.exceptions_ = list.exceptions_ || exception;
  }
  return list;
}

PatternList::Pattern PatternList::compile(std::string text) {
  // Text without special characters is compared as it is; a list of tokens only where it is needed.
  // The kinds, and that a leading `**` alone makes a plain suffix of the rest, are
  // moby/patternmatcher's.
  Pattern p;
  std::string_view rest = text;
  const auto literal = [&p](std::string_view bytes) {
    if (p.tokens.empty() || p.tokens.back().kind != Token::Kind::kLiteral) {
      p.tokens.push_back({Token::Kind::kLiteral, ""});
    }
    p.tokens.back().text += bytes;
  };
  while (!rest.empty()) {
    const bool first = rest.size() == text.size();
    const char c = rest[0];
    rest.remove_prefix(1);
    if (c == '*' && rest.starts_with('*')) {
      rest.remove_prefix(rest.starts_with("*/") ? 2 : 1);
      const bool last = rest.empty();
      p.tokens.push_back({last ? Token::Kind::kAnyPath : Token::Kind::kAnyDirectories, ""});
      p.kind = first                                     ? Pattern::Kind::kSuffix
               : last && p.kind == Pattern::Kind::kExact ? Pattern::Kind::kPrefix
                                                         : Pattern::Kind::kTokens;
    } else if (c == '*' || c == '?') {
      p.tokens.push_back({c == '*' ? Token::Kind::kAnyName : Token::Kind::kAnyChar, ""});
      p.kind = Pattern::Kind::kTokens;
    } else if (c == '[') {
      std::string_view end = rest;
      takeClass(end, 0);
      p.tokens.push_back(
          {Token::Kind::kClass, std::string(rest.substr(0, rest.size() - end.size()))});
      rest = end;
      p.kind = Pattern::Kind::kTokens;
    } else if (c == '\\') {
      literal(rest.substr(0, 1));
      rest.remove_prefix(1);
      p.kind = Pattern::Kind::kTokens;
    } else {
      literal(std::string_view(&c, 1));
      p.kind = c == ']' ? Pattern::Kind::kTokens : p.kind;
    }
  }
  p.text = std::move(text);
  return p;
}

bool PatternList::matchesOne(const Pattern& pattern, std::string_view path) {
  switch (pattern.kind) {
    case Pattern::Kind::kExact:
      return path == pattern.text;
    case Pattern::Kind::kPrefix:
      return path.starts_with(std::string_view(pattern.text).substr(0, pattern.text.size() - 2));
    case Pattern::Kind::kSuffix: {
      const std::string_view suffix = std::string_view(pattern.text).substr(2);
      return path.ends_with(suffix) || (suffix.starts_with('/') && path == suffix.substr(1));
    }
    case Pattern::Kind::kTokens:
      return matchesTokens(pattern.tokens, path);
  }
  return false;
}

bool PatternList::matchesTokens(const std::vector<Token>& tokens, std::string_view path) {
  // reach[i]: the tokens so far can end before byte i.
  std::vector<char> reach(path.size() + 1, 0);
  reach[0] = 1;
  for (const Token& token : tokens) {
    std::vector<char> next(path.size() + 1, 0);
    for (std::size_t i = 0; i <= path.size(); ++i) {
      if (reach[i] == 0) {
        continue;
      }
      std::string_view rest = path.substr(i);
      switch (token.kind) {
        case Token::Kind::kLiteral:
          if (rest.starts_with(token.text)) {
            next[i + token.text.size()] = 1;
          }
          break;
        case Token::Kind::kAnyChar:
          if (!rest.empty() && rest[0] != '/') {
            next[i + runeAt(rest).size] = 1;
          }
          break;
        case Token::Kind::kClass:
          if (!rest.empty()) {
            const Rune rune = runeAt(rest);
            std::string_view text = token.text;
            if (takeClass(text, rune.value).value_or(false)) {
              next[i + rune.size] = 1;
            }
          }
          break;
        case Token::Kind::kAnyName:
          for (std::size_t j = i; j <= path.size() && (j == i || path[j - 1] != '/'); ++j) {
            next[j] = 1;
          }
          break;
        case Token::Kind::kAnyDirectories:  // (.*/)?
          next[i] = 1;
          for (std::size_t j = i; j < path.size(); ++j) {
            if (path[j] == '/') {
              next[j + 1] = 1;
            }
          }
          break;
        case Token::Kind::kAnyPath:
          std::fill(next.begin() + static_cast<std::ptrdiff_t>(i), next.end(), 1);
          break;
      }
    }
    reach = std::move(next);
  }
  return reach[path.size()] != 0;
}

bool PatternList::matches(std::string_view path, const Memory& parent, Memory& memory) const {
  memory.assign(patterns_.size(), 0);
  bool matched = false;
  for (std::size_t i = 0; i < patterns_.size(); ++i) {
    const Pattern& pattern = patterns_[i];
    bool match = !parent.empty() && parent[i] != 0;
    if (!match) {
      // A pattern that could not change the result is not asked, and remembered as not matching.
      if (pattern.exception != matched) {
        continue;
      }
      match = matchesOne(pattern, path);
      if (!match && parent.empty()) {
        for (std::size_t slash = path.find('/'); slash != std::string_view::npos && !match;
             slash = path.find('/', slash + 1)) {
          match = matchesOne(pattern, path.substr(0, slash));
        }
      }
    }
    memory[i] = match ? 1 : 0;
    if (match) {
      matched = !pattern.exception;
    }
  }
  return matched;
}

}  // namespace stagewright::layer
