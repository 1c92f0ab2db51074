#include "lib/policy/pattern.h"

namespace stagewright::policy {

std::string substitute(std::string_view text, std::string_view variable, std::string_view value) {
  std::string out(text);
  for (std::size_t at = out.find(variable); at != std::string::npos;
       at = out.find(variable, at + value.size())) {
    out.replace(at, variable.size(), value);
  }
  return out;
}

namespace {
/// Greedy with one place to go back to for each kind of star: what `*` passed over must hold no
/// slash, so a dead end inside it goes back to the last `**`.
bool globMatches(std::string_view pattern, std::string_view text) {
  struct Star {
    std::size_t pattern = std::string_view::npos;
    std::size_t text = 0;
  };
  Star one;
  Star two;
  std::size_t p = 0;
  std::size_t t = 0;
  const auto resume = [&](Star& star) {
    p = star.pattern;
    t = ++star.text;
  };
  while (t < text.size()) {
    if (pattern.substr(p).starts_with("**")) {
      p += 2;
      two = {p, t};
      one = {};
    } else if (p < pattern.size() && pattern[p] == '*') {
      one = {++p, t};
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (one.pattern != std::string_view::npos && text[one.text] != '/') {
      resume(one);
    } else if (two.pattern != std::string_view::npos) {
      one = {};
      resume(two);
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') {
    ++p;
  }
  return p == pattern.size();
}

/// The colon of a port stands before the first slash.
bool hasTag(const std::string& pattern) {
  const std::size_t colon = pattern.rfind(':');
  const std::size_t slash = pattern.find('/');
  return colon != std::string::npos && slash != std::string::npos && colon > slash;
}
}  // namespace

bool matchesImage(std::string_view pattern, const oci::Repository& repository,
                  const std::string& tag, std::string_view ns) {
  const std::string full = substitute(pattern, "$(namespace)", ns);
  if (full.find('/') == std::string::npos) {
    return globMatches(full, repository.registry);
  }
  return globMatches(full, hasTag(full) ? repository.str() + ":" + tag : repository.str());
}

}  // namespace stagewright::policy
