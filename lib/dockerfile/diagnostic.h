// How a place in a Dockerfile is shown to people.
//
//   Dockerfile:7:6: expected a stage name or image, got "--from"
//     7 | COPY --from /app .
//       |      ^
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/dockerfile/source.h"

namespace stagewright::dockerfile {

/// `name:line:column: message`, the source line, a caret, and `hint: …` if there is a hint. Column
/// 0 shows neither column nor caret; line 0 (nothing in the file is to blame) gives `name: message`
/// alone. No final newline.
std::string formatDiagnostic(const Source& source, const SourceRange& where,
                             std::string_view message, std::string_view hint = {});

/// kInvalid with `where` set and the formatted text as message. A tab in the line keeps the caret
/// aligned.
Error errorAt(const Source& source, const SourceRange& where, std::string_view message,
              std::string_view hint = {});

/// errorAt() with the message of §2.11, `dockerfile parse error on line N: <message>`, N being the
/// first line of `instruction`. The caret points to `token` if it stands in the instruction, else
/// to the keyword.
Error parseErrorAt(const Source& source, const SourceRange& instruction, std::string_view message,
                   std::string_view token = {}, std::string_view hint = {});

/// The option nearest to `word` within edit distance 2 (never the word itself), empty if none.
/// Case-insensitive if `foldCase`, in which case both are compared in lower case and the option is
/// returned as it is written.
std::string nearestOption(std::string_view word, const std::vector<std::string>& options,
                          bool foldCase);

/// `message` followed by ` (did you mean X?)` if an option is near.
std::string withSuggestion(std::string message, std::string_view word,
                           const std::vector<std::string>& options, bool foldCase);

}  // namespace stagewright::dockerfile
