// Shell-word expansion as BuildKit does it (§4): quotes, escapes, variables with modifiers.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/dockerfile/environment.h"
#include "lib/dockerfile/instruction.h"

namespace stagewright::dockerfile {

/// Which variables an expansion looked at.
struct VariableUse {
  std::set<std::string> used;  ///< set, and asked for
  std::set<std::string>
      unset;  ///< asked for without being set, also where a modifier supplied a default
  void merge(const VariableUse& other);
};

struct Expansion {
  std::string text;
  std::vector<std::string> words;  ///< split at unquoted blanks
  VariableUse variables;
};

/// Expands one word; blanks do not split, `words` is filled all the same. `escape` is the
/// directive's (§4.3). Errors: kInvalid, `failed to process "…": <cause>` worded as in §4.2; no
/// place (see errorAt()).
Result<Expansion> expandWord(std::string_view word, const Environment& environment,
                             char escape = '\\');

/// Expands the content of a here-document of COPY or ADD (§3.2): quotes are ordinary characters.
Result<Expansion> expandHeredoc(std::string_view content, const Environment& environment);

/// Checks quotes, escapes and `${…}` of a word without an environment, by the rules of
/// expandWord().
Status checkWord(std::string_view word, char escape = '\\');

/// Every field of an instruction that §4.1 lists, expanded against one environment: ADD, COPY (and
/// here-documents), ENV, LABEL, EXPOSE (split after expansion), STOPSIGNAL, USER, VOLUME, WORKDIR.
/// All else is returned as it is: RUN's mounts (parseMount), ARG (each entry sees the one before:
/// expandWord) and FROM (global arguments: expandWord).
struct ExpandedInstruction {
  Instruction instruction;
  VariableUse variables;
};
Result<ExpandedInstruction> expandInstruction(const Instruction& instruction,
                                              const Environment& environment, char escape = '\\');

}  // namespace stagewright::dockerfile
