#include "lib/layer/tar_header.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace stagewright::layer {

std::string_view fieldText(const Block& block, Field field) {
  const char* begin = block.data() + field.offset;
  return std::string_view(begin, ::strnlen(begin, field.size));
}

namespace {
Result<std::int64_t> base256(const Block& block, Field field) {
  const char* begin = block.data() + field.offset;
  // The first byte is 0x80 for a positive number, 0xff for a negative one (its lower bits belong to
  // the number).
  const bool negative = (static_cast<unsigned char>(begin[0]) & 0x40) != 0;
  std::uint64_t value = negative ? ~std::uint64_t{0} : 0;
  for (std::size_t i = 0; i < field.size; ++i) {
    auto byte = static_cast<unsigned char>(begin[i]);
    if (i == 0) {
      byte = static_cast<unsigned char>(negative ? (byte | 0x80) : (byte & 0x7f));
    }
    const std::uint64_t top = value >> 55;
    if (top != 0 && top != 0x1ff) {
      return invalid("tar header: number out of range");
    }
    value = (value << 8) | byte;
  }
  return static_cast<std::int64_t>(value);
}
}  // namespace

Result<std::int64_t> fieldNumber(const Block& block, Field field) {
  if ((static_cast<unsigned char>(block[field.offset]) & 0x80) != 0) {
    return base256(block, field);
  }
  std::string_view text(block.data() + field.offset, field.size);
  const std::size_t begin = text.find_first_not_of(std::string_view(" \0", 2));
  if (begin == std::string_view::npos) {
    return std::int64_t{0};
  }
  text = text.substr(begin);
  text = text.substr(0, text.find_first_of(std::string_view(" \0", 2)));
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 8);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) {
    return invalid("tar header: expected an octal number, got " + quoted(text));
  }
  return value;
}

void setText(Block& block, Field field, std::string_view text) {
  std::memcpy(block.data() + field.offset, text.data(), std::min(text.size(), field.size));
}

bool fitsOctal(std::int64_t value, Field field) {
  return value >= 0 && value < (std::int64_t{1} << (3 * (field.size - 1)));
}

void setOctal(Block& block, Field field, std::int64_t value) {
  for (std::size_t i = field.size - 1; i-- > 0;) {
    block[field.offset + i] = static_cast<char>('0' + (value & 7));
    value >>= 3;
  }
  block[field.offset + field.size - 1] = '\0';
}

namespace {
template <class Byte>
std::int64_t sumOf(const Block& block) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < kBlockSize; ++i) {
    const bool inChecksum =
        i >= kChecksumField.offset && i < kChecksumField.offset + kChecksumField.size;
    sum += inChecksum ? ' ' : static_cast<Byte>(block[i]);
  }
  return sum;
}
}  // namespace

void setChecksum(Block& block) {
  const std::int64_t sum = sumOf<unsigned char>(block);
  setOctal(block, Field{kChecksumField.offset, 7}, sum);
  block[kChecksumField.offset + 7] = ' ';
}

bool hasRightChecksum(const Block& block) {
  const auto stored = fieldNumber(block, kChecksumField);
  return stored && (*stored == sumOf<unsigned char>(block) || *stored == sumOf<signed char>(block));
}

bool isZero(const Block& block) {
  return std::all_of(block.begin(), block.end(), [](char c) { return c == '\0'; });
}

namespace {
std::string paxRecord(const std::string& key, const std::string& value) {
  const std::size_t rest = key.size() + value.size() + 3;  // blank, '=', newline
  std::size_t total = rest + std::to_string(rest).size();
  total = rest + std::to_string(total).size();  // the length counts its own digits
  return std::to_string(total) + " " + key + "=" + value + "\n";
}
}  // namespace

std::string formatPax(const PaxRecords& records) {
  std::string out;
  for (const auto& [key, value] : records) {
    out += paxRecord(key, value);
  }
  return out;
}

Result<PaxRecords> parsePax(std::string_view text) {
  PaxRecords records;
  while (!text.empty()) {
    std::size_t length = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
    const auto digits = static_cast<std::size_t>(end - text.data());
    if (error != std::errc() || digits == 0 || length > text.size() || length < digits + 3 ||
        *end != ' ' || text[length - 1] != '\n') {
      return invalid("pax header: malformed record");
    }
    const std::string_view record = text.substr(digits + 1, length - digits - 2);
    const std::size_t equals = record.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      return invalid("pax header: record without a key");
    }
    records[std::string(record.substr(0, equals))] = record.substr(equals + 1);
    text.remove_prefix(length);
  }
  return records;
}

std::string formatPaxTime(Timestamp t) {
  if (t.nanos == 0) {
    return std::to_string(t.seconds);
  }
  // -0.25 s is kept as -1 s + 750000000 ns.
  const bool negative = t.seconds < 0;
  const std::int64_t whole = negative ? -(t.seconds + 1) : t.seconds;
  const std::uint32_t nanos = negative ? 1000000000u - t.nanos : t.nanos;
  std::string fraction = std::to_string(nanos);
  fraction.insert(0, 9 - fraction.size(), '0');
  fraction.erase(fraction.find_last_not_of('0') + 1);
  return (negative ? "-" : "") + std::to_string(whole) + "." + fraction;
}

Result<Timestamp> parsePaxTime(std::string_view text) {
  const Error malformed = invalid("pax header: malformed time " + quoted(text, 64));
  const bool negative = text.starts_with('-');
  if (negative) {
    text.remove_prefix(1);
  }
  const std::size_t dot = std::min(text.find('.'), text.size());
  Timestamp t;
  const auto [end, error] = std::from_chars(text.data(), text.data() + dot, t.seconds);
  if (error != std::errc() || end != text.data() + dot || t.seconds < 0) {
    return malformed;
  }
  std::string fraction(text.substr(std::min(dot + 1, text.size())).substr(0, 9));
  if (!std::all_of(fraction.begin(), fraction.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return malformed;
  }
  fraction.resize(9, '0');
  std::from_chars(fraction.data(), fraction.data() + 9, t.nanos);
  if (negative) {
    t.seconds = -t.seconds;
    if (t.nanos != 0) {
      t.seconds -= 1;
      t.nanos = 1000000000u - t.nanos;
    }
  }
  return t;
}

}  // namespace stagewright::layer
