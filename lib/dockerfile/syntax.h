// The syntax tree: keyword, flags and words of each instruction, before instructions are checked
// (§2.7 to §2.10).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/dockerfile/instruction.h"
#include "lib/dockerfile/source.h"

namespace stagewright::dockerfile {

struct SyntaxNode {
  std::string keyword;  ///< as written
  std::vector<std::string> flags;
  /// ENV and LABEL: key, value and separator (`=`, or empty for the legacy form) for each pair.
  std::vector<std::string> words;
  bool json = false;                  ///< the words come from the exec form
  std::unique_ptr<SyntaxNode> child;  ///< the trigger of ONBUILD
  std::vector<Heredoc> heredocs;
  std::string original;  ///< the logical line
  SourceRange range;
  std::vector<std::string> comments;
};

struct SyntaxTree {
  char escape = '\\';
  std::vector<SyntaxNode> nodes;
  std::vector<SourceRange> emptyContinuations;
};

/// Errors: kInvalid with their place, worded as §2 gives them.
Result<SyntaxTree> parseSyntax(const Source& source);

/// Splits one logical line. Errors: kInvalid without a place.
Result<SyntaxNode> parseSyntaxLine(std::string_view line, char escape);

/// One S-expression per node and line (conformance data, README).
std::string dumpSyntax(const SyntaxTree& tree);

}  // namespace stagewright::dockerfile
