#include "lib/dockerfile/check_sink.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "lib/dockerfile/lines.h"

namespace stagewright::dockerfile {
namespace {

bool listed(const std::vector<std::string>& rules, std::string_view rule) {
  return std::find(rules.begin(), rules.end(), rule) != rules.end();
}

bool allows(const CheckOptions& options, const CheckRule& rule) {
  if (options.skipAll || listed(options.skip, rule.name)) {
    return false;
  }
  return !rule.experimental || options.experimentalAll || listed(options.experimental, rule.name);
}

/// `skip` and `experimental` of comments are merged with the file's, `error` is not.
void mergeComment(std::string_view comment, CheckOptions& options) {
  const std::optional<DirectiveScanner::Found> found = matchDirective(comment);
  if (!found || found->key != "check") {
    return;
  }
  const Result<CheckOptions> own = parseCheckOptions(untilBlank(found->value));
  if (!own) {
    return;
  }
  options.skipAll = options.skipAll || own->skipAll;
  options.experimentalAll = options.experimentalAll || own->experimentalAll;
  options.skip.insert(options.skip.end(), own->skip.begin(), own->skip.end());
  options.experimental.insert(options.experimental.end(), own->experimental.begin(),
                              own->experimental.end());
}

}  // namespace

void CheckSink::add(std::string_view rule, std::string message, const SourceRange& range,
                    const std::vector<std::string>& comments) {
  const std::vector<CheckRule>& rules = checkRules();
  const auto known =
      std::find_if(rules.begin(), rules.end(), [&](const CheckRule& r) { return r.name == rule; });
  CheckOptions options = options_;
  for (const std::string& comment : comments) {
    mergeComment(comment, options);
  }
  if (!allows(options, *known)) {
    return;
  }
  Finding finding;
  finding.rule = rule;
  finding.description = known->description;
  finding.url = checkUrl(rule);
  finding.message = std::move(message);
  finding.range = range;
  findings_.push_back(std::move(finding));
}

CheckReport CheckSink::take() && {
  std::stable_sort(findings_.begin(), findings_.end(),
                   [](const Finding& a, const Finding& b) { return a.range.line < b.range.line; });
  CheckReport report;
  report.findings = std::move(findings_);
  report.error = options_.error && !report.findings.empty();
  return report;
}

}  // namespace stagewright::dockerfile
