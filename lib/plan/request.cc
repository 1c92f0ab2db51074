#include "lib/plan/request.h"

#include <array>
#include <nlohmann/json.hpp>

#include "lib/plan/json_parts.h"

namespace stagewright::plan {

namespace {

constexpr int kMaxKeptLogs = 50;
constexpr std::size_t kMaxRequestBytes = 1024 * 1024;
constexpr int kMaxPullSecrets = 100;
constexpr int kMaxAttempts = 1000;
using Tls = RegistryAccess::Tls;
constexpr std::array<std::pair<Tls, std::string_view>, 3> kTlsNames = {
    {{Tls::kVerify, "verify"}, {Tls::kSkipVerify, "skipVerify"}, {Tls::kPlainHttp, "plainHttp"}}};

using Pairs = std::vector<std::pair<std::string, std::string>>;

/// A list, not an object: the order counts and a name may come twice.
Json pairsJson(const Pairs& pairs) {
  Json out = Json::array();
  for (const auto& [name, value] : pairs) {
    out.push_back({{"name", name}, {"value", value}});
  }
  return out;
}

Result<Pairs> readPairs(const JsonReader& reader, std::string_view key) {
  TRY(const auto items, reader.array(key));
  Pairs out;
  for (const JsonReader& item : items) {
    auto& [name, value] = out.emplace_back();
    TRY(name, item.string("name"));
    TRY(value, item.string("value", ""));
  }
  return out;
}

Json registriesJson(const std::vector<RegistryAccess>& registries) {
  Json out = Json::array();
  for (const RegistryAccess& registry : registries) {
    std::string_view tls;
    for (const auto& [value, name] : kTlsNames) {
      tls = value == registry.tls ? name : tls;
    }
    out.push_back({{"host", registry.host},
                   {"tls", tls},
                   {"caFile", registry.caFile},
                   {"mirrors", registry.mirrors}});
  }
  return out;
}

Result<Tls> readTls(const JsonReader& reader) {
  TRY(const std::string text, reader.string("tls", "verify"));
  for (const auto& [value, name] : kTlsNames) {
    if (name == text) {
      return value;
    }
  }
  return reader.error("tls: expected verify, skipVerify or plainHttp, got " + quoted(text, 64));
}

Result<std::vector<RegistryAccess>> readRegistries(const JsonReader& reader) {
  TRY(const auto items, reader.array("registries"));
  std::vector<RegistryAccess> out;
  for (const JsonReader& item : items) {
    RegistryAccess& registry = out.emplace_back();
    TRY(registry.host, item.string("host"));
    TRY(registry.tls, readTls(item));
    TRY(registry.caFile, item.string("caFile", ""));
    TRY(registry.mirrors, item.strings("mirrors"));
  }
  return out;
}

Result<std::optional<GitSource>> readGit(const JsonReader& reader) {
  TRY(const auto object, reader.optionalObject("git"));
  if (!object) {
    return std::optional<GitSource>();
  }
  GitSource out;
  TRY(out.url, object->string("url"));
  TRY(out.branch, object->string("branch", ""));
  TRY(out.tag, object->string("tag", ""));
  TRY(out.commit, object->string("commit", ""));
  TRY(out.authenticated, object->boolean("authenticated", false));
  if ((out.branch.empty() ? 0 : 1) + (out.tag.empty() ? 0 : 1) + (out.commit.empty() ? 0 : 1) > 1) {
    return object->error("at most one of branch, tag and commit may be set");
  }
  return std::optional<GitSource>(std::move(out));
}

Result<std::optional<CacheSource>> readCache(const JsonReader& reader) {
  TRY(const auto object, reader.optionalObject("cache"));
  if (!object) {
    return std::optional<CacheSource>();
  }
  CacheSource out;
  TRY(out.repository, object->string("repository"));
  TRY(out.read, object->boolean("read", true));
  TRY(out.scope, object->string("scope", ""));
  return std::optional<CacheSource>(std::move(out));
}

Result<TimePolicy> readTimePolicy(const JsonReader& reader) {
  TRY(const std::string text, reader.string("timePolicy", "now"));
  if (text != "now" && text != "source" && text != "fixed") {
    return reader.error("timePolicy: expected now, source or fixed, got " + quoted(text, 64));
  }
  return text == "now"      ? TimePolicy::kNow
         : text == "source" ? TimePolicy::kSource
                            : TimePolicy::kFixed;
}

Result<int> boundedOr(const JsonReader& reader, std::string_view key, int low, int high,
                      int fallback) {
  return reader.has(key) ? parseInt(reader, key, low, high) : Result<int>(fallback);
}

Result<Json> parseRequest(std::string_view text) {
  if (text.size() > kMaxRequestBytes) {
    return invalid("the request is larger than 1 MiB");
  }
  TRY(Json json, parseJson(text));
  CHECK_OK(JsonReader(json).mustBeObject());
  return json;
}

}  // namespace

Json toJson(const BuildRequest& r) {
  Json out = {{"configMap", r.configMap},      {"contextDir", r.contextDir},
              {"dockerfile", r.dockerfile},    {"target", r.target},
              {"platform", r.platform.str()},  {"buildArgs", pairsJson(r.buildArgs)},
              {"labels", pairsJson(r.labels)}, {"registries", registriesJson(r.registries)},
              {"pullSecrets", r.pullSecrets},  {"maxAttempts", r.maxAttempts}};
  if (r.git) {
    out["git"] = {{"url", r.git->url},
                  {"branch", r.git->branch},
                  {"tag", r.git->tag},
                  {"commit", r.git->commit},
                  {"authenticated", r.git->authenticated}};
  }
  if (!r.proxies.empty()) {
    out["proxies"] = pairsJson(r.proxies);
  }
  if (!r.trustedCa.empty()) {
    out["trustedCa"] = r.trustedCa;
    out["authoritiesInRun"] = r.authoritiesInRun;
  }
  if (!r.buildArgFiles.empty()) {
    out["buildArgFiles"] = pairsJson(r.buildArgFiles);
  }
  if (!r.contexts.empty()) {
    out["contexts"] = pairsJson(r.contexts);
  }
  if (r.timePolicy != TimePolicy::kNow) {
    out["timePolicy"] = r.timePolicy == TimePolicy::kSource ? "source" : "fixed";
    out["fixedTime"] = r.fixedTime;
  }
  if (!r.claimOwner.empty()) {
    out["claimOwner"] = r.claimOwner;
  }
  if (r.cache) {
    out["cache"] = {
        {"repository", r.cache->repository}, {"read", r.cache->read}, {"scope", r.cache->scope}};
  }
  if (!r.secretIds.empty()) {
    out["secretIds"] = r.secretIds;
  }
  if (!r.sshIds.empty()) {
    out["sshIds"] = r.sshIds;
  }
  if (r.dockerfileInline) {
    out["dockerfileInline"] = *r.dockerfileInline;
  }
  return out;
}

Json toJson(const PublishRequest& r) {
  Json out = {{"repository", r.repository},
              {"tags", r.tags},
              {"registries", registriesJson(r.registries)},
              {"pullSecrets", r.pullSecrets},
              {"pushSecret", r.pushSecret},
              {"pushSecretName", r.pushSecretName},
              {"dockerFormat", r.dockerFormat},
              {"zstd", r.zstd},
              {"annotations", pairsJson(r.annotations)},
              {"cacheRepository", r.cacheRepository}};
  if (!r.trustedCa.empty()) {
    out["trustedCa"] = r.trustedCa;
  }
  if (r.logs) {
    out["logs"] = {{"tag", r.logs->tag}, {"keep", r.logs->keep}};
  }
  return out;
}

Result<BuildRequest> parseBuildRequest(std::string_view text) {
  TRY(const Json json, parseRequest(text));
  const JsonReader reader(json);
  BuildRequest out;
  TRY(out.git, readGit(reader));
  TRY(out.configMap, reader.boolean("configMap", false));
  TRY(out.contextDir, reader.string("contextDir", "."));
  TRY(out.dockerfile, reader.string("dockerfile", "Dockerfile"));
  TRY(out.dockerfileInline, reader.optionalString("dockerfileInline"));
  TRY(out.target, reader.string("target", ""));
  if (reader.has("platform")) {
    TRY(out.platform, parsePlatformAt(reader, "platform"));
  }
  TRY(out.buildArgs, readPairs(reader, "buildArgs"));
  TRY(out.buildArgFiles, readPairs(reader, "buildArgFiles"));
  TRY(out.labels, readPairs(reader, "labels"));
  TRY(out.proxies, readPairs(reader, "proxies"));
  TRY(out.trustedCa, reader.string("trustedCa", ""));
  TRY(out.authoritiesInRun, reader.boolean("authoritiesInRun", false));
  TRY(out.contexts, readPairs(reader, "contexts"));
  TRY(out.timePolicy, readTimePolicy(reader));
  TRY(out.fixedTime, reader.integer("fixedTime", 0));
  TRY(out.cache, readCache(reader));
  TRY(out.claimOwner, reader.string("claimOwner", ""));
  TRY(out.secretIds, reader.strings("secretIds"));
  TRY(out.sshIds, reader.strings("sshIds"));
  TRY(out.registries, readRegistries(reader));
  TRY(out.pullSecrets, boundedOr(reader, "pullSecrets", 0, kMaxPullSecrets, 0));
  TRY(out.maxAttempts, boundedOr(reader, "maxAttempts", 1, kMaxAttempts, 1));
  return out;
}

Result<PublishRequest> parsePublishRequest(std::string_view text) {
  TRY(const Json json, parseRequest(text));
  const JsonReader reader(json);
  PublishRequest out;
  TRY(out.repository, reader.string("repository"));
  TRY(out.tags, reader.strings("tags"));
  TRY(out.registries, readRegistries(reader));
  TRY(out.pullSecrets, boundedOr(reader, "pullSecrets", 0, kMaxPullSecrets, 0));
  TRY(out.trustedCa, reader.string("trustedCa", ""));
  TRY(out.pushSecret, reader.boolean("pushSecret", false));
  TRY(out.pushSecretName, reader.string("pushSecretName", ""));
  TRY(out.dockerFormat, reader.boolean("dockerFormat", false));
  TRY(out.zstd, reader.boolean("zstd", false));
  TRY(out.annotations, readPairs(reader, "annotations"));
  TRY(out.cacheRepository, reader.string("cacheRepository", ""));
  TRY(const auto logs, reader.optionalObject("logs"));
  if (logs) {
    out.logs.emplace();
    TRY(out.logs->tag, logs->string("tag"));
    TRY(out.logs->keep, boundedOr(*logs, "keep", 1, kMaxKeptLogs, 1));
  }
  return out;
}

}  // namespace stagewright::plan
