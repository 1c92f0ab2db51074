// Two languages of patterns: Go's filepath.Match (sources of COPY) and moby's pattern lists
// (--exclude, --parents), whose
// `**` crosses directories and whose `!` makes exceptions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"

namespace stagewright::layer {

/// Whether `name` matches as a whole. `*` and `?` do not match `/`. False for a malformed pattern.
bool matchesGlob(std::string_view pattern, std::string_view name);
bool isWellFormedGlob(std::string_view pattern);
/// Whether a `*`, `?` or `[` stands in the text unescaped.
bool hasWildcard(std::string_view text);

/// A list of patterns, evaluated while a tree is walked from its top: the result for each directory
/// is handed down to its children, as BuildKit does it.
class PatternList {
 public:
  /// What is remembered of a directory: which patterns matched it.
  using Memory = std::vector<char>;

  /// kInvalid for a malformed pattern.
  static Result<PatternList> make(const std::vector<std::string>& patterns);
  /// `path` is clean and relative. `parent` is what matches() left for the directory above; empty
  /// at the top. Fills `memory`.
  bool matches(std::string_view path, const Memory& parent, Memory& memory) const;
  bool empty() const { return patterns_.empty(); }
  bool hasExceptions() const { return exceptions_; }

 private:
  struct Token {
    enum class Kind { kLiteral, kAnyChar, kAnyName, kAnyDirectories, kAnyPath, kClass };
    Kind kind;
    std::string text;  ///< the literal's bytes, or the class between its brackets
  };
  struct Pattern {
    enum class Kind { kExact, kPrefix, kSuffix, kTokens };
    Kind kind = Kind::kExact;
    bool exception = false;
    std::string text;
    std::vector<Token> tokens;
  };
  static Pattern compile(std::string text);
  static bool matchesOne(const Pattern& pattern, std::string_view path);
  static bool matchesTokens(const std::vector<Token>& tokens, std::string_view path);

  std::vector<Pattern> patterns_;
  bool exceptions_ = false;
};

}  // namespace stagewright::layer
