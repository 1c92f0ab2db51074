// The text of a Dockerfile with the name that messages show.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/error.h"

namespace stagewright::dockerfile {

struct Source {
  std::string name = "Dockerfile";  ///< as messages show it, e.g. services/api/Dockerfile
  std::string text;
};

/// Line `number` (from 1) without its line end and without a byte order mark; empty beyond the end.
std::string_view lineOf(const Source& source, int number);

/// Narrows `range` to the first place in it where `token` stands in the source, so that a caret can
/// point there. Gives `range` itself if the token does not stand there literally (it may be split
/// by a continuation).
SourceRange locateToken(const Source& source, const SourceRange& range, std::string_view token);

}  // namespace stagewright::dockerfile
