#include "lib/dockerfile/expand.h"

#include "lib/dockerfile/shell_lexer.h"
#include "lib/dockerfile/values.h"

namespace stagewright::dockerfile {
namespace {

Result<Expansion> expandText(std::string_view text, const Environment& environment,
                             const ShellLexerOptions& options) {
  Result<Expansion> expansion = lexShell(text, environment, options);
  if (!expansion) {
    return invalid("failed to process " + goQuoted(text) + ": " + expansion.error().message);
  }
  return expansion;
}

/// Expands the fields of one instruction in place, all against the same environment (§4.4).
class InstructionExpander {
 public:
  InstructionExpander(const Environment& environment, char escape)
      : environment_(environment), escape_(escape) {}

  VariableUse takeVariables() { return std::move(variables_); }

  Status expand(Env& env) { return expandPairs(env.pairs); }
  Status expand(Label& label) { return expandPairs(label.pairs); }
  Status expand(Workdir& workdir) { return expandField(workdir.path); }
  Status expand(User& user) { return expandField(user.user); }
  Status expand(Volume& volume) { return expandFields(volume.paths); }
  Status expand(StopSignal& signal) { return expandField(signal.signal); }
  Status expand(Copy& copy) {
    CHECK_OK(expandField(copy.chown));
    CHECK_OK(expandField(copy.chmod));
    return expandTransfer(copy);
  }
  Status expand(Add& add) {
    CHECK_OK(expandField(add.chown));
    CHECK_OK(expandField(add.chmod));
    CHECK_OK(expandField(add.checksum));
    return expandTransfer(add);
  }
  Status expand(Expose& expose) {
    std::vector<std::string> words;
    for (const std::string& port : expose.ports) {
      // BuildKit reports no undefined variables here, so the variables are not noted.
      TRY(Expansion expansion, expandText(port, environment_, {.escape = escape_}));
      words.insert(words.end(), expansion.words.begin(), expansion.words.end());
    }
    expose.ports = std::move(words);
    return ok();
  }
  template <class Other>
  Status expand(Other&) {
    return ok();
  }

 private:
  Status expandField(std::string& field) {
    TRY(Expansion expansion, expandText(field, environment_, {.escape = escape_}));
    variables_.merge(expansion.variables);
    field = std::move(expansion.text);
    return ok();
  }
  Status expandFields(std::vector<std::string>& fields) {
    for (std::string& field : fields) {
      CHECK_OK(expandField(field));
    }
    return ok();
  }
  Status expandPairs(std::vector<KeyValue>& pairs) {
    for (KeyValue& pair : pairs) {
      CHECK_OK(expandField(pair.key));
      CHECK_OK(expandField(pair.value));
    }
    return ok();
  }
  Status expandTransfer(Transfer& transfer) {
    CHECK_OK(expandFields(transfer.sources));
    CHECK_OK(expandField(transfer.destination));
    for (Heredoc& heredoc : transfer.contents) {
      if (!heredoc.expand) {
        continue;
      }
      TRY(Expansion expansion, expandHeredoc(heredoc.text(), environment_));
      variables_.merge(expansion.variables);
      heredoc.content = std::move(expansion.text);
      heredoc.chomp = false;  // already done
      heredoc.expand = false;
    }
    return ok();
  }

  const Environment& environment_;
  char escape_;
  VariableUse variables_;
};

}  // namespace

void VariableUse::merge(const VariableUse& other) {
  used.insert(other.used.begin(), other.used.end());
  unset.insert(other.unset.begin(), other.unset.end());
}

Result<Expansion> expandWord(std::string_view word, const Environment& environment, char escape) {
  return expandText(word, environment, {.escape = escape});
}

Result<Expansion> expandHeredoc(std::string_view content, const Environment& environment) {
  return expandText(content, environment, {.plainQuotes = true});
}

Status checkWord(std::string_view word, char escape) {
  CHECK_OK(expandText(word, EnvironmentList(), {.escape = escape}));
  return ok();
}

Result<ExpandedInstruction> expandInstruction(const Instruction& instruction,
                                              const Environment& environment, char escape) {
  ExpandedInstruction out{instruction, {}};
  InstructionExpander expander(environment, escape);
  CHECK_OK(std::visit([&](auto& body) { return expander.expand(body); }, out.instruction.body));
  out.variables = expander.takeVariables();
  return out;
}

}  // namespace stagewright::dockerfile
