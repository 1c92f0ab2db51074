#include "lib/plan/arguments.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "lib/dockerfile/diagnostic.h"
#include "lib/dockerfile/expand.h"
#include "lib/plan/text.h"

namespace stagewright::plan {

namespace {

constexpr std::string_view kEpoch = "SOURCE_DATE_EPOCH";
constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kProxies = {
    {{"HTTP_PROXY", "http_proxy"},
     {"HTTPS_PROXY", "https_proxy"},
     {"FTP_PROXY", "ftp_proxy"},
     {"NO_PROXY", "no_proxy"},
     {"ALL_PROXY", "all_proxy"}}};

/// How OpenSSL and Go, Node.js, Python's requests, git and curl learn of a bundle.
constexpr std::array<std::string_view, 5> kAuthorityVariables = {
    "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO",
    "CURL_CA_BUNDLE"};

/// TARGETSTAGE: what the caller asks for, else the name of the last stage.
std::string targetStage(const PlanInput& input) {
  const std::string& last =
      input.file.stages.empty() ? std::string() : input.file.stages.back().name;
  const std::string& name = input.target.empty() ? last : input.target;
  return name.empty() ? "default" : name;
}

void setPlatform(dockerfile::EnvironmentList& out, const std::string& prefix,
                 const oci::Platform& p) {
  out.set(prefix + "PLATFORM", p.str());
  out.set(prefix + "OS", p.os);
  out.set(prefix + "OSVERSION", "");
  out.set(prefix + "ARCH", p.architecture);
  out.set(prefix + "VARIANT", p.variant);
}

dockerfile::EnvironmentList platformArguments(const PlanInput& input,
                                              const std::map<std::string, std::string>& given) {
  dockerfile::EnvironmentList out;
  setPlatform(out, "BUILD", input.buildPlatform);
  setPlatform(out, "TARGET", input.platform);
  out.set("TARGETSTAGE", targetStage(input));
  for (const std::string& name : out.names()) {
    if (const auto found = given.find(name); found != given.end()) {
      out.set(name, found->second);
    }
  }
  return out;
}

/// Each ARG sees the ones before it, within one instruction too (section 4.4).
Status addGlobalArg(const PlanInput& input, const dockerfile::Instruction& instruction,
                    Arguments& out) {
  const auto* arg = instruction.as<dockerfile::Arg>();
  if (arg == nullptr) {
    return ok();
  }
  for (const dockerfile::Arg::Entry& entry : arg->entries) {
    if (const auto found = out.given.find(entry.name); found != out.given.end()) {
      out.globals.set(entry.name, found->second);
    } else if (entry.value) {
      TRY(const std::string value, expandAt(input, instruction.range, *entry.value, out.globals));
      CHECK_OK(checkValue(entry.name, value));
      out.globals.set(entry.name, value);
    }
  }
  return ok();
}

/// Both spellings of each proxy that the caller gave under any (section 7.2). A build argument
/// wins, an empty one too.
std::vector<std::pair<std::string, std::string>> proxyVariables(
    const PlanInput& input, const std::map<std::string, std::string>& given) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& [upper, lower] : kProxies) {
    std::string value;
    for (const auto& [name, text] : input.proxies) {
      value = lowered(name) == lower ? text : value;
    }
    for (const auto& [name, text] : given) {
      value = lowered(name) == lower ? text : value;
    }
    if (!value.empty()) {
      out.emplace_back(upper, value);
      out.emplace_back(lower, value);
    }
  }
  return out;
}

/// The build argument, else the default of a global ARG; nothing if that is empty.
std::optional<std::string> epochText(const Arguments& arguments) {
  if (const auto found = arguments.given.find(std::string(kEpoch));
      found != arguments.given.end()) {
    return found->second;
  }
  const auto value = arguments.globals.find(kEpoch);
  return value && !value->empty() ? std::optional<std::string>(*value) : std::nullopt;
}

bool namesSomething(const PlanInput& input, const std::string& value) {
  const auto& stages = input.file.stages;
  const auto& contexts = input.contexts;
  return value == "context" ||
         std::any_of(stages.begin(), stages.end(),
                     [&](const auto& s) { return s.name == lowered(value); }) ||
         std::any_of(contexts.begin(), contexts.end(),
                     [&](const auto& c) { return c.name == value; });
}

/// Section 7.3. What the stages see is the canonical number, or nothing for an empty text.
Status evaluateEpoch(const PlanInput& input, Arguments& out) {
  const auto text = epochText(out);
  if (!text) {
    return ok();
  }
  if (text->empty()) {
    out.given.erase(std::string(kEpoch));
    out.globals.unset(kEpoch);
    return ok();
  }
  std::int64_t seconds = 0;
  const char* begin = text->data() + (text->front() == '+' ? 1 : 0);
  const auto [end, failure] = std::from_chars(begin, text->data() + text->size(), seconds);
  if (failure != std::errc() || end != text->data() + text->size()) {
    return namesSomething(input, *text)
               ? invalid("SOURCE_DATE_EPOCH=" + *text +
                         " is not supported yet: give the number of seconds since 1970")
               : invalid("invalid SOURCE_DATE_EPOCH: " + *text);
  }
  out.epoch = seconds;
  if (const auto found = out.given.find(std::string(kEpoch)); found != out.given.end()) {
    found->second = std::to_string(seconds);
  }
  if (out.globals.find(kEpoch)) {
    out.globals.set(kEpoch, std::to_string(seconds));
  }
  return ok();
}

}  // namespace

Result<std::string> expandAt(const PlanInput& input, const SourceRange& where,
                             std::string_view word, const dockerfile::Environment& environment) {
  const BoundedEnvironment bounded(environment);
  auto result = dockerfile::expandWord(word, bounded, input.file.directives.escape);
  const Status bound = bounded.check();
  if (!result || !bound) {
    return dockerfile::errorAt(input.source, dockerfile::locateToken(input.source, where, word),
                               result ? bound.error().message : result.error().message);
  }
  return std::move(result->text);
}

std::optional<std::string_view> BoundedEnvironment::find(std::string_view name) const {
  const auto value = inner_.find(name);
  served_ += value ? value->size() : 0;
  return served_ > kMaxServedBytes && value ? std::optional<std::string_view>("") : value;
}

Status BoundedEnvironment::check() const {
  return served_ > kMaxServedBytes ? invalid("the variables in it expand to more than 64 MiB")
                                   : ok();
}

Status checkValue(const std::string& name, const std::string& value) {
  return value.size() > kMaxValueBytes
             ? invalid("the value of " + quoted(name, 128) + " is longer than 1 MiB")
             : ok();
}

Result<Arguments> evaluateArguments(const PlanInput& input) {
  Arguments out;
  for (const auto& [name, value] : input.buildArgs) {
    out.given[name] = value;
  }
  out.globals = platformArguments(input, out.given);
  for (const dockerfile::Instruction& instruction : input.file.globalArgs) {
    CHECK_OK(addGlobalArg(input, instruction, out));
  }
  CHECK_OK(evaluateEpoch(input, out));
  out.unkeyed = proxyVariables(input, out.given);
  if (!input.authorities.empty()) {
    for (const std::string_view name : kAuthorityVariables) {
      out.unkeyed.emplace_back(name, input.authorities);
    }
  }
  if (const auto found = out.given.find("BUILDKIT_CACHE_MOUNT_NS"); found != out.given.end()) {
    out.cacheNamespace = found->second;
  }
  return out;
}

}  // namespace stagewright::plan
