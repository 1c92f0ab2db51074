// `--chmod`: octal, or the symbolic expressions of BSD's setmode with umask 0 (§6.7).
#include "lib/dockerfile/go_format.h"
#include "lib/dockerfile/text.h"
#include "lib/dockerfile/values.h"

namespace stagewright::dockerfile {
namespace {

constexpr std::uint32_t kSetuid = 04000;
constexpr std::uint32_t kSetgid = 02000;
constexpr std::uint32_t kSticky = 01000;
constexpr std::uint32_t kOther = 0007;
constexpr std::uint32_t kExecute = 0111;
constexpr std::uint32_t kAllModes = 07777;
constexpr std::uint32_t kStandard = kSetuid | kSetgid | 0777;

struct ModeInput {
  std::uint32_t original;
  bool isDirectory;
};

std::uint32_t whoBits(char who) {
  switch (who) {
    case 'u':
      return kSetuid | 0700;
    case 'g':
      return kSetgid | 0070;
    case 'o':
      return kOther;
    default:
      return kStandard;
  }
}

bool isWho(char c) { return c == 'u' || c == 'g' || c == 'o' || c == 'a'; }
bool isOperator(char c) { return c == '+' || c == '-' || c == '='; }

/// Three bits of one class, repeated for all classes.
std::uint32_t copiedBits(char from, std::uint32_t mode) {
  const std::uint32_t bits = (mode >> (from == 'u' ? 6 : from == 'g' ? 3 : 0)) & 7;
  return bits | (bits << 3) | (bits << 6);
}

/// Reads and applies one clause such as `u=rwX` or `go+x-w`; false if it is malformed.
class Clause {
 public:
  Clause(std::string_view text, const ModeInput& input) : rest_(text), input_(input) {}

  bool apply(std::uint32_t& mode) {
    while (!rest_.empty() && isWho(rest_.front())) {
      who_ |= whoBits(rest_.front());
      rest_.remove_prefix(1);
    }
    if (rest_.empty()) {
      return false;
    }
    while (!rest_.empty()) {
      if (!isOperator(rest_.front())) {
        return false;
      }
      const char operation = rest_.front();
      rest_.remove_prefix(1);
      applyOperation(operation, mode);
    }
    return true;
  }

 private:
  void applyOperation(char operation, std::uint32_t& mode) {
    std::uint32_t affected = who_ == 0 ? kStandard : who_;
    std::uint32_t bits = 0;
    while (!rest_.empty() && !isOperator(rest_.front()) &&
           addPermission(rest_.front(), mode, affected, bits)) {
      rest_.remove_prefix(1);
    }
    bits &= affected;
    switch (operation) {
      case '+':
        mode |= bits;
        break;
      case '-':
        mode &= ~bits;
        break;
      default:
        mode = (mode & ~affected) | bits;
        break;
    }
  }

  /// Set-id bits and the sticky bit are ignored if only "other" is meant.
  bool addPermission(char c, std::uint32_t mode, std::uint32_t& affected,
                     std::uint32_t& bits) const {
    const bool onlyOther = who_ == kOther;
    switch (c) {
      case 'r':
        bits |= 0444;
        return true;
      case 'w':
        bits |= 0222;
        return true;
      case 'x':
        bits |= kExecute;
        return true;
      case 'X':
        bits |= input_.isDirectory || (input_.original & kExecute) != 0 ? kExecute : 0;
        return true;
      case 's':
        bits |= onlyOther ? 0 : kSetuid | kSetgid;
        return true;
      case 't':
        affected |= onlyOther ? 0 : kSticky;
        bits |= onlyOther ? 0 : kSticky;
        return true;
      case 'u':
      case 'g':
      case 'o':
        bits |= copiedBits(c, mode);
        return true;
      default:
        return false;
    }
  }

  std::string_view rest_;
  const ModeInput& input_;
  std::uint32_t who_ = 0;
};

bool applySymbolic(std::string_view text, const ModeInput& input, std::uint32_t& mode) {
  for (const std::string& clause : splitAt(text, ',')) {
    if (!Clause(clause, input).apply(mode)) {
      return false;
    }
  }
  return true;
}

}  // namespace

Result<ModeChange> parseChmod(std::string_view text) {
  ModeChange out;
  const std::optional<std::uint32_t> octal = parseGoUint32(text, 8);
  const bool isSymbolic = !text.empty() && !isAsciiDigit(text.front());
  std::uint32_t scratch = 0;
  if (octal && *octal <= kAllModes) {
    out.absolute = octal;
  } else if (isSymbolic && applySymbolic(text, {0, false}, scratch)) {
    out.symbolic = text;
  } else {
    return invalid("invalid chmod parameter: '" + std::string(text) +
                   "'. it should be octal string and between 0 and 07777" +
                   (isSymbolic ? ", or symbolic: invalid syntax" : ""));
  }
  return out;
}

std::uint32_t applyChmod(const ModeChange& change, std::uint32_t mode, bool isDirectory) {
  if (change.absolute) {
    return *change.absolute;
  }
  std::uint32_t out = mode & kAllModes;
  applySymbolic(change.symbolic, {out, isDirectory}, out);
  return out;
}

}  // namespace stagewright::dockerfile
