// The word lexer behind expand.h and the recognition of here-documents: one class, since both must
// agree.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/dockerfile/environment.h"
#include "lib/dockerfile/expand.h"
#include "lib/dockerfile/instruction.h"

namespace stagewright::dockerfile {

struct ShellLexerOptions {
  char escape = '\\';
  bool rawQuotes = false;    ///< quotes stay in the result
  bool rawEscapes = false;   ///< escape characters stay in the result
  bool plainQuotes = false;  ///< quotes are ordinary characters
  bool keepUnset = false;    ///< `$x` of an unset variable stays as it is written
};

/// Expands and splits one text. Errors are kInvalid with the bare cause, without the `failed to
/// process` in front. Bounds: nesting of `${…}` (128), size of the result (32 MiB), work of pattern
/// matching.
Result<Expansion> lexShell(std::string_view text, const Environment& environment,
                           const ShellLexerOptions& options);

/// The here-document that `word` opens (§3.1); nothing if it opens none.
std::optional<Heredoc> parseHeredocWord(std::string_view word);

/// The here-documents that an instruction opens, in order, without their content.
std::vector<Heredoc> findHeredocs(std::string_view line);

}  // namespace stagewright::dockerfile
