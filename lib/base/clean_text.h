// Text from outside on its way to conditions, events and status, which people read in terminals:
// nothing in it may move a cursor, hide other text or pretend to be another line.
#pragma once

#include <string>
#include <string_view>

namespace stagewright {

/// Terminal sequences (ESC [ … and the like) are left out; other control characters except \n,
/// separators of lines and characters that turn the direction of text become spaces; invalid UTF-8
/// is replaced. Cut at `limit` bytes on a character boundary with "…".
std::string cleanText(std::string_view text, std::size_t limit);

/// The same in one line.
std::string cleanLine(std::string_view text, std::size_t limit);

/// The end of a log: its last whole lines within `limit` bytes, as a terminal would show them (of a
/// line that was written over by \r, the last state), without empty lines at its end.
std::string cleanTail(std::string_view text, std::size_t limit);

}  // namespace stagewright
