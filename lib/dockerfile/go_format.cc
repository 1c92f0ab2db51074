#include "lib/dockerfile/go_format.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "lib/dockerfile/text.h"
#include "lib/dockerfile/values.h"

namespace stagewright::dockerfile {
namespace {

constexpr std::int64_t kMicrosecond = 1'000;
constexpr std::int64_t kMillisecond = 1'000'000;
constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::uint64_t kMaxDuration = std::uint64_t{1} << 63;

void appendHex(std::string& out, char32_t code, int digits) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) {
    out += kDigits[(code >> shift) & 15];
  }
}

void appendEscaped(std::string& out, char32_t code) {
  constexpr std::string_view kControls = "\a\b\t\n\v\f\r";  // 7 to 13
  constexpr std::string_view kNames = "abtnvfr";
  if (code >= 7 && code < 7 + kControls.size()) {
    out += '\\';
    out += kNames[code - 7];
  } else if (code < 0x20 || code == 0x7f) {
    out += "\\x";
    appendHex(out, code, 2);
  } else if (code < 0x10000) {
    out += "\\u";
    appendHex(out, code, 4);
  } else {
    out += "\\U";
    appendHex(out, code, 8);
  }
}

std::optional<std::int64_t> unitOf(std::string_view unit) {
  struct Row {
    std::string_view name;
    std::int64_t nanoseconds;
  };
  static constexpr std::array<Row, 8> kUnits = {{{"ns", 1},
                                                 {"us", kMicrosecond},
                                                 {"µs", kMicrosecond},  // U+00B5
                                                 {"μs", kMicrosecond},  // U+03BC
                                                 {"ms", kMillisecond},
                                                 {"s", kSecond},
                                                 {"m", kMinute},
                                                 {"h", kHour}}};
  for (const Row& row : kUnits) {
    if (row.name == unit) {
      return row.nanoseconds;
    }
  }
  return std::nullopt;
}

/// One number with its unit, such as `1.5h`, taken from the front.
class DurationReader {
 public:
  explicit DurationReader(std::string_view whole) : whole_(whole) {}

  Result<std::uint64_t> readPart(std::string_view& rest) {
    const std::size_t digits = countDigits(rest);
    std::uint64_t value = 0;
    if (!readDigits(rest.substr(0, digits), value)) {
      return bad();
    }
    rest.remove_prefix(digits);
    std::string_view fraction;
    if (!rest.empty() && rest.front() == '.') {
      fraction = rest.substr(1, countDigits(rest.substr(1)));
      rest.remove_prefix(1 + fraction.size());
    }
    if (digits == 0 && fraction.empty()) {
      return bad();
    }
    std::size_t length = 0;
    while (length < rest.size() && rest[length] != '.' && !isAsciiDigit(rest[length])) {
      ++length;
    }
    if (length == 0) {
      return invalid("time: missing unit in duration " + goQuoted(whole_));
    }
    const std::string_view name = rest.substr(0, length);
    rest.remove_prefix(length);
    const std::optional<std::int64_t> unit = unitOf(name);
    if (!unit) {
      return invalid("time: unknown unit " + goQuoted(name) + " in duration " + goQuoted(whole_));
    }
    return combine(value, fraction, static_cast<std::uint64_t>(*unit));
  }

  Error bad() const { return invalid("time: invalid duration " + goQuoted(whole_)); }

 private:
  static std::size_t countDigits(std::string_view text) {
    return static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), isAsciiDigit) -
                                    text.begin());
  }
  static bool readDigits(std::string_view digits, std::uint64_t& value) {
    for (const char c : digits) {
      if (value > kMaxDuration / 10) {
        return false;
      }
      value = value * 10 + static_cast<std::uint64_t>(c - '0');
    }
    return value <= kMaxDuration;
  }
  Result<std::uint64_t> combine(std::uint64_t value, std::string_view fraction,
                                std::uint64_t unit) const {
    if (value > kMaxDuration / unit) {
      return bad();
    }
    double part = 0;
    double scale = 1;
    for (const char c : fraction.substr(0, 18)) {  // more digits are below a nanosecond of any unit
      part = part * 10 + (c - '0');
      scale *= 10;
    }
    const std::uint64_t total =
        value * unit + static_cast<std::uint64_t>(part * (static_cast<double>(unit) / scale));
    return total <= kMaxDuration ? Result<std::uint64_t>(total) : bad();
  }

  std::string_view whole_;
};

/// `value` in units of `unit` with up to nine decimals and no trailing zeros.
std::string decimal(std::uint64_t value, std::uint64_t unit) {
  std::string out = std::to_string(value / unit);
  std::uint64_t rest = value % unit;
  if (rest == 0) {
    return out;
  }
  out += '.';
  while (rest > 0) {
    unit /= 10;
    out += static_cast<char>('0' + rest / unit);
    rest %= unit;
  }
  return out;
}

}  // namespace

std::string goQuoted(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const CodePoint c = decodeFirst(text);
    if (c.code == '"' || c.code == '\\') {
      out += '\\';
      out += text.front();
    } else if (c.code == kInvalidCode && c.length == 1) {
      out += "\\x";
      appendHex(out, static_cast<unsigned char>(text.front()), 2);
    } else if (isPrintable(c.code)) {
      out += text.substr(0, c.length);
    } else {
      appendEscaped(out, c.code);
    }
    text.remove_prefix(c.length);
  }
  return out + '"';
}

Result<std::int64_t> parseGoDuration(std::string_view text) {
  DurationReader reader(text);
  std::string_view rest = text;
  bool negative = false;
  if (!rest.empty() && (rest.front() == '-' || rest.front() == '+')) {
    negative = rest.front() == '-';
    rest.remove_prefix(1);
  }
  if (rest == "0") {
    return 0;
  }
  if (rest.empty()) {
    return reader.bad();
  }
  std::uint64_t total = 0;
  while (!rest.empty()) {
    TRY(const std::uint64_t part, reader.readPart(rest));
    total += part;
    if (total > kMaxDuration) {
      return reader.bad();
    }
  }
  if (!negative && total == kMaxDuration) {
    return reader.bad();
  }
  return negative ? static_cast<std::int64_t>(0 - total) : static_cast<std::int64_t>(total);
}

std::string formatGoDuration(std::int64_t nanoseconds) {
  if (nanoseconds == 0) {
    return "0s";
  }
  const std::string sign = nanoseconds < 0 ? "-" : "";
  const auto value = nanoseconds < 0 ? 0 - static_cast<std::uint64_t>(nanoseconds)
                                     : static_cast<std::uint64_t>(nanoseconds);
  if (value < kMicrosecond) {
    return sign + std::to_string(value) + "ns";
  }
  if (value < kMillisecond) {
    return sign + decimal(value, kMicrosecond) + "µs";
  }
  if (value < kSecond) {
    return sign + decimal(value, kMillisecond) + "ms";
  }
  std::string out = sign;
  if (value >= kHour) {
    out += std::to_string(value / kHour) + "h";
  }
  if (value >= kMinute) {
    out += std::to_string(value % kHour / kMinute) + "m";
  }
  return out + decimal(value % kMinute, kSecond) + "s";
}

Result<std::int64_t> parseGoInt(std::string_view text, int bits) {
  std::string_view digits = text;
  if (!digits.empty() && digits.front() == '+') {
    digits.remove_prefix(1);
    if (!digits.empty() && digits.front() == '-') {
      digits = {};
    }
  }
  std::int64_t value = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 10);
  const std::string prefix = "strconv.ParseInt: parsing " + goQuoted(text) + ": ";
  if (digits.empty() || code == std::errc::invalid_argument ||
      end != digits.data() + digits.size()) {
    return invalid(prefix + "invalid syntax");
  }
  const std::int64_t limit =
      bits < 64 ? std::int64_t{1} << (bits - 1) : std::numeric_limits<std::int64_t>::max();
  if (code == std::errc::result_out_of_range || (bits < 64 && (value >= limit || value < -limit))) {
    return invalid(prefix + "value out of range");
  }
  return value;
}

std::optional<std::uint32_t> parseGoUint32(std::string_view text, int base) {
  std::uint32_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || code != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

std::optional<bool> parseGoBool(std::string_view text) {
  for (const std::string_view yes : {"1", "t", "T", "TRUE", "true", "True"}) {
    if (text == yes) {
      return true;
    }
  }
  for (const std::string_view no : {"0", "f", "F", "FALSE", "false", "False"}) {
    if (text == no) {
      return false;
    }
  }
  return std::nullopt;
}

std::optional<std::int64_t> parseRamSize(std::string_view text) {
  const std::size_t lastOfNumber = text.find_last_of("0123456789. ");
  if (lastOfNumber == std::string_view::npos) {
    return std::nullopt;
  }
  const std::string suffix = lower(text.substr(lastOfNumber + 1));
  const std::string_view number =
      text.substr(0, text[lastOfNumber] == ' ' ? lastOfNumber : lastOfNumber + 1);
  double value = 0;
  const auto [end, code] = std::from_chars(number.data(), number.data() + number.size(), value,
                                           std::chars_format::fixed);
  if (number.empty() || code != std::errc() || end != number.data() + number.size() || value < 0) {
    return std::nullopt;
  }
  constexpr std::string_view kUnits = "bkmgtp";
  if (!suffix.empty()) {
    const std::size_t unit = kUnits.find(suffix.front());
    const std::string_view tail = std::string_view(suffix).substr(1);
    if (unit == std::string_view::npos ||
        (!tail.empty() && (unit == 0 || (tail != "b" && tail != "ib")))) {
      return std::nullopt;
    }
    value *= static_cast<double>(std::int64_t{1} << (10 * unit));
  }
  if (value >= 9.2e18) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(value);
}

}  // namespace stagewright::dockerfile
