#include "lib/dockerfile/healthcheck.h"

#include "lib/dockerfile/flags.h"
#include "lib/dockerfile/go_format.h"
#include "lib/dockerfile/text.h"
#include "lib/dockerfile/values.h"

namespace stagewright::dockerfile {
namespace {

constexpr std::int64_t kShortest = 1'000'000;

Parsed<std::int64_t> readInterval(const FlagValues& flags, std::string_view name) {
  const std::string value = flags.text(name);
  if (value.empty()) {
    return 0;
  }
  const std::string token = "--" + std::string(name) + "=" + value;
  const Result<std::int64_t> duration = parseGoDuration(value);
  if (!duration) {
    return mistake(duration.error().message, token, "durations look like 30s, 1m30s or 500ms");
  }
  if (*duration != 0 && *duration < kShortest) {
    return mistake("Interval " + goQuoted(name) + " cannot be less than 1ms", token);
  }
  return *duration;
}

Parsed<int> readRetries(const FlagValues& flags) {
  const std::string value = flags.text("retries");
  if (value.empty()) {
    return 0;
  }
  const Result<std::int64_t> retries = parseGoInt(value, 32);
  if (!retries) {
    return mistake(retries.error().message, "--retries=" + value);
  }
  if (*retries < 0) {
    return mistake("--retries cannot be negative (" + std::to_string(*retries) + ")",
                   "--retries=" + value);
  }
  return static_cast<int>(*retries);
}

/// `CMD` becomes `CMD-SHELL` in shell form, as the configuration has it.
Parsed<std::vector<std::string>> readTest(const SyntaxNode& node, const std::string& type) {
  if (type != "CMD") {
    return mistake("Unknown type " + goQuoted(type) + " in HEALTHCHECK (try CMD)",
                   node.words.front());
  }
  if (node.words.size() == 1) {
    return mistake("Missing command after HEALTHCHECK CMD");
  }
  std::vector<std::string> test = node.words;
  test.front() = node.json ? "CMD" : "CMD-SHELL";
  return test;
}

Parsed<InstructionBody> readChecked(const SyntaxNode& node, const std::string& type) {
  const Parsed<FlagValues> flags = readFlags(node.flags, {{"interval", FlagKind::kText},
                                                          {"timeout", FlagKind::kText},
                                                          {"start-period", FlagKind::kText},
                                                          {"start-interval", FlagKind::kText},
                                                          {"retries", FlagKind::kText}});
  if (!flags) {
    return tl::unexpected<Mistake>(flags.error());
  }
  Healthcheck out;
  Parsed<std::vector<std::string>> test = readTest(node, type);
  if (!test) {
    return tl::unexpected<Mistake>(test.error());
  }
  out.test = std::move(*test);
  const std::pair<std::string_view, std::int64_t*> intervals[] = {
      {"interval", &out.intervalNs},
      {"timeout", &out.timeoutNs},
      {"start-period", &out.startPeriodNs},
      {"start-interval", &out.startIntervalNs}};
  for (const auto& [name, field] : intervals) {
    const Parsed<std::int64_t> interval = readInterval(*flags, name);
    if (!interval) {
      return tl::unexpected<Mistake>(interval.error());
    }
    *field = *interval;
  }
  const Parsed<int> retries = readRetries(*flags);
  if (!retries) {
    return tl::unexpected<Mistake>(retries.error());
  }
  out.retries = *retries;
  return out;
}

}  // namespace

Parsed<InstructionBody> convertHealthcheck(const SyntaxNode& node) {
  if (node.words.empty()) {
    return mistake("HEALTHCHECK requires at least one argument");
  }
  const std::string type = upper(node.words.front());
  if (type != "NONE") {
    return readChecked(node, type);
  }
  // NONE does not look at flags (§2.7).
  if (node.words.size() > 1) {
    return mistake("HEALTHCHECK NONE takes no arguments", node.words[1]);
  }
  return Healthcheck{.test = {"NONE"}};
}

}  // namespace stagewright::dockerfile
