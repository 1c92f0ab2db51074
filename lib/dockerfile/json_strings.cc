#include "lib/dockerfile/json_strings.h"

#include <optional>

#include "lib/dockerfile/text.h"

namespace stagewright::dockerfile {
namespace {

constexpr std::size_t kMaxDepth = 512;

void appendUtf8(std::string& out, char32_t code) {
  const auto byte = [&](char32_t value) {
    out += static_cast<char>(static_cast<unsigned char>(value));
  };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xc0 | (code >> 6));
    byte(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    byte(0xe0 | (code >> 12));
    byte(0x80 | ((code >> 6) & 0x3f));
    byte(0x80 | (code & 0x3f));
  } else {
    byte(0xf0 | (code >> 18));
    byte(0x80 | ((code >> 12) & 0x3f));
    byte(0x80 | ((code >> 6) & 0x3f));
    byte(0x80 | (code & 0x3f));
  }
}

/// A strict JSON reader without recursion. It keeps the strings of the outermost array and only
/// checks the rest.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  JsonStrings read() {
    JsonStrings out;
    skipSpace();
    if (peek() != '[' || !readValues(out)) {
      return {};
    }
    skipSpace();
    if (!rest_.empty()) {
      return {};
    }
    out.kind = onlyStrings_ ? JsonStrings::Kind::kStrings : JsonStrings::Kind::kOtherArray;
    return out;
  }

 private:
  char peek() const { return rest_.empty() ? '\0' : rest_.front(); }
  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) {
      return false;
    }
    rest_.remove_prefix(1);
    return true;
  }
  void skipSpace() {
    while (!rest_.empty() &&
           (isBlank(rest_.front()) || rest_.front() == '\n' || rest_.front() == '\r')) {
      rest_.remove_prefix(1);
    }
  }

  bool readValues(JsonStrings& out) {
    take('[');
    open_.push_back(']');
    bool expectValue = true;  // false: behind a value
    bool justOpened = true;
    while (!open_.empty()) {
      skipSpace();
      if ((justOpened || !expectValue) && take(open_.back())) {
        open_.pop_back();
        expectValue = false;
        justOpened = false;
        continue;
      }
      if (!expectValue) {
        if (!take(',')) {
          return false;
        }
        expectValue = true;
        continue;
      }
      justOpened = false;
      if (open_.back() == '}' && !readKey()) {
        return false;
      }
      if (peek() == '[' || peek() == '{') {
        onlyStrings_ = false;
        if (open_.size() >= kMaxDepth) {
          return false;
        }
        open_.push_back(peek() == '[' ? ']' : '}');
        rest_.remove_prefix(1);
        justOpened = true;
        continue;
      }
      if (!readScalar(out)) {
        return false;
      }
      expectValue = false;
    }
    return true;
  }

  bool readKey() {
    skipSpace();
    if (!readString()) {
      return false;
    }
    skipSpace();
    const bool colon = take(':');
    skipSpace();
    return colon;
  }

  bool readScalar(JsonStrings& out) {
    if (peek() == '"') {
      std::optional<std::string> text = readString();
      if (text && open_.size() == 1) {
        out.values.push_back(std::move(*text));
      }
      return text.has_value();
    }
    onlyStrings_ = false;
    for (const std::string_view word : {"true", "false", "null"}) {
      if (rest_.substr(0, word.size()) == word) {
        rest_.remove_prefix(word.size());
        return true;
      }
    }
    return readNumber();
  }

  bool readDigits() {
    const std::size_t before = rest_.size();
    while (isAsciiDigit(peek())) {
      rest_.remove_prefix(1);
    }
    return rest_.size() < before;
  }

  bool readNumber() {
    take('-');
    if (!take('0') && !readDigits()) {
      return false;
    }
    if (take('.') && !readDigits()) {
      return false;
    }
    if (take('e') || take('E')) {
      if (!take('+')) {
        take('-');
      }
      return readDigits();
    }
    return true;
  }

  std::optional<std::string> readString() {
    if (!take('"')) {
      return std::nullopt;
    }
    std::string out;
    while (!rest_.empty()) {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') {
        return out;
      }
      if (static_cast<unsigned char>(c) < 0x20) {
        return std::nullopt;
      }
      if (c != '\\') {
        out += c;
      } else if (!readEscape(out)) {
        return std::nullopt;
      }
    }
    return std::nullopt;
  }

  bool readEscape(std::string& out) {
    constexpr std::string_view kNames = "\"\\/bfnrt";
    constexpr std::string_view kValues = "\"\\/\b\f\n\r\t";
    if (take('u')) {
      return readUnicodeEscape(out);
    }
    const std::size_t at = kNames.find(peek());
    if (rest_.empty() || at == std::string_view::npos) {
      return false;
    }
    rest_.remove_prefix(1);
    out += kValues[at];
    return true;
  }

  std::optional<char32_t> readHex() {
    char32_t code = 0;
    for (int i = 0; i < 4; ++i) {
      const std::size_t digit =
          std::string_view("0123456789abcdef").find(lower(rest_.substr(0, 1)));
      if (rest_.empty() || digit == std::string_view::npos) {
        return std::nullopt;
      }
      code = (code << 4) | static_cast<char32_t>(digit);
      rest_.remove_prefix(1);
    }
    return code;
  }

  /// Half a surrogate pair becomes U+FFFD, as in Go.
  bool readUnicodeEscape(std::string& out) {
    const std::optional<char32_t> first = readHex();
    if (!first) {
      return false;
    }
    if (*first < 0xd800 || *first > 0xdfff) {
      appendUtf8(out, *first);
      return true;
    }
    const std::string_view saved = rest_;
    if (*first < 0xdc00 && take('\\') && take('u')) {
      const std::optional<char32_t> second = readHex();
      if (second && *second >= 0xdc00 && *second <= 0xdfff) {
        appendUtf8(out, 0x10000 + ((*first - 0xd800) << 10) + (*second - 0xdc00));
        return true;
      }
    }
    rest_ = saved;
    appendUtf8(out, kInvalidCode);
    return true;
  }

  std::string_view rest_;
  std::string open_;  ///< closing brackets that are due
  bool onlyStrings_ = true;
};

}  // namespace

JsonStrings parseJsonStrings(std::string_view text) { return Reader(trimLeft(text)).read(); }

}  // namespace stagewright::dockerfile
