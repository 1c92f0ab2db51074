#include "lib/dockerfile/shell_lexer.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "lib/dockerfile/shell_pattern.h"
#include "lib/dockerfile/text.h"

namespace stagewright::dockerfile {
namespace {

constexpr int kMaxNesting = 128;
constexpr std::size_t kMaxResultBytes = 32 * 1024 * 1024;
constexpr std::size_t kMaxPatternBytes = 256 * 1024 * 1024;
constexpr char32_t kEnd = 0xffffffff;  // no character
constexpr std::string_view kMissingBrace = "syntax error: missing '}'";

/// Collects words. What came from a variable splits at blanks, what was quoted or escaped does not.
class WordCollector {
 public:
  void add(std::string_view text) {
    while (!text.empty()) {
      const CodePoint c = decodeFirst(text);
      addCharacter(c.code, text.substr(0, c.length));
      text.remove_prefix(c.length);
    }
  }
  void addCharacter(char32_t code, std::string_view bytes) {
    if (!isSpace(code)) {
      addRaw(bytes);
    } else if (inWord_ && !word_.empty()) {
      words_.push_back(std::move(word_));
      word_.clear();
      inWord_ = false;
    }
  }
  void addRaw(std::string_view text) {
    word_ += text;
    inWord_ = true;
  }
  std::vector<std::string> take() {
    if (!word_.empty()) {
      words_.push_back(std::move(word_));
      word_.clear();
    }
    return std::move(words_);
  }

 private:
  std::string word_;
  std::vector<std::string> words_;
  bool inWord_ = false;
};

/// `$@` and its relatives: always unset (§4.2).
bool isSpecialParameter(char32_t c) {
  switch (c) {
    case '@':
    case '*':
    case '#':
    case '?':
    case '-':
    case '$':
    case '!':
    case '0':
      return true;
    default:
      return false;
  }
}

class ShellLexer {
 public:
  ShellLexer(std::string_view text, const Environment& environment,
             const ShellLexerOptions& options)
      : rest_(text),
        environment_(environment),
        options_(options),
        rawEscapes_(options.rawEscapes) {}

  Result<Expansion> run() {
    Expansion out;
    TRY(out.text, lexUntil(kEnd, options_.rawEscapes, &out.words));
    out.variables = std::move(variables_);
    return out;
  }

 private:
  struct Value {
    std::string_view text;  ///< belongs to the environment
    bool isSet = false;
  };

  char32_t peek() const { return rest_.empty() ? kEnd : decodeFirst(rest_).code; }
  /// Takes one character and gives its bytes; empty at the end.
  std::string_view take() {
    const std::string_view bytes = rest_.substr(0, rest_.empty() ? 0 : decodeFirst(rest_).length);
    rest_.remove_prefix(bytes.size());
    return bytes;
  }
  bool isEscape(char32_t c) const { return c == static_cast<unsigned char>(options_.escape); }

  Value lookUp(const std::string& name) {
    const std::optional<std::string_view> found = environment_.find(name);
    (found ? variables_.used : variables_.unset).insert(name);
    return {found.value_or(""), found.has_value()};
  }

  Status grow(const std::string& out) const {
    return out.size() <= kMaxResultBytes ? ok()
                                         : Status(invalid("result is larger than 33554432 bytes"));
  }

  /// Bounds the work of many patterns on one large value.
  Status spend(std::size_t bytes) {
    patternBytes_ += bytes;
    return patternBytes_ <= kMaxPatternBytes ? ok()
                                             : Status(invalid("patterns take too much work"));
  }

  /// Text up to `stop`, which is consumed, or up to the end if `stop` is kEnd. `words` may be null.
  Result<std::string> lexUntil(char32_t stop, bool rawEscapes, std::vector<std::string>* words);
  Status lexOne(std::string& out, WordCollector& words);
  void lexEscaped(std::string& out, WordCollector& words);
  Result<std::string> lexSingleQuotes();
  Result<std::string> lexDoubleQuotes();
  void lexEscapeInQuotes(std::string& out);
  std::string lexPossibleHeredoc();
  Result<std::string> lexDollar();
  Result<std::string> lexBraces();
  Result<std::string> lexModifier(const std::string& name, std::string_view first);
  Result<std::string> lexReplacement(const std::string& name);
  Result<std::string> applyModifier(const std::string& name, const std::string& modifier,
                                    std::string word);
  Result<std::string> requireValue(const std::string& name, const Value& value, bool emptyIsUnset,
                                   const std::string& word) const;
  static Result<std::string> trimByPattern(const Value& value, char side, std::string_view word);
  std::string lexName();

  std::string_view rest_;
  const Environment& environment_;
  const ShellLexerOptions& options_;
  bool rawEscapes_;
  int nesting_ = 0;
  std::size_t patternBytes_ = 0;
  VariableUse variables_;
};

Result<std::string> ShellLexer::lexUntil(char32_t stop, bool rawEscapes,
                                         std::vector<std::string>* words) {
  if (nesting_ >= kMaxNesting) {
    return invalid("substitutions are nested more than 128 levels deep");
  }
  ++nesting_;
  const bool outerRawEscapes = std::exchange(rawEscapes_, rawEscapes);
  std::string out;
  WordCollector collector;
  bool stopped = false;
  while (!rest_.empty()) {
    if (stop != kEnd && peek() == stop) {
      take();
      stopped = true;
      break;
    }
    CHECK_OK(lexOne(out, collector));
    CHECK_OK(grow(out));
  }
  rawEscapes_ = outerRawEscapes;
  --nesting_;
  if (stop != kEnd && !stopped) {
    return invalid("unexpected end of statement while looking for matching " +
                   std::string(1, static_cast<char>(stop)));
  }
  if (words != nullptr) {
    *words = collector.take();
  }
  return out;
}

Status ShellLexer::lexOne(std::string& out, WordCollector& words) {
  const char32_t c = peek();
  if (c == '$') {
    TRY(const std::string value, lexDollar());
    out += value;
    words.add(value);
  } else if (c == '\'' && !options_.plainQuotes) {
    TRY(const std::string text, lexSingleQuotes());
    out += text;
    words.addRaw(text);
  } else if (c == '"' && !options_.plainQuotes) {
    TRY(const std::string text, lexDoubleQuotes());
    out += text;
    words.addRaw(text);
  } else if (c == '<') {
    const std::string text = lexPossibleHeredoc();
    out += text;
    words.addRaw(text);
  } else if (isEscape(c)) {
    lexEscaped(out, words);
  } else {
    const std::string_view bytes = take();
    out += bytes;
    words.addCharacter(c, bytes);
  }
  return ok();
}

/// The escape character goes, the next one is literal; as the last character it just goes (§4.3).
void ShellLexer::lexEscaped(std::string& out, WordCollector& words) {
  const std::string_view escape = take();
  if (rawEscapes_) {
    out += escape;
    words.addRaw(escape);
  }
  const std::string_view next = take();
  if (!next.empty()) {
    out += next;
    words.addRaw(next);
  }
}

Result<std::string> ShellLexer::lexSingleQuotes() {
  take();
  const std::size_t end = rest_.find('\'');
  if (end == std::string_view::npos) {
    rest_ = {};
    return invalid("unexpected end of statement while looking for matching single-quote");
  }
  const std::string_view inside = rest_.substr(0, end);
  rest_.remove_prefix(end + 1);
  return options_.rawQuotes ? "'" + std::string(inside) + "'" : std::string(inside);
}

Result<std::string> ShellLexer::lexDoubleQuotes() {
  take();
  std::string out = options_.rawQuotes ? "\"" : "";
  while (true) {
    const char32_t c = peek();
    if (c == kEnd) {
      return invalid("unexpected end of statement while looking for matching double-quote");
    }
    if (c == '"') {
      take();
      return options_.rawQuotes ? out + '"' : out;
    }
    if (c == '$') {
      TRY(const std::string value, lexDollar());
      out += value;
      CHECK_OK(grow(out));
    } else if (isEscape(c)) {
      lexEscapeInQuotes(out);
    } else {
      out += take();
    }
  }
}

/// Between double quotes only `"`, `$` and the escape character itself can be escaped.
void ShellLexer::lexEscapeInQuotes(std::string& out) {
  const std::string_view escape = take();
  if (rawEscapes_) {
    out += escape;
  }
  const char32_t next = peek();
  if (next == kEnd) {
    return;
  }
  out += next == '"' || next == '$' || isEscape(next) ? take() : escape;
}

/// Blanks between `<<` and a delimiter belong to its word (§3.1).
std::string ShellLexer::lexPossibleHeredoc() {
  std::string out(take());
  if (peek() != '<') {
    return out;
  }
  out += take();
  while (!rest_.empty() && isWordSeparator(rest_.front())) {
    out += take();
  }
  return out;
}

std::string ShellLexer::lexName() {
  std::string name;
  const char32_t first = peek();
  if (first == kEnd) {
    return name;
  }
  if (isDigit(first)) {
    while (peek() != kEnd && isDigit(peek())) {
      name += take();
    }
    return name;
  }
  if (isSpecialParameter(first)) {
    return std::string(take());
  }
  for (char32_t c = first; c != kEnd && (isLetter(c) || isDigit(c) || c == '_'); c = peek()) {
    name += take();
  }
  return name;
}

Result<std::string> ShellLexer::lexDollar() {
  take();
  if (peek() == '{') {
    take();
    return lexBraces();
  }
  const std::string name = lexName();
  if (name.empty()) {
    return std::string("$");
  }
  const Value value = lookUp(name);
  return !value.isSet && options_.keepUnset ? "$" + name : std::string(value.text);
}

Result<std::string> ShellLexer::lexBraces() {
  const char32_t first = peek();
  if (first == kEnd) {
    return invalid(std::string(kMissingBrace));
  }
  if (first == '{' || first == '}' || first == ':') {
    return invalid("syntax error: bad substitution");
  }
  const std::string name = lexName();
  if (peek() == kEnd) {
    return invalid("unsupported modifier (\xef\xbf\xbd) in substitution");  // as the end reads there
  }
  const std::string_view next = take();
  if (next == "}") {
    const Value value = lookUp(name);
    return !value.isSet && options_.keepUnset ? "${" + name + "}" : std::string(value.text);
  }
  if (next == "/") {
    return lexReplacement(name);
  }
  if (std::string_view(":+-?#%").find(next) != std::string_view::npos) {
    return lexModifier(name, next);
  }
  return invalid("unsupported modifier (" + std::string(next) + ") in substitution");
}

Result<std::string> ShellLexer::lexModifier(const std::string& name, std::string_view first) {
  std::string modifier(first);
  if (first == ":") {
    modifier += take();
  }
  const bool isPattern = modifier.back() == '#' || modifier.back() == '%';
  Result<std::string> word = lexUntil('}', isPattern, nullptr);
  if (!word) {
    return peek() == kEnd ? invalid(std::string(kMissingBrace)) : std::move(word).error();
  }
  return applyModifier(name, modifier, std::move(*word));
}

Result<std::string> ShellLexer::applyModifier(const std::string& name, const std::string& modifier,
                                              std::string word) {
  const Value value = lookUp(name);
  if (options_.keepUnset && !value.isSet) {
    return "${" + name + modifier + word + "}";
  }
  const bool emptyIsUnset = modifier.front() == ':';
  const bool missing = !value.isSet || (emptyIsUnset && value.text.empty());
  switch (modifier.back()) {
    case '-':
      return missing ? std::move(word) : std::string(value.text);
    case '+':
      return missing ? std::string() : std::move(word);
    case '?':
      return requireValue(name, value, emptyIsUnset, word);
    case '#':
    case '%':
      CHECK_OK(spend(value.text.size()));
      return trimByPattern(value, modifier.back(), word);
    default:
      return invalid("unsupported modifier (" + modifier + ") in substitution");
  }
}

Result<std::string> ShellLexer::requireValue(const std::string& name, const Value& value,
                                             bool emptyIsUnset, const std::string& word) const {
  if (!value.isSet) {
    return invalid(name + ": " + (word.empty() ? "is not allowed to be unset" : word));
  }
  if (emptyIsUnset && value.text.empty()) {
    return invalid(name + ": " + (word.empty() ? "is not allowed to be empty" : word));
  }
  return std::string(value.text);
}

/// A doubled sign asks for the longest match: the second one is the first character of `word`.
Result<std::string> ShellLexer::trimByPattern(const Value& value, char side,
                                              std::string_view word) {
  const bool longest = !word.empty() && word.front() == side;
  word.remove_prefix(longest ? 1 : 0);
  const Result<ShellPattern> pattern = ShellPattern::parse(word);
  if (!pattern) {
    return invalid("invalid pattern (" + std::string(word) +
                   ") in substitution: " + pattern.error().message);
  }
  return side == '#' ? pattern->trimPrefix(value.text, longest)
                     : pattern->trimSuffix(value.text, longest);
}

Result<std::string> ShellLexer::lexReplacement(const std::string& name) {
  const bool all = peek() == '/';
  if (all) {
    take();
  }
  Result<std::string> pattern = lexUntil('/', true, nullptr);
  if (!pattern) {
    return peek() == kEnd ? invalid("syntax error: missing '/' in ${}")
                          : std::move(pattern).error();
  }
  Result<std::string> replacement = lexUntil('}', true, nullptr);
  if (!replacement) {
    return peek() == kEnd ? invalid(std::string(kMissingBrace)) : std::move(replacement).error();
  }
  const Value value = lookUp(name);
  if (options_.keepUnset && !value.isSet) {
    return "${" + name + "/" + *pattern + "/" + *replacement + "}";
  }
  CHECK_OK(spend(value.text.size()));
  const Result<ShellPattern> parsed = ShellPattern::parse(*pattern);
  if (!parsed) {
    return invalid("invalid pattern (" + *pattern + ") in substitution: " + parsed.error().message);
  }
  return all ? parsed->replaceAll(value.text, *replacement)
             : parsed->replaceFirst(value.text, *replacement);
}

std::size_t countQuotes(std::string_view text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\'') +
                                  std::count(text.begin(), text.end(), '"'));
}

/// Takes the file descriptor in front of `<<`.
int takeDescriptor(std::string_view& word) {
  int descriptor = 0;
  while (!word.empty() && isAsciiDigit(word.front())) {
    const int digit = word.front() - '0';
    const bool overflow = descriptor > (std::numeric_limits<int>::max() - digit) / 10;
    descriptor = overflow ? std::numeric_limits<int>::max() : descriptor * 10 + digit;
    word.remove_prefix(1);
  }
  return descriptor;
}

}  // namespace

Result<Expansion> lexShell(std::string_view text, const Environment& environment,
                           const ShellLexerOptions& options) {
  return ShellLexer(text, environment, options).run();
}

std::optional<Heredoc> parseHeredocWord(std::string_view word) {
  Heredoc heredoc;
  heredoc.fileDescriptor = takeDescriptor(word);
  if (word.substr(0, 2) != "<<") {
    return std::nullopt;
  }
  word.remove_prefix(2);
  if (!word.empty() && word.front() == '-') {
    heredoc.chomp = true;
    word.remove_prefix(1);
  }
  while (!word.empty() && (isWordSeparator(word.front()) || word.front() == '\n')) {
    word.remove_prefix(1);
  }
  if (word.empty() || word.find('<') != std::string_view::npos) {
    return std::nullopt;
  }
  // Lexed with and without its quotes: if they differ, some part was quoted and the content is not
  // expanded.
  const EnvironmentList nothing;
  const Result<Expansion> plain = lexShell(word, nothing, {.keepUnset = true});
  const Result<Expansion> raw = lexShell(word, nothing, {.rawQuotes = true, .keepUnset = true});
  if (!plain || !raw || plain->words.size() != 1 || raw->words.size() != 1) {
    return std::nullopt;
  }
  heredoc.name = plain->words.front();
  heredoc.expand = countQuotes(heredoc.name) == countQuotes(raw->words.front());
  return heredoc;
}

std::vector<Heredoc> findHeredocs(std::string_view line) {
  std::vector<Heredoc> found;
  const EnvironmentList nothing;
  // A line that does not lex, for example with an open quote, has none; it is the shell's to
  // complain.
  const Result<Expansion> lexed =
      lexShell(line, nothing, {.rawQuotes = true, .rawEscapes = true, .keepUnset = true});
  if (lexed) {
    for (const std::string& word : lexed->words) {
      if (std::optional<Heredoc> heredoc = parseHeredocWord(word)) {
        found.push_back(std::move(*heredoc));
      }
    }
  }
  return found;
}

}  // namespace stagewright::dockerfile
