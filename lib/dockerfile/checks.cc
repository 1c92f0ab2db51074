#include "lib/dockerfile/checks.h"

#include <algorithm>
#include <set>

#include "lib/dockerfile/check_sink.h"
#include "lib/dockerfile/check_stage.h"
#include "lib/dockerfile/diagnostic.h"
#include "lib/dockerfile/names.h"
#include "lib/dockerfile/text.h"

namespace stagewright::dockerfile {
namespace {

bool isLower(std::string_view word) { return word == lower(word); }
bool isUpper(std::string_view word) { return word == upper(word); }

/// Calls `visit` with every instruction of the stages, each FROM included; global arguments do not
/// count (§10).
template <class Visit>
void forEachInstruction(const ParsedFile& file, Visit visit) {
  for (const Stage& stage : file.stages) {
    visit(stage.from);
    for (const Instruction& instruction : stage.instructions) {
      visit(instruction);
    }
  }
}

void checkContinuations(const ParsedFile& file, CheckSink& sink) {
  for (const SourceRange& range : file.emptyContinuations) {
    sink.add("NoEmptyContinuation", "Empty continuation line", range);
  }
}

void checkKeywordCasing(const ParsedFile& file, CheckSink& sink) {
  std::size_t lowerCount = 0;
  std::size_t upperCount = 0;
  forEachInstruction(file, [&](const Instruction& instruction) {
    lowerCount += isLower(instruction.keyword) ? 1 : 0;
    upperCount += isUpper(instruction.keyword) ? 1 : 0;
  });
  const bool wantLower = lowerCount > upperCount;
  forEachInstruction(file, [&](const Instruction& instruction) {
    if (wantLower ? !isLower(instruction.keyword) : !isUpper(instruction.keyword)) {
      sink.add("ConsistentInstructionCasing",
               "Command '" + instruction.keyword +
                   "' should match the case of the command majority (" +
                   (wantLower ? "lowercase" : "uppercase") + ")",
               instruction.range, instruction.comments);
    }
  });
}

void checkStageNames(const ParsedFile& file, CheckSink& sink) {
  std::set<std::string> seen;
  for (const Stage& stage : file.stages) {
    if (stage.name.empty()) {
      continue;
    }
    if (stage.name == "context" || stage.name == "scratch") {
      sink.add("ReservedStageName",
               "Stage name should not use the same name as reserved stage \"" + stage.name + "\"",
               stage.range, stage.from.comments);
    }
    if (!seen.insert(stage.name).second) {
      sink.add("DuplicateStageName",
               "Duplicate stage name \"" + stage.name + "\", stage names should be unique",
               stage.range, stage.from.comments);
    }
  }
}

void checkFromCasing(const ParsedFile& file, CheckSink& sink) {
  for (const Stage& stage : file.stages) {
    const From& from = *stage.from.as<From>();
    if (!isLower(from.nameAsWritten)) {
      sink.add("StageNameCasing", "Stage name '" + from.nameAsWritten + "' should be lowercase",
               stage.range, stage.from.comments);
    }
    const std::string& keyword = stage.from.keyword;
    const bool mismatch =
        isLower(keyword) ? !isLower(from.asWord) : isUpper(keyword) && !isUpper(from.asWord);
    if (!from.asWord.empty() && mismatch) {
      sink.add("FromAsCasing",
               "'" + from.asWord + "' and '" + keyword + "' keywords' casing do not match",
               stage.range, stage.from.comments);
    }
  }
}

void checkMaintainer(const ParsedFile& file, CheckSink& sink) {
  forEachInstruction(file, [&](const Instruction& instruction) {
    if (instruction.as<Maintainer>() != nullptr) {
      sink.add("MaintainerDeprecated",
               "Maintainer instruction is deprecated in favor of using label", instruction.range,
               instruction.comments);
    }
  });
}

/// The last comment line must begin with one of `names` and a blank.
void checkDescription(const Instruction& instruction, std::string_view keyword,
                      const std::vector<std::string>& names, CheckSink& sink) {
  if (instruction.comments.empty() || names.empty()) {
    return;
  }
  const std::string& comment = instruction.comments.back();
  const std::string first = comment.substr(0, comment.find(' '));
  if (std::find(names.begin(), names.end(), first) != names.end()) {
    return;
  }
  sink.add("InvalidDefinitionDescription",
           "Comment for " + std::string(keyword) + " should follow the format: `# " +
               (names.size() > 1 ? "<arg_key>" : names.front()) + " <description>`",
           instruction.range, instruction.comments);
}

void checkArgDescription(const Instruction& instruction, CheckSink& sink) {
  if (const Arg* arg = instruction.as<Arg>()) {
    std::vector<std::string> names;
    for (const Arg::Entry& entry : arg->entries) {
      names.push_back(entry.name);
    }
    checkDescription(instruction, "ARG", names, sink);
  }
}

void checkDescriptions(const ParsedFile& file, CheckSink& sink) {
  for (const Instruction& instruction : file.globalArgs) {
    checkArgDescription(instruction, sink);
  }
  forEachInstruction(file, [&](const Instruction& instruction) {
    if (const From* from = instruction.as<From>(); from != nullptr && !from->name.empty()) {
      checkDescription(instruction, "FROM", {from->name}, sink);
    }
    checkArgDescription(instruction, sink);
  });
}

/// With the defaults of the arguments alone every base must be a possible image name.
void checkDefaults(const ParsedFile& file, const CheckInputs& inputs, CheckSink& sink) {
  const EnvironmentList defaults = makeGlobalArguments(file, inputs, false);
  for (const Stage& stage : file.stages) {
    const Result<Expansion> base = expandWord(stage.base, defaults, file.directives.escape);
    if (!base) {
      return;
    }
    if (!isImageName(base->text)) {
      sink.add(
          "InvalidDefaultArgInFrom",
          "Default value for ARG " + stage.base + " results in empty or invalid base image name",
          stage.range, stage.from.comments);
    }
  }
}

/// The build argument overrides the directive (§2.5).
Result<CheckOptions> optionsOf(const Source& source, const ParsedFile& file,
                               const CheckInputs& inputs) {
  if (const auto given = inputs.buildArgs.find("BUILDKIT_DOCKERFILE_CHECK");
      given != inputs.buildArgs.end()) {
    return parseCheckOptions(given->second);
  }
  Result<CheckOptions> options = parseCheckOptions(file.directives.check);
  if (!options) {
    return errorAt(source, locateToken(source, file.directives.checkRange, file.directives.check),
                   options.error().message, "skip, error and experimental are known");
  }
  return options;
}

}  // namespace

Result<CheckReport> checkFile(const Source& source, const ParsedFile& file,
                              const CheckInputs& inputs) {
  TRY(CheckOptions options, optionsOf(source, file, inputs));
  CheckSink sink(std::move(options));
  checkContinuations(file, sink);
  checkFromCasing(file, sink);
  checkDescriptions(file, sink);
  checkMaintainer(file, sink);
  checkStageNames(file, sink);
  checkKeywordCasing(file, sink);
  checkDefaults(file, inputs, sink);
  const EnvironmentList globals = makeGlobalArguments(file, inputs, true);
  StageChecker(file, inputs, globals, sink).run();
  return std::move(sink).take();
}

}  // namespace stagewright::dockerfile
