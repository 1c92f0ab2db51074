#include "builder-pod/secrets/hand_over.h"

#include <sys/stat.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/plan/contract.h"

namespace stagewright::secrets {

namespace {

constexpr std::size_t kMaxValue = 2 * 1024 * 1024;  // a Secret has at most 1 MiB
constexpr unsigned kOnlyOurs = 0600;

std::string problemOf(const plan::SecretGrant& grant) {
  const bool isSsh = grant.kind == plan::SecretGrant::Kind::kSsh;
  return "the Secret " + stagewright::quoted(grant.secretName) + " that spec." +
         (isSsh ? "ssh" : "secrets") + " names for id " + stagewright::quoted(grant.id, 128) +
         " does not exist or has no key " + stagewright::quoted(grant.key);
}

Result<plan::HandOver> copyAll(const std::vector<plan::SecretGrant>& grants,
                               const std::string& from, const std::string& to) {
  plan::HandOver out;
  for (std::size_t i = 0; i < grants.size(); ++i) {
    const std::string file = std::to_string(i);
    const auto value = loadFile(from + "/" + file + "/value", kMaxValue);
    if (!value && value.error().code == Code::kNotFound) {
      out.problem += (out.problem.empty() ? "" : "; ") + problemOf(grants[i]);
      continue;
    }
    CHECK_OK(value);
    CHECK_OK(saveFileAtomically(to + "/" + file, *value, kOnlyOurs));
    out.items.push_back({grants[i].kind, grants[i].id, file});
  }
  if (!out.problem.empty()) {
    out.items.clear();
  }
  return out;
}

Status runFromEnvironment() {
  const char* text = std::getenv(std::string(plan::kEnvGrants).c_str());
  TRY(const auto grants, plan::parseGrants(text == nullptr ? "" : text));
  return handOver(grants, std::string(plan::kGrantsDir), std::string(plan::kSecretsDir));
}

}  // namespace

Status handOver(const std::vector<plan::SecretGrant>& grants, const std::string& from,
                const std::string& to) {
  TRY(const plan::HandOver result, copyAll(grants, from, to));
  return saveFileAtomically(to + "/" + std::string(plan::kHandOverFile),
                            dumpJson(plan::toJson(result)), kOnlyOurs);
}

int runHandOverMain() {
  log::setComponent("secrets");
  ::umask(077);
  if (const Status done = runFromEnvironment(); !done) {
    log::error("secrets not handed over", {{"cause", done.error().message}});
    return static_cast<int>(plan::Exit::kInternal);
  }
  return 0;
}

}  // namespace stagewright::secrets
