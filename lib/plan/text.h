// Small questions about texts; and texts that people see, within bounds and always valid UTF-8.
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
bool hasNul(std::string_view text);
/// ASCII letters in lower case, everything else as it is.
std::string lowered(std::string_view text);

/// In a source of COPY --parents: what stands before it is not kept below the destination.
inline constexpr std::string_view kPivot = "/./";

}  // namespace stagewright::plan
