#include "lib/dockerfile/words.h"

#include "lib/dockerfile/text.h"

namespace stagewright::dockerfile {
namespace {

/// Reads one flag, quotes removed and escapes resolved, up to a blank outside quotes.
class FlagReader {
 public:
  FlagReader(std::string_view text, char escape) : rest_(text), escape_(escape) {}

  std::string read() {
    std::string word;
    char quote = '\0';
    while (!rest_.empty()) {
      const char c = rest_.front();
      if (quote == '\0' && isSpace(decodeFirst(rest_).code)) {
        break;
      }
      rest_.remove_prefix(1);
      if (c == quote) {
        quote = '\0';
      } else if (quote == '\0' && (c == '\'' || c == '"')) {
        quote = c;
      } else if (c == escape_) {
        takeEscaped(word);
      } else {
        word += c;
      }
    }
    return word;
  }
  std::string_view rest() const { return rest_; }

 private:
  /// As the last character the escape character is dropped.
  void takeEscaped(std::string& word) {
    if (!rest_.empty()) {
      word += rest_.front();
      rest_.remove_prefix(1);
    }
  }

  std::string_view rest_;
  char escape_;
};

class QuotedWordReader {
 public:
  QuotedWordReader(std::string_view text, char escape)
      : rest_(text), escape_(static_cast<unsigned char>(escape)) {}

  /// One word; may be empty only if it held quotes.
  std::string read() {
    std::string word;
    char32_t quote = 0;
    while (!rest_.empty()) {
      const CodePoint c = decodeFirst(rest_);
      if (quote == 0 && isSpace(c.code)) {
        break;
      }
      const bool escapes = c.code == escape_ && quote != '\'';
      if (escapes && rest_.size() == c.length) {
        rest_ = {};  // an escape character at the very end is dropped
        break;
      }
      if (quote == 0 && (c.code == '\'' || c.code == '"')) {
        quote = c.code;
      } else if (c.code == quote) {
        quote = 0;
      }
      take(word, c.length);
      if (escapes) {
        take(word, decodeFirst(rest_).length);
      }
    }
    return word;
  }
  std::string_view rest() const { return rest_; }

 private:
  void take(std::string& word, std::size_t length) {
    word += rest_.substr(0, length);
    rest_.remove_prefix(length);
  }

  std::string_view rest_;
  char32_t escape_;
};

}  // namespace

SplitLine splitLine(std::string_view line, char escape) {
  SplitLine out;
  std::string_view text = trim(line);
  std::size_t length = 0;
  while (length < text.size() && !isWordSeparator(text[length])) {
    ++length;
  }
  out.keyword = text.substr(0, length);
  text = trimLeft(text.substr(length));
  while (text.substr(0, 2) == "--") {
    FlagReader reader(text, escape);
    std::string flag = reader.read();
    text = trimLeft(reader.rest());
    if (flag == "--") {
      break;
    }
    out.flags.push_back(std::move(flag));
  }
  out.rest = trim(text);
  return out;
}

std::vector<std::string> splitQuotedWords(std::string_view text, char escape) {
  std::vector<std::string> words;
  for (text = trimLeft(text); !text.empty(); text = trimLeft(text)) {
    QuotedWordReader reader(text, escape);
    std::string word = reader.read();
    text = reader.rest();
    if (!word.empty()) {
      words.push_back(std::move(word));
    }
  }
  return words;
}

std::vector<std::string> splitPlainWords(std::string_view text) {
  std::vector<std::string> words;
  std::size_t start = 0;
  while (start < text.size()) {
    std::size_t end = start;
    while (end < text.size() && !isWordSeparator(text[end])) {
      ++end;
    }
    if (end > start) {
      words.emplace_back(text.substr(start, end - start));
    }
    start = end + 1;
  }
  return words;
}

}  // namespace stagewright::dockerfile
