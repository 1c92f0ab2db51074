#include "lib/dockerfile/parser.h"

#include <nlohmann/json.hpp>

#include "lib/base/json.h"
#include "lib/dockerfile/convert.h"
#include "lib/dockerfile/diagnostic.h"
#include "lib/dockerfile/lines.h"
#include "lib/dockerfile/syntax.h"
#include "lib/dockerfile/text.h"

namespace stagewright::dockerfile {
namespace {

struct FoundDirective {
  std::string value;
  int line = 0;
};

/// Looks for one directive among the directives at the top, a `#!` line skipped. A mistake there
/// ends the search: it is reported when the file is parsed.
std::optional<FoundDirective> findDirective(std::string_view text, std::string_view key,
                                            std::string_view mark) {
  LineReader lines(withoutByteOrderMark(text));
  DirectiveScanner scanner(mark);
  while (!scanner.done()) {
    const std::optional<LineReader::Line> line = lines.next();
    if (!line) {
      break;
    }
    if (line->number == 1 && line->text.substr(0, 2) == "#!") {
      continue;
    }
    const Result<std::optional<DirectiveScanner::Found>> found = scanner.scan(line->text);
    if (!found) {
      break;
    }
    if (*found && (*found)->key == key) {
      return FoundDirective{std::string(untilBlank((*found)->value)), line->number};
    }
  }
  return std::nullopt;
}

/// `{"syntax": "…"}` as the whole file (§2.4).
std::string jsonSyntax(std::string_view text) {
  const std::string_view body = trim(withoutByteOrderMark(text));
  if (body.empty() || body.front() != '{') {
    return {};
  }
  const Result<Json> json = parseJson(body);
  if (!json || !json->is_object()) {
    return {};
  }
  const auto found = json->find("syntax");
  return found != json->end() && found->is_string() ? found->get<std::string>() : std::string();
}

Directives readDirectives(const Source& source) {
  Directives out;
  for (const std::string_view mark : {"#", "//"}) {
    if (const std::optional<FoundDirective> syntax = findDirective(source.text, "syntax", mark)) {
      out.syntax = syntax->value;
      break;
    }
  }
  if (out.syntax.empty()) {
    out.syntax = jsonSyntax(source.text);
  }
  if (const std::optional<FoundDirective> check = findDirective(source.text, "check", "#")) {
    out.check = check->value;
    out.checkRange = {source.name, check->line, 1, check->line};
  }
  return out;
}

Instruction makeInstruction(SyntaxNode& node, InstructionBody body) {
  Instruction out;
  out.keyword = node.keyword;
  out.text = trim(node.original);
  out.range = node.range;
  out.comments = std::move(node.comments);
  out.body = std::move(body);
  return out;
}

Stage makeStage(Instruction from, std::size_t index) {
  Stage stage;
  const From& body = *from.as<From>();
  stage.index = static_cast<int>(index);
  stage.name = body.name;
  stage.base = body.base;
  stage.platform = body.platform;
  stage.range = from.range;
  stage.from = std::move(from);
  return stage;
}

Status place(const Source& source, Instruction instruction, ParsedFile& file) {
  if (instruction.as<From>() != nullptr) {
    file.stages.push_back(makeStage(std::move(instruction), file.stages.size()));
  } else if (!file.stages.empty()) {
    file.stages.back().instructions.push_back(std::move(instruction));
  } else if (instruction.as<Arg>() != nullptr) {
    file.globalArgs.push_back(std::move(instruction));
  } else {
    return errorAt(source, instruction.range, "no build stage in current context",
                   "only ARG may stand before the first FROM");
  }
  return ok();
}

}  // namespace

Result<ParsedFile> parseDockerfile(const Source& source) {
  TRY(SyntaxTree tree, parseSyntax(source));
  ParsedFile file;
  file.directives = readDirectives(source);
  file.directives.escape = tree.escape;
  file.emptyContinuations = std::move(tree.emptyContinuations);
  for (SyntaxNode& node : tree.nodes) {
    Parsed<InstructionBody> body = convertNode(node);
    if (!body) {
      const Mistake& mistake = body.error();
      return parseErrorAt(source, node.range, mistake.message, mistake.token, mistake.hint);
    }
    CHECK_OK(place(source, makeInstruction(node, std::move(*body)), file));
  }
  if (file.stages.empty()) {
    return errorAt(source, {source.name, 0, 0, 0}, "dockerfile contains no stages to build",
                   "add a FROM instruction");
  }
  return file;
}

Result<Instruction> parseTrigger(std::string_view text, std::string_view displayName) {
  const Source source{std::string(displayName), std::string(text)};
  TRY(SyntaxTree tree, parseSyntax(source));
  if (tree.nodes.size() != 1) {
    return errorAt(source, tree.nodes[1].range, "onbuild trigger should be a single expression");
  }
  SyntaxNode& node = tree.nodes.front();
  Parsed<InstructionBody> body = convertNode(node);
  if (!body) {
    return parseErrorAt(source, node.range, body.error().message, body.error().token,
                        body.error().hint);
  }
  if (std::holds_alternative<From>(*body)) {
    return errorAt(source, node.range, "FROM isn't allowed as an ONBUILD trigger");
  }
  return makeInstruction(node, std::move(*body));
}

Result<Directives> parseDirectives(const Source& source) {
  Directives out = readDirectives(source);
  LogicalLineReader reader(source);
  CHECK_OK(reader.next());
  out.escape = reader.escape();
  return out;
}

Result<std::string> dumpSyntaxTree(const Source& source) {
  TRY(const SyntaxTree tree, parseSyntax(source));
  return dumpSyntax(tree);
}

}  // namespace stagewright::dockerfile
