// .dockerignore files and the patterns in them (§8), also used for `--exclude`.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"

namespace stagewright::dockerfile {

/// Reads an ignore file into its patterns in order, cleaned (§8.1). Never fails;
/// makeIgnoreMatcher() validates.
std::vector<std::string> parseIgnoreFile(std::string_view text);

/// Go's filepath.Match for one pattern without `**` (COPY's wildcards, §6.4). `*` and `?` do not
/// cross `/`. kInvalid "syntax error in pattern" for a malformed pattern.
Result<bool> matchGlob(std::string_view pattern, std::string_view name);

/// A compiled list of patterns. Cheap to move, immutable, thread-safe.
class IgnoreMatcher {
 public:
  IgnoreMatcher();
  ~IgnoreMatcher();
  IgnoreMatcher(IgnoreMatcher&&) noexcept;
  IgnoreMatcher& operator=(IgnoreMatcher&&) noexcept;

  bool empty() const;
  /// Any pattern begins with `!`.
  bool hasExceptions() const;
  /// The patterns as given, with `!`.
  const std::vector<std::string>& patterns() const;

  /// Carries the result of each pattern from a directory to what lies below it. Belongs to the
  /// matcher that filled it.
  class State {
   public:
    bool excluded() const { return excluded_; }

   private:
    friend class IgnoreMatcher;
    std::vector<bool> matched_;
    bool excluded_ = false;
  };

  /// As BuildKit's walk evaluates `path` below a directory whose state is `parent` (a default State
  /// for the root). `state.excluded()` is the verdict. `path` is relative to the root, `/` between
  /// components, none at its ends.
  State step(std::string_view path, const State& parent) const;

  /// Walks all parents of `path`, then `path`: the verdict of a walk from the top for this path
  /// alone.
  bool excludes(std::string_view path) const;

  /// Whether the walk may skip an excluded directory: no exception can match anything below it.
  bool canSkipDirectory(std::string_view path) const;

 private:
  friend Result<IgnoreMatcher> makeIgnoreMatcher(const std::vector<std::string>& patterns);
  struct Compiled;
  std::unique_ptr<const Compiled> compiled_;
};

/// Cleans and compiles patterns. Errors: kInvalid, `illegal exclusion pattern: "!"`, `syntax error
/// in pattern`.
Result<IgnoreMatcher> makeIgnoreMatcher(const std::vector<std::string>& patterns);

}  // namespace stagewright::dockerfile
