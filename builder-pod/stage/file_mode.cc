#include "builder-pod/stage/file_mode.h"

#include <charconv>
#include <string>

namespace stagewright::stage {

namespace {
constexpr std::uint32_t kUser = 04700;
constexpr std::uint32_t kGroup = 02070;
constexpr std::uint32_t kOther = 0007;
constexpr std::uint32_t kAll = kUser | kGroup | kOther;
constexpr std::uint32_t kSticky = 01000;

Error malformed(std::string_view text) {
  return invalid("invalid chmod parameter: '" + std::string(text) +
                 "'. it should be octal string and between 0 and 07777");
}
}  // namespace

Result<FileMode> FileMode::parse(std::string_view text) {
  FileMode mode;
  if (text.empty()) {
    return malformed(text);
  }
  if (text[0] >= '0' && text[0] <= '9') {
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), mode.number_, 8);
    if (error != std::errc() || end != text.data() + text.size() || mode.number_ > 07777) {
      return malformed(text);
    }
    mode.numeric_ = true;
    return mode;
  }
  for (std::string_view rest = text;;) {
    if (!parseClause(mode, rest)) {
      return malformed(text);
    }
    if (rest.empty()) {
      return mode;
    }
    rest.remove_prefix(1);  // the comma
  }
}

/// `ugo` then one or more operations; stops at a comma or the end.
bool FileMode::parseClause(FileMode& mode, std::string_view& text) {
  std::uint32_t who = 0;
  for (; !text.empty(); text.remove_prefix(1)) {
    const char c = text[0];
    if (c != 'a' && c != 'u' && c != 'g' && c != 'o') {
      break;
    }
    who |= c == 'a' ? kAll : c == 'u' ? kUser : c == 'g' ? kGroup : kOther;
  }
  do {
    const char op = text.empty() ? '\0' : text[0];
    if (op != '+' && op != '-' && op != '=') {
      return false;
    }
    text.remove_prefix(1);
    parseActions(mode, text, op, who);
  } while (!text.empty() && text[0] != ',');
  return true;
}

void FileMode::parseActions(FileMode& mode, std::string_view& text, char op, std::uint32_t who) {
  std::uint32_t permissions = 0;
  std::uint32_t conditional = 0;
  bool cleared = op != '=';  // "=" clears once, then adds
  const auto flush = [&](bool atEnd) {
    if (permissions != 0 || (atEnd && !cleared)) {
      addOperation(mode, op, who, permissions);
      permissions = 0;
      cleared = true;
    }
    if (conditional != 0) {
      addOperation(mode, 'X', who, conditional);
      conditional = 0;
    }
  };
  // With only "other" named, set-id and sticky mean nothing.
  const bool special = who == 0 || (who & ~kOther) != 0;
  for (;; text.remove_prefix(1)) {
    switch (text.empty() ? '\0' : text[0]) {
      case 'r':
        permissions |= 0444;
        break;
      case 'w':
        permissions |= 0222;
        break;
      case 'x':
        permissions |= 0111;
        break;
      case 'X':
        (op == '-' ? permissions : conditional) |= 0111;
        break;
      case 's':
        permissions |= special ? 06000 : 0;
        break;
      case 't':
        if (special) {
          permissions |= kSticky;
          who |= kSticky;
        }
        break;
      case 'u':
      case 'g':
      case 'o':
        flush(false);
        addCopy(mode, text[0], who, op);
        cleared = true;
        break;
      default:
        flush(true);
        return;
    }
  }
}

void FileMode::addOperation(FileMode& mode, char op, std::uint32_t who, std::uint32_t permissions) {
  if (op == '=') {
    mode.commands_.push_back({'-', who != 0 ? who : kAll});
    op = '+';
  }
  mode.commands_.push_back({op, who != 0 ? who & permissions : permissions});
}

void FileMode::addCopy(FileMode& mode, char from, std::uint32_t who, char op) {
  const std::uint32_t places = who == 0 ? 0777
                                        : ((who & 0400) != 0 ? 0700u : 0u) |
                                              ((who & 0040) != 0 ? 0070u : 0u) |
                                              ((who & 0004) != 0 ? 0007u : 0u);
  mode.commands_.push_back({from, places, op != '-', op != '+'});
}

std::uint32_t FileMode::applyCopy(const Command& c, std::uint32_t mode) {
  const std::uint32_t shift = c.op == 'u' ? 6 : c.op == 'g' ? 3 : 0;
  const std::uint32_t value = (mode >> shift) & 7;
  const std::uint32_t everywhere = (value << 6 | value << 3 | value) & c.bits;
  if (c.clear) {
    mode &= ~(c.set ? c.bits : everywhere);
  }
  return c.set ? mode | everywhere : mode;
}

std::uint32_t FileMode::apply(std::uint32_t mode, bool isDirectory) const {
  if (numeric_) {
    return number_;
  }
  const std::uint32_t before = mode;
  for (const Command& c : commands_) {
    switch (c.op) {
      case '+':
        mode |= c.bits;
        break;
      case '-':
        mode &= ~c.bits;
        break;
      case 'X':
        mode |= isDirectory || (before & 0111) != 0 ? c.bits : 0;
        break;
      default:
        mode = applyCopy(c, mode);
        break;
    }
  }
  return mode & 07777;
}

}  // namespace stagewright::stage
