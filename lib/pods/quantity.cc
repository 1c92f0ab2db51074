#include "lib/pods/quantity.h"

#include <cmath>
#include <string>

namespace stagewright::pods {

namespace {
constexpr double kMaxExact = 9007199254740992.0;  // 2^53

bool isDigit(char c) { return c >= '0' && c <= '9'; }

/// Reads digits with at most one dot from `pos` on; NaN if there is no digit.
double readDecimal(std::string_view text, std::size_t& pos) {
  double value = 0;
  double scale = 0;
  bool any = false;
  for (; pos < text.size() && (isDigit(text[pos]) || (text[pos] == '.' && scale == 0)); ++pos) {
    if (text[pos] == '.') {
      scale = 1;
      continue;
    }
    value = value * 10 + (text[pos] - '0');
    scale *= 10;
    any = true;
  }
  return !any ? std::nan("") : scale > 1 ? value / scale : value;
}

double suffixFactor(std::string_view suffix) {
  static constexpr std::string_view kDecimal = "kMGTPE";
  static constexpr std::string_view kBinary = "KMGTPE";
  if (suffix.empty()) {
    return 1;
  }
  if (suffix.size() == 2 && suffix[1] == 'i' && kBinary.find(suffix[0]) != std::string_view::npos) {
    return std::pow(1024.0, static_cast<double>(kBinary.find(suffix[0]) + 1));
  }
  if (suffix.size() == 1 && kDecimal.find(suffix[0]) != std::string_view::npos) {
    return std::pow(1000.0, static_cast<double>(kDecimal.find(suffix[0]) + 1));
  }
  return suffix == "m" ? 1e-3 : suffix == "u" ? 1e-6 : suffix == "n" ? 1e-9 : std::nan("");
}

/// `e3`, `E-2`.
double exponentFactor(std::string_view suffix) {
  std::size_t pos = 1;
  const bool negative = pos < suffix.size() && suffix[pos] == '-';
  if (pos < suffix.size() && (suffix[pos] == '-' || suffix[pos] == '+')) {
    ++pos;
  }
  int exponent = 0;
  const std::size_t start = pos;
  for (; pos < suffix.size() && isDigit(suffix[pos]) && exponent < 1000; ++pos) {
    exponent = exponent * 10 + (suffix[pos] - '0');
  }
  return pos == start || pos != suffix.size() ? std::nan("")
                                              : std::pow(10.0, negative ? -exponent : exponent);
}
}  // namespace

Result<double> parseQuantity(std::string_view text) {
  const auto bad = [&] {
    return invalid("expected a quantity such as 500m or 4Gi, got " + quoted(text, 64));
  };
  if (text.size() > 32) {
    return bad();
  }
  std::size_t pos = 0;
  const double number = readDecimal(text, pos);
  const std::string_view suffix = text.substr(pos);
  const bool exponent = suffix.size() > 1 && (suffix[0] == 'e' || suffix[0] == 'E');
  const double value = number * (exponent ? exponentFactor(suffix) : suffixFactor(suffix)) * 1000;
  if (!(value <= kMaxExact)) {  // NaN included
    return bad();
  }
  return value;
}

bool quantityLess(std::string_view a, std::string_view b) {
  const Result<double> left = parseQuantity(a);
  const Result<double> right = parseQuantity(b);
  return left && (!right || *left < *right);
}

}  // namespace stagewright::pods
