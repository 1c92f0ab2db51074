// Physical lines to logical ones: directives, comments, continuation, here-document bodies (§2.1 to
// §2.6, §3.1).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/dockerfile/instruction.h"
#include "lib/dockerfile/source.h"

namespace stagewright::dockerfile {

/// Hands out the physical lines of a text, each without its newline.
class LineReader {
 public:
  explicit LineReader(std::string_view text) : rest_(text) {}

  struct Line {
    std::string_view text;  ///< without `\n`
    std::string_view raw;   ///< with its line end
    int number = 0;
  };
  /// Nothing at the end of the text.
  std::optional<Line> next();
  int lineNumber() const { return number_; }

 private:
  std::string_view rest_;
  int number_ = 0;
};

/// An instruction's text with continuations joined, before it is split into words.
struct LogicalLine {
  std::string text;  ///< leading blanks removed
  SourceRange range;
  std::vector<std::string> comments;
  bool emptyContinuation = false;
};

/// Recognises directives at the top (§2.4). Feed it every line that is not a continuation, leading
/// blanks removed.
class DirectiveScanner {
 public:
  struct Found {
    std::string key;  ///< lower case
    std::string value;
  };
  explicit DirectiveScanner(std::string_view commentMark = "#") : mark_(commentMark) {}
  /// The directive in `line`, if it is one. kInvalid `only one X parser directive can be used`,
  /// without a place.
  Result<std::optional<Found>> scan(std::string_view line);
  bool done() const { return done_; }

 private:
  std::string_view mark_;
  std::vector<std::string> seen_;
  bool done_ = false;
};

/// `key = value` of a directive or of a `check=` comment, without the comment sign.
std::optional<DirectiveScanner::Found> matchDirective(std::string_view text);

/// The text up to its first blank: values of `syntax` and `check` end there.
std::string_view untilBlank(std::string_view text);

std::string_view withoutByteOrderMark(std::string_view text);

/// Reads logical lines one after the other; the caller reads here-document bodies in between.
class LogicalLineReader {
 public:
  explicit LogicalLineReader(const Source& source);

  /// The next instruction, nothing at the end. Errors carry their place.
  Result<std::optional<LogicalLine>> next();

  /// Reads the content of `heredoc` up to its terminator and widens `line.range`. `unterminated
  /// heredoc`.
  Status readHeredoc(Heredoc& heredoc, LogicalLine& line);

  char escape() const { return escape_; }
  int lineNumber() const { return lines_.lineNumber(); }

 private:
  Result<std::optional<LineReader::Line>> nextLine();
  Status noteDirective(std::string_view text, int number, bool& isDirective);
  void noteComment(std::string_view text);
  /// Cuts the escape character that continues a line; false if the line is not continued (§2.3).
  bool trimContinuation(std::string_view& text) const;
  Status joinContinuations(LogicalLine& line);
  SourceRange rangeOf(int line, int column = 0) const;

  const Source& source_;
  LineReader lines_;
  DirectiveScanner directives_;
  char escape_ = '\\';
  std::vector<std::string> comments_;
};

}  // namespace stagewright::dockerfile
