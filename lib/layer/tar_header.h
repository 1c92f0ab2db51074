// The 512-byte header block of tar and the records of pax: encoding and decoding of single fields.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "lib/base/error.h"
#include "lib/layer/tar_entry.h"

namespace stagewright::layer {

inline constexpr std::size_t kBlockSize = 512;
using Block = std::array<char, kBlockSize>;

/// A field of the header: its place in the block.
struct Field {
  std::size_t offset;
  std::size_t size;
};
inline constexpr Field kNameField{0, 100};
inline constexpr Field kModeField{100, 8};
inline constexpr Field kUidField{108, 8};
inline constexpr Field kGidField{116, 8};
inline constexpr Field kSizeField{124, 12};
inline constexpr Field kMtimeField{136, 12};
inline constexpr Field kChecksumField{148, 8};
inline constexpr Field kTypeField{156, 1};
inline constexpr Field kLinkField{157, 100};
inline constexpr Field kMagicField{257, 8};
inline constexpr Field kMajorField{329, 8};
inline constexpr Field kMinorField{337, 8};
inline constexpr Field kPrefixField{345, 155};

/// Prefix of the pax records that hold extended attributes (star's, which everybody reads).
inline constexpr std::string_view kXattrKey = "SCHILY.xattr.";

/// Bytes from the end of `size` bytes of content to the next block.
constexpr std::int64_t paddingOf(std::int64_t size) {
  return (-size) & (static_cast<std::int64_t>(kBlockSize) - 1);
}

/// Text up to the first NUL or the field's end.
std::string_view fieldText(const Block& block, Field field);
/// Octal with blanks and NULs around it, or base-256. kInvalid for anything else.
Result<std::int64_t> fieldNumber(const Block& block, Field field);

void setText(Block& block, Field field, std::string_view text);
/// REQUIRES: fitsOctal(value, field).
void setOctal(Block& block, Field field, std::int64_t value);
bool fitsOctal(std::int64_t value, Field field);
void setChecksum(Block& block);
/// Both the unsigned sum and the signed one of old programs are right.
bool hasRightChecksum(const Block& block);
bool isZero(const Block& block);

using PaxRecords = std::map<std::string, std::string>;
/// `<length> <key>=<value>\n` for each, sorted by key.
std::string formatPax(const PaxRecords& records);
/// Later records of the same key win; an empty value deletes. kInvalid for another shape.
Result<PaxRecords> parsePax(std::string_view text);
/// Decimal seconds with a fraction without trailing zeros.
std::string formatPaxTime(Timestamp t);
Result<Timestamp> parsePaxTime(std::string_view text);

}  // namespace stagewright::layer
