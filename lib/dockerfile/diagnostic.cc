#include "lib/dockerfile/diagnostic.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "lib/dockerfile/text.h"

namespace stagewright::dockerfile {
namespace {

constexpr std::size_t kExcerptLimit = 160;  // characters of a source line that are shown
constexpr std::size_t kLeadOfCut =
    60;                          // characters kept before the caret when the start is cut off
constexpr int kMaxDistance = 2;  // as BuildKit's suggestions, §2.7

std::vector<std::string_view> charactersOfLine(std::string_view line) {
  std::vector<std::string_view> out;
  while (!line.empty()) {
    const std::size_t length = decodeFirst(line).length;
    out.push_back(line.substr(0, length));
    line.remove_prefix(length);
  }
  return out;
}

/// A character as it may be sent to a terminal.
std::string_view shown(std::string_view character) {
  const CodePoint c = decodeFirst(character);
  if (character == "\t") {
    return character;
  }
  return c.code != kInvalidCode && isPrintable(c.code) ? character : std::string_view("?");
}

/// The source line and the caret below it. Tabs are repeated in the caret's line, which keeps it
/// aligned.
std::string excerpt(std::string_view line, int number, int column) {
  const std::vector<std::string_view> characters = charactersOfLine(line);
  const std::size_t caret = column > 0 ? static_cast<std::size_t>(column - 1) : 0;
  const std::size_t first = caret > kExcerptLimit - 20 ? caret - kLeadOfCut : 0;
  const std::size_t last = std::min(characters.size(), first + kExcerptLimit);
  const std::string label = std::to_string(number);
  std::string out = "\n  " + label + " | ";
  std::string below = "\n  " + std::string(label.size(), ' ') + " | ";
  if (first > 0) {
    out += "…";
    below += " ";
  }
  for (std::size_t i = first; i < last; ++i) {
    out += shown(characters[i]);
    if (i < caret) {
      below += characters[i] == "\t" ? "\t" : " ";
    }
  }
  if (last < characters.size()) {
    out += "…";
  }
  return column > 0 ? out + below + "^" : out;
}

/// Edit distance, or kMaxDistance + 1 if it is greater. Only a band around the diagonal is
/// computed, so long words cost no more than their length.
int boundedDistance(std::string_view a, std::string_view b) {
  constexpr int kBand = 2 * kMaxDistance + 1;
  const int n = static_cast<int>(a.size());
  const int m = static_cast<int>(b.size());
  if (std::abs(n - m) > kMaxDistance) {
    return kMaxDistance + 1;
  }
  std::array<int, kBand> previous;
  for (int k = 0; k < kBand; ++k) {
    previous[static_cast<std::size_t>(k)] = k < kMaxDistance ? kMaxDistance + 1 : k - kMaxDistance;
  }
  for (int i = 1; i <= n; ++i) {
    std::array<int, kBand> row;
    for (int k = 0; k < kBand; ++k) {
      const int j = i + k - kMaxDistance;
      const auto at = static_cast<std::size_t>(k);
      if (j < 0 || j > m) {
        row[at] = kMaxDistance + 1;
        continue;
      }
      int best = k + 1 < kBand ? previous[at + 1] + 1 : kMaxDistance + 1;
      if (j == 0) {
        row[at] = std::min(best, i);
        continue;
      }
      const bool same = a[static_cast<std::size_t>(i - 1)] == b[static_cast<std::size_t>(j - 1)];
      best = std::min(best, previous[at] + (same ? 0 : 1));
      row[at] = k > 0 ? std::min(best, row[at - 1] + 1) : best;
    }
    previous = row;
  }
  return std::min(previous[static_cast<std::size_t>(m - n + kMaxDistance)], kMaxDistance + 1);
}

/// As BuildKit: the suggestion takes the case of what was written.
std::string withCaseOf(std::string_view word, const std::string& option) {
  if (word == lower(word)) {
    return lower(option);
  }
  return word == upper(word) ? upper(option) : option;
}

}  // namespace

std::string formatDiagnostic(const Source& source, const SourceRange& where,
                             std::string_view message, std::string_view hint) {
  std::string out = source.name;
  if (where.line > 0) {
    out += ":" + std::to_string(where.line);
    if (where.column > 0) {
      out += ":" + std::to_string(where.column);
    }
  }
  out += ": ";
  out += message;
  if (where.line > 0) {
    out += excerpt(lineOf(source, where.line), where.line, where.column);
  }
  if (!hint.empty()) {
    out += "\nhint: ";
    out += hint;
  }
  return out;
}

Error errorAt(const Source& source, const SourceRange& where, std::string_view message,
              std::string_view hint) {
  Error error = invalid(formatDiagnostic(source, where, message, hint));
  error.where = where;
  return error;
}

Error parseErrorAt(const Source& source, const SourceRange& instruction, std::string_view message,
                   std::string_view token, std::string_view hint) {
  return errorAt(source, locateToken(source, instruction, token),
                 "dockerfile parse error on line " + std::to_string(instruction.line) + ": " +
                     std::string(message),
                 hint);
}

std::string nearestOption(std::string_view word, const std::vector<std::string>& options,
                          bool foldCase) {
  const std::string key = foldCase ? lower(word) : std::string(word);
  std::string best;
  int bestDistance = kMaxDistance + 1;
  for (const std::string& option : options) {
    const std::string candidate = foldCase ? lower(option) : option;
    if (candidate == key) {
      return {};  // the mistake is not one of spelling
    }
    const int distance = boundedDistance(key, candidate);
    // Of two equally near ones, the one that has the same letters.
    if (distance < bestDistance || (distance == bestDistance && std::is_permutation(key.begin(), key.end(), candidate.begin(), candidate.end()))) {
      bestDistance = distance;
      best = foldCase ? withCaseOf(word, option) : option;
    }
  }
  return best;
}

std::string withSuggestion(std::string message, std::string_view word,
                           const std::vector<std::string>& options, bool foldCase) {
  const std::string nearest = nearestOption(word, options, foldCase);
  return nearest.empty() ? message : message + " (did you mean " + nearest + "?)";
}

}  // namespace stagewright::dockerfile
