#include "lib/dockerfile/ignore.h"

#include <algorithm>

#include "lib/dockerfile/glob.h"
#include "lib/dockerfile/lines.h"
#include "lib/dockerfile/text.h"
#include "lib/dockerfile/values.h"

namespace stagewright::dockerfile {
namespace {

struct Pattern {
  Glob glob;
  bool exception = false;
};

/// Calls `visit` with each parent of `path`, outermost first, until it gives true.
template <class Visit>
bool anyParent(std::string_view path, Visit visit) {
  for (std::size_t at = path.find('/'); at != std::string_view::npos; at = path.find('/', at + 1)) {
    if (visit(path.substr(0, at))) {
      return true;
    }
  }
  return false;
}

bool isPrefix(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

/// One line of an ignore file as a pattern; empty if it holds none (§8.1).
std::string readPattern(std::string_view line) {
  if (!line.empty() && line.front() == '#') {
    return {};
  }
  std::string_view text = trim(line);
  if (text.empty()) {
    return {};
  }
  const bool exception = text.front() == '!';
  text = exception ? trim(text.substr(1)) : text;
  std::string cleaned = text.empty() ? std::string() : cleanPath(text);
  if (cleaned.size() > 1 && cleaned.front() == '/') {
    cleaned.erase(0, 1);
  }
  return exception ? "!" + cleaned : cleaned;
}

}  // namespace

struct IgnoreMatcher::Compiled {
  std::vector<std::string> given;
  std::vector<Pattern> patterns;
  bool hasExceptions = false;

  bool matches(const Pattern& pattern, std::string_view path, bool lookAtParents) const {
    return pattern.glob.matches(path) ||
           (lookAtParents &&
            anyParent(path, [&](std::string_view parent) { return pattern.glob.matches(parent); }));
  }
};

std::vector<std::string> parseIgnoreFile(std::string_view text) {
  std::vector<std::string> patterns;
  LineReader lines(withoutByteOrderMark(text));
  while (const std::optional<LineReader::Line> line = lines.next()) {
    std::string pattern = readPattern(line->text);
    if (!pattern.empty()) {
      patterns.push_back(std::move(pattern));
    }
  }
  return patterns;
}

Result<bool> matchGlob(std::string_view pattern, std::string_view name) {
  TRY(const Glob glob, Glob::parse(pattern, Glob::DoubleStar::kOrdinary));
  return glob.matches(name);
}

Result<IgnoreMatcher> makeIgnoreMatcher(const std::vector<std::string>& patterns) {
  auto compiled = std::make_unique<IgnoreMatcher::Compiled>();
  compiled->given = patterns;
  for (const std::string& given : patterns) {
    const std::string_view trimmed = trim(given);
    if (trimmed.empty()) {
      continue;
    }
    std::string text = cleanPath(trimmed);
    const bool exception = text.front() == '!';
    text.erase(0, exception ? 1 : 0);
    if (text.empty()) {
      return invalid("illegal exclusion pattern: \"!\"");
    }
    TRY(Glob glob, Glob::parse(text, Glob::DoubleStar::kCrossesSlashes));
    compiled->patterns.push_back({std::move(glob), exception});
    compiled->hasExceptions = compiled->hasExceptions || exception;
  }
  IgnoreMatcher matcher;
  matcher.compiled_ = std::move(compiled);
  return matcher;
}

IgnoreMatcher::IgnoreMatcher() : compiled_(std::make_unique<Compiled>()) {}
IgnoreMatcher::~IgnoreMatcher() = default;
IgnoreMatcher::IgnoreMatcher(IgnoreMatcher&&) noexcept = default;
IgnoreMatcher& IgnoreMatcher::operator=(IgnoreMatcher&&) noexcept = default;

bool IgnoreMatcher::empty() const { return compiled_->patterns.empty(); }
bool IgnoreMatcher::hasExceptions() const { return compiled_->hasExceptions; }
const std::vector<std::string>& IgnoreMatcher::patterns() const { return compiled_->given; }

IgnoreMatcher::State IgnoreMatcher::step(std::string_view path, const State& parent) const {
  const std::vector<Pattern>& patterns = compiled_->patterns;
  State state;
  state.matched_.resize(patterns.size());
  const bool fromTop = parent.matched_.empty();
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    const Pattern& pattern = patterns[i];
    bool matched = !fromTop && parent.matched_[i];
    if (!matched) {
      // A line that could not change the result here is not evaluated, and counts as not matching
      // below.
      if (pattern.exception != state.excluded_) {
        continue;
      }
      matched = compiled_->matches(pattern, path, fromTop);
    }
    state.matched_[i] = matched;
    if (matched) {
      state.excluded_ = !pattern.exception;
    }
  }
  return state;
}

bool IgnoreMatcher::excludes(std::string_view path) const {
  State state;
  anyParent(path, [&](std::string_view parent) {
    state = step(parent, state);
    return false;
  });
  return step(path, state).excluded();
}

bool IgnoreMatcher::canSkipDirectory(std::string_view path) const {
  const std::string below = std::string(path) + "/";
  return std::none_of(
      compiled_->patterns.begin(), compiled_->patterns.end(), [&](const Pattern& pattern) {
        const std::string_view prefix = pattern.glob.literalPrefix();
        return pattern.exception && (isPrefix(below, prefix) || isPrefix(prefix, below));
      });
}

}  // namespace stagewright::dockerfile
