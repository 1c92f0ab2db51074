#include "lib/dockerfile/syntax.h"

#include <array>
#include <utility>

#include "lib/dockerfile/diagnostic.h"
#include "lib/dockerfile/json_strings.h"
#include "lib/dockerfile/lines.h"
#include "lib/dockerfile/parser.h"
#include "lib/dockerfile/shell_lexer.h"
#include "lib/dockerfile/text.h"
#include "lib/dockerfile/values.h"
#include "lib/dockerfile/words.h"

namespace stagewright::dockerfile {
namespace {

constexpr int kMaxTriggers =
    8;  // ONBUILD within ONBUILD is refused later; this only bounds the recursion

constexpr std::string_view kNotOnlyStrings =
    "when using JSON array syntax, arrays must be comprised of strings only";

/// How the rest of an instruction is read.
enum class Shape {
  kWords,  ///< plain split at blanks
  kWordsOrJson,
  kTextOrJson,
  kText,  ///< one string
  kPairs,
  kArguments,
  kHealthcheck,
  kTrigger,
  kUnknown,
};

Shape shapeOf(std::string_view keyword) {
  struct Row {
    std::string_view keyword;
    Shape shape;
  };
  static constexpr std::array<Row, 18> kShapes = {{
      {"add", Shape::kWordsOrJson},
      {"arg", Shape::kArguments},
      {"cmd", Shape::kTextOrJson},
      {"copy", Shape::kWordsOrJson},
      {"entrypoint", Shape::kTextOrJson},
      {"env", Shape::kPairs},
      {"expose", Shape::kWords},
      {"from", Shape::kWords},
      {"healthcheck", Shape::kHealthcheck},
      {"label", Shape::kPairs},
      {"maintainer", Shape::kText},
      {"onbuild", Shape::kTrigger},
      {"run", Shape::kTextOrJson},
      {"shell", Shape::kTextOrJson},
      {"stopsignal", Shape::kText},
      {"user", Shape::kText},
      {"volume", Shape::kWordsOrJson},
      {"workdir", Shape::kText},
  }};
  for (const Row& row : kShapes) {
    if (equalFold(row.keyword, keyword)) {
      return row.shape;
    }
  }
  return Shape::kUnknown;
}

/// True if `rest` was the exec form; the words are in `node` then.
Result<bool> readJson(std::string_view rest, SyntaxNode& node) {
  JsonStrings json = parseJsonStrings(rest);
  if (json.kind == JsonStrings::Kind::kOtherArray) {
    return invalid(std::string(kNotOnlyStrings));
  }
  if (json.kind == JsonStrings::Kind::kNoJson) {
    return false;
  }
  node.json = true;
  for (std::string& value : json.values) {
    node.words.push_back(std::move(value));
  }
  return true;
}

Status readTextOrJson(std::string_view rest, SyntaxNode& node) {
  TRY(const bool isJson, readJson(rest, node));
  if (!isJson && !rest.empty()) {
    node.words.emplace_back(rest);
  }
  return ok();
}

Status readWordsOrJson(std::string_view rest, SyntaxNode& node) {
  TRY(const bool isJson, readJson(rest, node));
  if (!isJson) {
    node.words = splitPlainWords(rest);
  }
  return ok();
}

/// `key=value …`, or the legacy form `key rest of the line` (§2.10).
Status readPairs(std::string_view rest, char escape, SyntaxNode& node) {
  const std::vector<std::string> words = splitQuotedWords(rest, escape);
  if (words.empty()) {
    return ok();
  }
  if (words.front().find('=') == std::string::npos) {
    std::size_t end = 0;
    while (end < rest.size() && !isWordSeparator(rest[end])) {
      ++end;
    }
    std::size_t value = end;
    while (value < rest.size() && isWordSeparator(rest[value])) {
      ++value;
    }
    if (end == rest.size()) {
      return invalid(upper(node.keyword) + " must have two arguments");
    }
    node.words = {std::string(rest.substr(0, end)), std::string(rest.substr(value)), ""};
    return ok();
  }
  for (const std::string& word : words) {
    const std::size_t at = word.find('=');
    if (at == std::string::npos) {
      return invalid("Syntax error - can't find = in " + goQuoted(word) +
                     ". Must be of the form: name=value");
    }
    node.words.insert(node.words.end(), {word.substr(0, at), word.substr(at + 1), "="});
  }
  return ok();
}

Status readHealthcheck(std::string_view rest, SyntaxNode& node) {
  std::size_t end = 0;
  while (end < rest.size() && !isWordSeparator(rest[end]) && rest[end] != '\n') {
    ++end;
  }
  if (end == 0) {
    return ok();
  }
  node.words.emplace_back(rest.substr(0, end));
  return readTextOrJson(trimLeft(rest.substr(end)), node);
}

Result<SyntaxNode> readLine(std::string_view line, char escape, int triggers);

Status readTrigger(std::string_view rest, char escape, int triggers, SyntaxNode& node) {
  if (rest.empty()) {
    return ok();
  }
  if (triggers >= kMaxTriggers) {
    return invalid("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  }
  TRY(SyntaxNode child, readLine(rest, escape, triggers + 1));
  node.child = std::make_unique<SyntaxNode>(std::move(child));
  return ok();
}

Status readRest(std::string_view rest, char escape, int triggers, SyntaxNode& node) {
  switch (shapeOf(node.keyword)) {
    case Shape::kWords:
      node.words = splitPlainWords(rest);
      return ok();
    case Shape::kWordsOrJson:
      return readWordsOrJson(rest, node);
    case Shape::kTextOrJson:
      return readTextOrJson(rest, node);
    case Shape::kPairs:
      return readPairs(rest, escape, node);
    case Shape::kArguments:
      node.words = splitQuotedWords(rest, escape);
      return ok();
    case Shape::kHealthcheck:
      return readHealthcheck(rest, node);
    case Shape::kTrigger:
      return readTrigger(rest, escape, triggers, node);
    case Shape::kText:
      if (!rest.empty()) {
        node.words.emplace_back(rest);
      }
      return ok();
    case Shape::kUnknown:
      return ok();
  }
  return ok();
}

Result<SyntaxNode> readLine(std::string_view line, char escape, int triggers) {
  SplitLine split = splitLine(line, escape);
  SyntaxNode node;
  node.keyword = std::move(split.keyword);
  node.flags = std::move(split.flags);
  node.original = line;
  CHECK_OK(readRest(split.rest, escape, triggers, node));
  return node;
}

/// Here-documents exist in RUN, COPY, ADD and in these as triggers, not together with the exec form
/// (§3).
bool canHoldHeredoc(const SyntaxNode& node) {
  const SyntaxNode& inner = equalFold(node.keyword, "onbuild") && node.child ? *node.child : node;
  const bool keyword = equalFold(inner.keyword, "run") || equalFold(inner.keyword, "copy") ||
                       equalFold(inner.keyword, "add");
  return keyword && !inner.json;
}

Status readHeredocs(LogicalLineReader& reader, LogicalLine& line, SyntaxNode& node) {
  if (!canHoldHeredoc(node) || line.text.find("<<") == std::string::npos) {
    return ok();
  }
  node.heredocs = findHeredocs(line.text);
  for (Heredoc& heredoc : node.heredocs) {
    CHECK_OK(reader.readHeredoc(heredoc, line));
  }
  return ok();
}

std::string hintFor(std::string_view message) {
  if (message.find("must have two arguments") != std::string_view::npos) {
    return "write " + std::string(message.substr(0, message.find(' '))) + " name=value";
  }
  return {};
}

/// The word a message quotes, for the caret.
std::string_view quotedIn(std::string_view message) {
  const std::size_t start = message.find("in \"");
  if (start == std::string_view::npos) {
    return {};
  }
  const std::string_view rest = message.substr(start + 4);
  return rest.substr(0, rest.find('"'));
}

void appendQuotedList(std::string& out, const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    out += ' ';
    out += goQuoted(word);
  }
}

std::string dumpNode(const SyntaxNode& node) {
  std::string out = "(" + lower(node.keyword);
  if (!node.flags.empty()) {
    std::string flags;
    appendQuotedList(flags, node.flags);
    out += " [" + flags.substr(1) + "]";
  }
  appendQuotedList(out, node.words);
  if (node.child) {
    out += " " + dumpNode(*node.child);
  }
  return out + ")";
}

}  // namespace

Result<SyntaxNode> parseSyntaxLine(std::string_view line, char escape) {
  return readLine(line, escape, 0);
}

Result<SyntaxTree> parseSyntax(const Source& source) {
  if (source.text.size() > kMaxFileBytes) {
    return errorAt(source, {source.name, 0, 0, 0}, "file is larger than the limit of 16 MiB");
  }
  if (source.text.empty()) {
    return errorAt(source, {source.name, 0, 0, 0}, "the Dockerfile cannot be empty");
  }
  SyntaxTree tree;
  LogicalLineReader reader(source);
  while (true) {
    TRY(std::optional<LogicalLine> line, reader.next());
    if (!line) {
      break;
    }
    Result<SyntaxNode> node = parseSyntaxLine(line->text, reader.escape());
    if (!node) {
      const std::string& message = node.error().message;
      return errorAt(source, locateToken(source, line->range, quotedIn(message)), message,
                     hintFor(message));
    }
    if (line->emptyContinuation) {
      tree.emptyContinuations.push_back({source.name, line->range.endLine, 0, line->range.endLine});
    }
    CHECK_OK(readHeredocs(reader, *line, *node));
    node->range = line->range;
    node->comments = std::move(line->comments);
    tree.nodes.push_back(std::move(*node));
  }
  tree.escape = reader.escape();
  if (tree.nodes.empty()) {
    // BuildKit blames the last line that it read.
    const auto lines = static_cast<int>(std::count(source.text.begin(), source.text.end(), '\n')) +
                       (source.text.empty() || source.text.back() == '\n' ? 0 : 1);
    return errorAt(source, {source.name, lines, 0, lines}, "file with no instructions");
  }
  return tree;
}

std::string dumpSyntax(const SyntaxTree& tree) {
  std::string out;
  for (const SyntaxNode& node : tree.nodes) {
    out += dumpNode(node) + "\n";
  }
  return out;
}

}  // namespace stagewright::dockerfile
