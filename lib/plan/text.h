// Texts that people see, within bounds and always valid UTF-8.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace stagewright::plan {

/// The first at most `limit` bytes, never half a character.
std::string cutEnd(std::string_view text, std::size_t limit);
/// The last at most `limit` bytes, never half a character.
std::string cutFront(std::string_view text, std::size_t limit);
/// Invalid UTF-8 becomes U+FFFD; control characters but \n and \t become `?`.
std::string printable(std::string_view text);
/// Well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms).
bool isUtf8(std::string_view text);

}  // namespace stagewright::plan
