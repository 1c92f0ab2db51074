#include "lib/dockerfile/lines.h"

#include <algorithm>

#include "lib/dockerfile/diagnostic.h"
#include "lib/dockerfile/parser.h"
#include "lib/dockerfile/text.h"

namespace stagewright::dockerfile {
namespace {

bool isAsciiLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool isComment(std::string_view line) {
  const std::string_view text = trimLeft(line);
  return !text.empty() && text.front() == '#';
}

std::string_view skipRegexSpace(std::string_view text) {
  while (!text.empty() && (isBlank(text.front()) || text.front() == '\f' || text.front() == '\r')) {
    text.remove_prefix(1);
  }
  return text;
}

std::string_view dropRegexSpaceAtEnd(std::string_view text) {
  while (!text.empty() && (isBlank(text.back()) || text.back() == '\f' || text.back() == '\r')) {
    text.remove_suffix(1);
  }
  return text;
}

}  // namespace

std::optional<LineReader::Line> LineReader::next() {
  if (rest_.empty()) {
    return std::nullopt;
  }
  const std::size_t end = rest_.find('\n');
  Line line;
  line.number = ++number_;
  line.raw = rest_.substr(0, end == std::string_view::npos ? end : end + 1);
  line.text = rest_.substr(0, end);
  rest_.remove_prefix(line.raw.size());
  return line;
}

std::optional<DirectiveScanner::Found> matchDirective(std::string_view text) {
  std::size_t length = 0;
  while (length < text.size() &&
         (isAsciiLetter(text[length]) || (length > 0 && isAsciiDigit(text[length])))) {
    ++length;
  }
  const std::string_view rest = skipRegexSpace(text.substr(length));
  if (length == 0 || rest.empty() || rest.front() != '=') {
    return std::nullopt;
  }
  const std::string_view value = dropRegexSpaceAtEnd(skipRegexSpace(rest.substr(1)));
  if (value.empty()) {
    return std::nullopt;
  }
  return DirectiveScanner::Found{lower(text.substr(0, length)), std::string(value)};
}

std::string_view untilBlank(std::string_view text) { return text.substr(0, text.find(' ')); }

std::string_view withoutByteOrderMark(std::string_view text) {
  return text.substr(0, 3) == "\xef\xbb\xbf" ? text.substr(3) : text;
}

Result<std::optional<DirectiveScanner::Found>> DirectiveScanner::scan(std::string_view line) {
  using Maybe = std::optional<Found>;
  if (done_ || line.substr(0, mark_.size()) != mark_) {
    done_ = true;
    return Maybe();
  }
  Maybe found = matchDirective(trimLeft(line.substr(mark_.size())));
  if (!found || (found->key != "syntax" && found->key != "escape" && found->key != "check")) {
    done_ = true;
    return Maybe();
  }
  if (std::find(seen_.begin(), seen_.end(), found->key) != seen_.end()) {
    return invalid("only one " + found->key + " parser directive can be used");
  }
  seen_.push_back(found->key);
  return found;
}

LogicalLineReader::LogicalLineReader(const Source& source)
    : source_(source), lines_(withoutByteOrderMark(source.text)) {}

SourceRange LogicalLineReader::rangeOf(int line, int column) const {
  return {source_.name, line, column, line};
}

Result<std::optional<LineReader::Line>> LogicalLineReader::nextLine() {
  std::optional<LineReader::Line> line = lines_.next();
  if (line && line->text.size() > kMaxLineBytes) {
    return errorAt(source_, rangeOf(line->number),
                   "dockerfile line greater than max allowed size of 65535");
  }
  while (line && !line->text.empty() && line->text.back() == '\r') {
    line->text.remove_suffix(1);
  }
  return line;
}

Status LogicalLineReader::noteDirective(std::string_view text, int number, bool& isDirective) {
  Result<std::optional<DirectiveScanner::Found>> scanned = directives_.scan(text);
  if (!scanned) {
    return errorAt(source_, rangeOf(number, 1), scanned.error().message);
  }
  isDirective = scanned->has_value();
  if (!isDirective || (*scanned)->key != "escape") {
    return ok();
  }
  const std::string& value = (*scanned)->value;
  if (value != "\\" && value != "`") {
    return errorAt(source_, locateToken(source_, rangeOf(number, 1), value),
                   "invalid escape token '" + value + "' does not match ` or \\");
  }
  escape_ = value.front();
  return ok();
}

/// The block of comments directly above an instruction; an empty comment ends the block (§2.6).
void LogicalLineReader::noteComment(std::string_view text) {
  const std::string_view comment = trim(text.substr(1));
  if (comment.empty()) {
    comments_.clear();
  } else {
    comments_.emplace_back(comment);
  }
}

bool LogicalLineReader::trimContinuation(std::string_view& text) const {
  std::size_t end = text.size();
  while (end > 0 && isBlank(text[end - 1])) {
    --end;
  }
  if (end == 0 || text[end - 1] != escape_ || (end > 1 && text[end - 2] == escape_)) {
    return false;
  }
  text = text.substr(0, end - 1);
  return true;
}

Status LogicalLineReader::joinContinuations(LogicalLine& line) {
  bool continued = true;
  while (continued) {
    TRY(const std::optional<LineReader::Line> physical, nextLine());
    if (!physical) {
      break;
    }
    line.range.endLine = physical->number;
    if (isComment(physical->text)) {
      continue;
    }
    std::string_view text = physical->text;
    if (trimLeft(text).empty()) {
      line.emptyContinuation = true;
      continue;
    }
    continued = trimContinuation(text);
    line.text += text;
  }
  return ok();
}

Result<std::optional<LogicalLine>> LogicalLineReader::next() {
  while (true) {
    TRY(const std::optional<LineReader::Line> physical, nextLine());
    if (!physical) {
      return std::optional<LogicalLine>();
    }
    std::string_view text = trimLeft(physical->text);
    bool isDirective = false;
    CHECK_OK(noteDirective(text, physical->number, isDirective));
    if (!text.empty() && text.front() == '#') {
      if (!isDirective) {
        noteComment(text);
      }
      continue;
    }
    if (text.empty()) {
      comments_.clear();
      continue;
    }
    LogicalLine line;
    line.range =
        rangeOf(physical->number, static_cast<int>(physical->text.size() - text.size()) + 1);
    const bool continued = trimContinuation(text);
    line.text = text;
    if (continued) {
      CHECK_OK(joinContinuations(line));
    }
    line.comments = std::move(comments_);
    comments_.clear();
    if (trimLeft(line.text).empty()) {  // nothing but escape characters up to the end of the file
      return errorAt(source_, line.range, "unknown instruction: ");
    }
    return std::optional<LogicalLine>(std::move(line));
  }
}

Status LogicalLineReader::readHeredoc(Heredoc& heredoc, LogicalLine& line) {
  while (true) {
    TRY(const std::optional<LineReader::Line> physical, nextLine());
    if (!physical) {
      return errorAt(source_, locateToken(source_, line.range, "<<"), "unterminated heredoc",
                     "end it with a line that holds " + quoted(heredoc.name) + " and nothing else");
    }
    line.range.endLine = physical->number;
    std::string_view text = physical->text;
    while (heredoc.chomp && !text.empty() && text.front() == '\t') {
      text.remove_prefix(1);
    }
    if (text == heredoc.name) {
      return ok();
    }
    heredoc.content += physical->raw;
  }
}

}  // namespace stagewright::dockerfile
