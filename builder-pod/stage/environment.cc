#include "builder-pod/stage/environment.h"

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "lib/base/hash.h"
#include "lib/base/json.h"
#include "lib/plan/contract.h"

extern char** environ;

namespace stagewright::stage {

namespace {

std::optional<std::string> variable(std::string_view name) {
  const char* value = std::getenv(std::string(name).c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

Result<std::string> required(std::string_view name) {
  auto value = variable(name);
  if (!value || value->empty()) {
    return invalid("the environment variable " + std::string(name) + " is not set");
  }
  return std::move(*value);
}

Result<int> number(std::string_view name) {
  TRY(const std::string text, required(name));
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) {
    return invalid("the environment variable " + std::string(name) +
                   " is no number: " + quoted(text, 64));
  }
  return value;
}

Result<std::map<int, Upstream>> parseUpstream(const std::string& text) {
  TRY(const Json json, parseJson(text));
  const JsonReader reader(json, std::string(plan::kEnvUpstream));
  CHECK_OK(reader.mustBeObject());
  std::map<int, Upstream> out;
  for (const auto& item : json.items()) {
    const std::string& index = item.key();
    int stage = 0;
    const auto [end, error] = std::from_chars(index.data(), index.data() + index.size(), stage);
    if (error != std::errc() || end != index.data() + index.size() || stage < 0) {
      return reader.error("expected the indexes of stages as keys");
    }
    const JsonReader entry(item.value(), reader.path() + "." + index);
    TRY(const std::int64_t attempt, entry.integer("attempt"));
    TRY(const std::string key, entry.string("key"));
    TRY(std::string raw, fromHex(key));
    if (attempt < 1 || attempt > std::numeric_limits<int>::max()) {
      return entry.error("attempt out of range");
    }
    out[stage] = Upstream{static_cast<int>(attempt), std::move(raw)};
  }
  return out;
}

Result<Environment> readEnvironment() {
  Environment env;
  TRY(env.options.runId, required(plan::kEnvRunId));
  TRY(env.options.attempt, number(plan::kEnvAttempt));
  TRY(env.options.stage, number(plan::kEnvStage));
  TRY(const std::string key, required(plan::kEnvKey));
  TRY(env.options.key, fromHex(key));
  TRY(env.planDigest, required(plan::kEnvPlanDigest));
  TRY(env.options.upstream, parseUpstream(variable(plan::kEnvUpstream).value_or("{}")));
  env.userNamespaceRequired = variable(plan::kEnvUserNamespace) == "required";
  env.options.networkNone = variable(plan::kEnvNetwork) == "none";
  env.awaitSecrets = variable(plan::kEnvGrants) == "await";
  if (variable(plan::kEnvTimeoutSeconds)) {
    TRY(const int seconds, number(plan::kEnvTimeoutSeconds));
    env.options.timeout = std::chrono::seconds(seconds);
  }
  return env;
}

/// The strings lie on this process's stack, where /proc/1/environ shows them to whoever may read
/// it.
void wipeEnvironment() {
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    ::explicit_bzero(*variable, std::strlen(*variable));
  }
  ::clearenv();
}

}  // namespace

Result<Environment> takeEnvironment() {
  Result<Environment> env = readEnvironment();
  wipeEnvironment();
  return env;
}

bool isIdentityMap(std::string_view uidMap) {
  std::string words;
  for (const char c : uidMap) {
    const bool blank = c == ' ' || c == '\t' || c == '\n';
    if (!blank) {
      words += c;
    } else if (!words.empty() && words.back() != ' ') {
      words += ' ';
    }
  }
  return words == "0 0 4294967295 " || words == "0 0 4294967295";
}

}  // namespace stagewright::stage
