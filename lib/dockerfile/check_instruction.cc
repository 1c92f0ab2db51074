// Checks of single instructions, see check_stage.h.
#include <algorithm>

#include "lib/dockerfile/check_stage.h"
#include "lib/dockerfile/ports.h"
#include "lib/dockerfile/text.h"
#include "lib/dockerfile/values.h"

namespace stagewright::dockerfile {
namespace {

/// Arguments that steer the build and never become variables (§7.3).
bool isSbomArgument(std::string_view name) {
  return name == "BUILDKIT_SBOM_SCAN_CONTEXT" || name == "BUILDKIT_SBOM_SCAN_STAGE";
}

bool isUrl(std::string_view source) {
  return source.find("://") != std::string_view::npos || source.substr(0, 4) == "git@";
}

/// Only a pattern for everything says that the context's root is ignored.
bool ignoresRoot(const IgnoreMatcher& matcher) {
  return std::any_of(matcher.patterns().begin(), matcher.patterns().end(),
                     [](const std::string& pattern) {
                       return pattern == "*" || pattern == "**" || pattern == "**/*";
                     });
}

}  // namespace

void StageChecker::add(const Site& site, std::string_view rule, std::string message) {
  sink_.add(rule, std::move(message), site.range, site.instruction.comments);
}

void StageChecker::reportUnset(const Site& site, const VariableUse& variables,
                               const StageFacts& facts) {
  if (!facts.environmentKnown) {
    return;
  }
  for (const std::string& name : variables.unset) {
    if (facts.arguments.count(name) == 0 && !isSbomArgument(name)) {
      add(site, "UndefinedVar",
          "Usage of undefined variable '$" + name + "'" + didYouMean(name, facts.environment, "$"));
    }
  }
}

void StageChecker::check(const Site& site, StageFacts& facts, Trackers& trackers) {
  const Instruction& instruction = site.instruction;
  if (const Arg* arg = instruction.as<Arg>()) {
    return checkArg(site, *arg, facts);
  }
  if (const Run* run = instruction.as<Run>()) {
    return checkRun(site, *run, facts);
  }
  if (instruction.as<Shell>() != nullptr) {
    facts.shellSet = true;
  } else if (const Cmd* cmd = instruction.as<Cmd>()) {
    checkOnce(site, trackers.cmd);
    checkShellForm(site, cmd->command, facts);
  } else if (const Entrypoint* entrypoint = instruction.as<Entrypoint>()) {
    checkOnce(site, trackers.entrypoint);
    checkShellForm(site, entrypoint->command, facts);
  } else if (instruction.as<Healthcheck>() != nullptr) {
    checkOnce(site, trackers.healthcheck);
  }
  const Result<ExpandedInstruction> expanded =
      expandInstruction(instruction, facts.environment, file_.directives.escape);
  if (!expanded) {
    return;  // the build reports it
  }
  reportUnset(site, expanded->variables, facts);
  const Instruction& result = expanded->instruction;
  if (const Env* env = result.as<Env>()) {
    checkEnv(site, *env, facts);
  } else if (const Label* label = result.as<Label>()) {
    checkLegacyForm(site, label->pairs);
  } else if (const Workdir* workdir = result.as<Workdir>()) {
    checkWorkdir(site, *workdir, facts);
  } else if (const Expose* expose = result.as<Expose>()) {
    checkExpose(site, *expose);
  } else if (const Copy* copy = result.as<Copy>(); copy != nullptr && copy->from.empty()) {
    checkSources(site, *copy, "Copy");
  } else if (const Add* added = result.as<Add>()) {
    checkSources(site, *added, "Add");
  }
}

/// Each entry sees the ones before it (§4.4); a default is not evaluated if a value overrides it.
void StageChecker::checkArg(const Site& site, const Arg& arg, StageFacts& facts) {
  for (const Arg::Entry& entry : arg.entries) {
    if (isSecretName(entry.name)) {
      add(site, "SecretsUsedInArgOrEnv",
          "Do not use ARG or ENV instructions for sensitive data (ARG " + goQuoted(entry.name) +
              ")");
    }
    std::optional<std::string> value;
    if (const auto given = inputs_.buildArgs.find(entry.name); given != inputs_.buildArgs.end()) {
      value = given->second;
    } else if (entry.value) {
      const Result<Expansion> expansion =
          expandWord(*entry.value, facts.environment, file_.directives.escape);
      if (!expansion) {
        return;
      }
      reportUnset(site, expansion->variables, facts);
      value = expansion->text;
    } else if (const std::optional<std::string_view> global = globals_.find(entry.name)) {
      value = std::string(*global);
    }
    if (value && !isSbomArgument(entry.name)) {
      facts.environment.set(entry.name, *value);
    }
    facts.arguments.insert(entry.name);
  }
}

void StageChecker::checkLegacyForm(const Site& site, const std::vector<KeyValue>& pairs) {
  const std::string& keyword = site.instruction.keyword;
  for (const KeyValue& pair : pairs) {
    if (pair.legacy) {
      add(site, "LegacyKeyValueFormat",
          "\"" + keyword + " key=value\" should be used instead of legacy \"" + keyword +
              " key value\" format");
    }
  }
}

void StageChecker::checkEnv(const Site& site, const Env& env, StageFacts& facts) {
  checkLegacyForm(site, env.pairs);
  for (const KeyValue& pair : env.pairs) {
    if (isSecretName(pair.key)) {
      add(site, "SecretsUsedInArgOrEnv",
          "Do not use ARG or ENV instructions for sensitive data (ENV " + goQuoted(pair.key) + ")");
    }
    facts.environment.set(pair.key, pair.value);
  }
}

void StageChecker::checkRun(const Site& site, const Run& run, const StageFacts& facts) {
  VariableUse variables;
  const WordExpander expand = [&](std::string_view word) -> Result<std::string> {
    TRY(Expansion expansion, expandWord(word, facts.environment, file_.directives.escape));
    variables.merge(expansion.variables);
    return std::move(expansion.text);
  };
  for (const MountFlag& mount : run.mounts) {
    if (!parseMount(mount.text, expand)) {
      break;  // the build reports it
    }
  }
  reportUnset(site, variables, facts);
}

/// Only the first WORKDIR of a chain counts: making that one absolute mends all others.
void StageChecker::checkWorkdir(const Site& site, const Workdir& workdir, StageFacts& facts) {
  if (!facts.workdirSet && workdir.path.substr(0, 1) != "/") {
    add(site, "WorkdirRelativePath",
        "Relative workdir " + goQuoted(workdir.path) +
            " can have unexpected results if the base image changes");
  }
  facts.workdirSet = true;
}

void StageChecker::checkExpose(const Site& site, const Expose& expose) {
  for (const std::string& text : expose.ports) {
    const PortWord word = splitPortWord(text);
    const std::string folded = lower(word.protocol);
    const bool known = folded.empty() || folded == "tcp" || folded == "udp" || folded == "sctp";
    if (word.containerPort.empty() || !known) {
      return;  // the build reports it
    }
    if (word.protocol != folded) {
      add(site, "ExposeProtoCasing",
          "Defined protocol '" + text + "' in EXPOSE instruction should be lowercase");
    }
    if (!word.ip.empty() || !word.hostPort.empty()) {
      add(site, "ExposeInvalidFormat",
          "EXPOSE instruction should not define an IP address or host-port mapping, found '" +
              text + "'");
    }
  }
}

/// With exceptions in the ignore file nobody can tell statically what is copied.
void StageChecker::checkSources(const Site& site, const Transfer& transfer, std::string_view verb) {
  if (inputs_.ignore == nullptr || inputs_.ignore->empty() || inputs_.ignore->hasExceptions()) {
    return;
  }
  for (const std::string& source : transfer.sources) {
    if (isUrl(source)) {
      continue;
    }
    const std::string path = cleanPath(source);
    if ((path == "." || path == "/") && !ignoresRoot(*inputs_.ignore)) {
      continue;
    }
    if (inputs_.ignore->step(path, {}).excluded()) {
      add(site, "CopyIgnoredFile",
          "Attempting to " + std::string(verb) + " file " + goQuoted(path) +
              " that is excluded by .dockerignore");
    }
  }
}

void StageChecker::checkShellForm(const Site& site, const CommandLine& command,
                                  const StageFacts& facts) {
  if (command.shellForm && !facts.shellSet) {
    add(site, "JSONArgsRecommended",
        "JSON arguments recommended for " + site.instruction.keyword +
            " to prevent unintended behavior related to OS signals");
  }
}

/// The earlier one is reported, as it is the one that has no effect.
void StageChecker::checkOnce(const Site& site, std::optional<Instruction>& last) {
  if (last) {
    sink_.add("MultipleInstructionsDisallowed",
              "Multiple " + site.instruction.keyword +
                  " instructions should not be used in the same stage because only the last one "
                  "will be used",
              last->range, last->comments);
  }
  last = site.instruction;
  last->range = site.range;
}

}  // namespace stagewright::dockerfile
