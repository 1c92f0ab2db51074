#include "lib/dockerfile/convert_files.h"

#include <unordered_map>

#include "lib/dockerfile/flags.h"
#include "lib/dockerfile/shell_lexer.h"

namespace stagewright::dockerfile {
namespace {

/// Fills sources, contents and destination.
Parsed<void> readTransfer(const SyntaxNode& node, const std::string& name, Transfer& transfer) {
  // The content is found by name: of two here-documents with one name the last counts (§3.1).
  std::unordered_map<std::string_view, std::string_view> contents;
  for (const Heredoc& heredoc : node.heredocs) {
    contents[heredoc.name] = heredoc.content;
  }
  for (std::size_t i = 0; i < node.words.size(); ++i) {
    std::optional<Heredoc> heredoc = parseHeredocWord(node.words[i]);
    if (i + 1 == node.words.size()) {
      if (heredoc) {
        return mistake(name + " cannot accept a heredoc as a destination", node.words[i],
                       "name the destination behind the here-document on the same line");
      }
      transfer.destination = node.words[i];
    } else if (heredoc) {
      heredoc->content = contents[heredoc->name];
      transfer.contents.push_back(std::move(*heredoc));
    } else {
      transfer.sources.push_back(node.words[i]);
    }
  }
  return {};
}

tl::unexpected<Mistake> noDestination(const std::string& name) {
  return mistake(
      name +
      " requires at least two arguments, but only one was provided. Destination could not be "
      "determined");
}

void readCommonFlags(const FlagValues& flags, Transfer& transfer) {
  transfer.chown = flags.text("chown");
  transfer.chmod = flags.text("chmod");
  transfer.link = flags.boolean("link").value_or(false);
  transfer.excludes = flags.list("exclude");
}

}  // namespace

Parsed<InstructionBody> convertCopy(const SyntaxNode& node) {
  if (node.words.size() < 2) {
    return noDestination("COPY");
  }
  const Parsed<FlagValues> flags = readFlags(node.flags, {{"chown", FlagKind::kText},
                                                          {"from", FlagKind::kText},
                                                          {"chmod", FlagKind::kText},
                                                          {"link", FlagKind::kBool},
                                                          {"exclude", FlagKind::kList},
                                                          {"parents", FlagKind::kBool}});
  if (!flags) {
    return tl::unexpected<Mistake>(flags.error());
  }
  Copy copy;
  readCommonFlags(*flags, copy);
  copy.from = flags->text("from");
  copy.parents = flags->boolean("parents").value_or(false);
  const Parsed<void> transfer = readTransfer(node, "COPY", copy);
  if (!transfer) {
    return tl::unexpected<Mistake>(transfer.error());
  }
  return copy;
}

Parsed<InstructionBody> convertAdd(const SyntaxNode& node) {
  if (node.words.size() < 2) {
    return noDestination("ADD");
  }
  const Parsed<FlagValues> flags = readFlags(node.flags, {{"chown", FlagKind::kText},
                                                          {"chmod", FlagKind::kText},
                                                          {"link", FlagKind::kBool},
                                                          {"exclude", FlagKind::kList},
                                                          {"keep-git-dir", FlagKind::kBool},
                                                          {"checksum", FlagKind::kText},
                                                          {"unpack", FlagKind::kBool}});
  if (!flags) {
    return tl::unexpected<Mistake>(flags.error());
  }
  Add add;
  readCommonFlags(*flags, add);
  add.keepGitDir = flags->boolean("keep-git-dir");
  add.checksum = flags->text("checksum");
  add.unpack = flags->boolean("unpack");
  const Parsed<void> transfer = readTransfer(node, "ADD", add);
  if (!transfer) {
    return tl::unexpected<Mistake>(transfer.error());
  }
  return add;
}

}  // namespace stagewright::dockerfile
