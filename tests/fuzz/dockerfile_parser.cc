// Any bytes as a Dockerfile: parsing, the syntax tree, triggers and the build checks.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "lib/dockerfile/checks.h"
#include "lib/dockerfile/parser.h"
#include "lib/dockerfile/values.h"

namespace {

namespace df = stagewright::dockerfile;

void require(bool condition) {
  if (!condition) {
    std::abort();
  }
}

void tryInstruction(const df::Instruction& instruction) {
  require(instruction.range.line >= 1 && instruction.range.endLine >= instruction.range.line);
  if (const df::OnBuild* trigger = instruction.as<df::OnBuild>()) {
    static_cast<void>(df::parseTrigger(trigger->expression));
  }
  if (const df::Run* run = instruction.as<df::Run>()) {
    require(df::makeRunScript(*run).has_value());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const df::Source source{"Dockerfile", std::string(reinterpret_cast<const char*>(data), size)};
  static_cast<void>(df::parseDirectives(source));
  static_cast<void>(df::dumpSyntaxTree(source));
  const stagewright::Result<df::ParsedFile> file = df::parseDockerfile(source);
  if (!file) {
    require(file.error().where.has_value() && file.error().code == stagewright::Code::kInvalid);
    return 0;
  }
  require(!file->stages.empty());
  for (const df::Stage& stage : file->stages) {
    for (const df::Instruction& instruction : stage.instructions) {
      tryInstruction(instruction);
    }
  }
  const df::IgnoreMatcher ignore = df::makeIgnoreMatcher({"a", "*.log"}).value();
  df::CheckInputs inputs;
  inputs.ignore = &ignore;
  if (const stagewright::Result<df::CheckReport> report = df::checkFile(source, *file, inputs)) {
    for (const df::Finding& finding : report->findings) {
      require(!df::formatFinding(source, finding).empty());
    }
  }
  return 0;
}
