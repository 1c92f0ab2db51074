#include "lib/dockerfile/instruction.h"

#include <algorithm>
#include <array>

#include "lib/dockerfile/go_format.h"
#include "lib/dockerfile/text.h"

namespace stagewright::dockerfile {

std::string Heredoc::text() const {
  if (!chomp) {
    return content;
  }
  std::string out;
  bool atLineStart = true;
  for (const char c : content) {
    if (atLineStart && c == '\t') {
      continue;
    }
    atLineStart = c == '\n';
    out += c;
  }
  return out;
}

std::optional<int> findStage(const ParsedFile& file, std::string_view nameOrIndex) {
  const auto count = static_cast<std::int64_t>(file.stages.size());
  if (const Result<std::int64_t> index = parseGoInt(nameOrIndex, 64)) {
    return *index >= 0 && *index < count ? std::optional<int>(static_cast<int>(*index))
                                         : std::nullopt;
  }
  return findBaseStage(file, lower(nameOrIndex), static_cast<int>(count));
}

std::optional<int> findBaseStage(const ParsedFile& file, std::string_view base, int before) {
  for (int i = std::min(before, static_cast<int>(file.stages.size())) - 1; i >= 0; --i) {
    const std::string& name = file.stages[static_cast<std::size_t>(i)].name;
    if (!name.empty() && name == base) {
      return i;
    }
  }
  return std::nullopt;
}

std::string_view instructionName(const InstructionBody& body) {
  static constexpr std::array<std::string_view, std::variant_size_v<InstructionBody>> kNames = {
      "FROM",    "ARG",        "ENV",   "RUN",         "COPY",       "ADD",
      "WORKDIR", "USER",       "CMD",   "ENTRYPOINT",  "LABEL",      "EXPOSE",
      "VOLUME",  "STOPSIGNAL", "SHELL", "HEALTHCHECK", "MAINTAINER", "ONBUILD"};
  return kNames[body.index()];
}

}  // namespace stagewright::dockerfile
