// Numbers as Go's strconv and docker's units read them, with their error texts.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "lib/base/error.h"

namespace stagewright::dockerfile {

/// strconv.ParseInt(text, 10, bits): `strconv.ParseInt: parsing "x": invalid syntax` or `value out
/// of range`.
Result<std::int64_t> parseGoInt(std::string_view text, int bits);
/// strconv.ParseUint(text, base, 32) without its error text.
std::optional<std::uint32_t> parseGoUint32(std::string_view text, int base);
/// strconv.ParseBool.
std::optional<bool> parseGoBool(std::string_view text);
/// A size such as `64m`, `1.5GiB`, `100` in bytes.
std::optional<std::int64_t> parseRamSize(std::string_view text);

}  // namespace stagewright::dockerfile
