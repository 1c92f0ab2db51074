// How a line falls into flags and words (§2.7, §2.9).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace stagewright::dockerfile {

struct SplitLine {
  std::string keyword;
  std::vector<std::string> flags;
  std::string rest;  ///< without blanks around
};
SplitLine splitLine(std::string_view line, char escape);

/// Words of ENV, LABEL and ARG: quotes and the escape character protect blanks, and stay.
std::vector<std::string> splitQuotedWords(std::string_view text, char escape);

/// Words of ADD, COPY and their like: quotes protect nothing.
std::vector<std::string> splitPlainWords(std::string_view text);

}  // namespace stagewright::dockerfile
