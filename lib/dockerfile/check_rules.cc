// The rules of the build checks, their options, and how a finding is shown (§2.5, §10).
#include <algorithm>

#include "lib/dockerfile/checks.h"
#include "lib/dockerfile/diagnostic.h"
#include "lib/dockerfile/go_format.h"
#include "lib/dockerfile/text.h"
#include "lib/dockerfile/values.h"

namespace stagewright::dockerfile {
namespace {

/// UndefinedVar becomes undefined-var, JSONArgsRecommended json-args-recommended.
std::string kebab(std::string_view name) {
  const auto isUpper = [](char c) { return c >= 'A' && c <= 'Z'; };
  std::string out;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool lastOfAcronym = i + 1 < name.size() && !isUpper(name[i + 1]);
    if (i > 0 && isUpper(name[i]) && (!isUpper(name[i - 1]) || lastOfAcronym)) {
      out += '-';
    }
    out += name[i];
  }
  return lower(out);
}

std::vector<std::string> readRules(std::string_view text) {
  std::vector<std::string> rules;
  for (const std::string& rule : splitAt(text, ',')) {
    rules.emplace_back(trim(rule));
  }
  return rules;
}

Status readOption(std::string_view option, CheckOptions& out) {
  const std::size_t equals = option.find('=');
  if (equals == std::string_view::npos) {
    return invalid("failed to parse check options: invalid check option " + goQuoted(option));
  }
  const std::string_view key = trim(option.substr(0, equals));
  const std::string_view value = trim(option.substr(equals + 1));
  if (key == "skip") {
    out.skipAll = value == "all";
    out.skip = out.skipAll ? std::vector<std::string>() : readRules(value);
  } else if (key == "experimental") {
    out.experimentalAll = value == "all";
    out.experimental = out.experimentalAll ? std::vector<std::string>() : readRules(value);
  } else if (key == "error") {
    const std::optional<bool> parsed = parseGoBool(value);
    if (!parsed) {
      return invalid("failed to parse check option " + goQuoted(option) +
                     ": strconv.ParseBool: parsing " + goQuoted(value) + ": invalid syntax");
    }
    out.error = *parsed;
  } else {
    return invalid("failed to parse check options: invalid check option " + goQuoted(key));
  }
  return ok();
}

}  // namespace

const std::vector<CheckRule>& checkRules() {
  static const std::vector<CheckRule> kRules = {
      {"StageNameCasing", "Stage names should be lowercase"},
      {"FromAsCasing", "The 'as' keyword should match the case of the 'from' keyword"},
      {"NoEmptyContinuation", "Empty continuation lines will become errors in a future release"},
      {"ConsistentInstructionCasing",
       "All commands within the Dockerfile should use the same casing (either upper or lower)"},
      {"DuplicateStageName", "Stage names should be unique"},
      {"ReservedStageName", "Reserved words should not be used as stage names"},
      {"JSONArgsRecommended",
       "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS "
       "signals"},
      {"MaintainerDeprecated",
       "The MAINTAINER instruction is deprecated, use a label instead to define an image author"},
      {"UndefinedArgInFrom", "FROM command must use declared ARGs"},
      {"WorkdirRelativePath",
       "Relative workdir without an absolute workdir declared within the build can have unexpected "
       "results if the base "
       "image changes"},
      {"UndefinedVar", "Variables should be defined before their use"},
      {"MultipleInstructionsDisallowed",
       "Multiple instructions of the same type should not be used in the same stage"},
      {"LegacyKeyValueFormat",
       "Legacy key/value format with whitespace separator should not be used"},
      {"InvalidBaseImagePlatform", "Base image platform does not match expected target platform"},
      {"RedundantTargetPlatform",
       "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default "
       "behavior"},
      {"SecretsUsedInArgOrEnv", "Sensitive data should not be used in the ARG or ENV commands"},
      {"InvalidDefaultArgInFrom",
       "Default value for global ARG results in an empty or invalid base image name"},
      {"FromPlatformFlagConstDisallowed", "FROM --platform flag should not use a constant value"},
      {"CopyIgnoredFile", "Attempting to Copy file that is excluded by .dockerignore"},
      {"InvalidDefinitionDescription",
       "Comment for build stage or argument should follow the format: `# <arg/stage name> "
       "<description>`. If this is "
       "not intended to be a description comment, add an empty line or comment between the "
       "instruction and the "
       "comment.",
       true},
      {"ExposeProtoCasing", "Protocol in EXPOSE instruction should be lowercase"},
      {"ExposeInvalidFormat",
       "IP address and host-port mapping should not be used in EXPOSE instruction. This will "
       "become an error in a "
       "future release"},
  };
  return kRules;
}

std::string checkUrl(std::string_view ruleName) { return "docs/checks.md#" + kebab(ruleName); }

std::string formatFinding(const Source& source, const Finding& finding) {
  return formatDiagnostic(source, finding.range,
                          finding.level + ": " + finding.rule + ": " + finding.message) +
         "\n  " + finding.description + " (" + finding.url + ")";
}

Result<CheckOptions> parseCheckOptions(std::string_view text) {
  CheckOptions out;
  const std::string_view trimmed = trim(text);
  if (trimmed.empty()) {
    return out;
  }
  for (const std::string& option : splitAt(trimmed, ';')) {
    CHECK_OK(readOption(option, out));
  }
  return out;
}

std::string CheckReport::violation() const {
  if (!error) {
    return {};
  }
  std::vector<std::string> rules;
  for (const Finding& finding : findings) {
    if (std::find(rules.begin(), rules.end(), finding.rule) == rules.end()) {
      rules.push_back(finding.rule);
    }
  }
  return "lint violation found for rules: " + join(rules, ", ");
}

}  // namespace stagewright::dockerfile
