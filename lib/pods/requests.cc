#include "lib/pods/requests.h"

#include <nlohmann/json.hpp>

#include "lib/plan/contract.h"

namespace stagewright::pods {

namespace {
using Pairs = std::vector<std::pair<std::string, std::string>>;

Pairs pairsOf(const std::vector<api::NameValue>& items) {
  Pairs out;
  for (const api::NameValue& item : items) {
    out.emplace_back(item.name, item.value);
  }
  return out;
}

plan::RegistryAccess::Tls tlsOf(const api::Registry& registry) {
  using Tls = plan::RegistryAccess::Tls;
  switch (registry.tls.value_or(api::Tls::kVerify)) {
    case api::Tls::kSkipVerify:
      return Tls::kSkipVerify;
    case api::Tls::kPlainHTTP:
      return Tls::kPlainHttp;
    case api::Tls::kVerify:
      break;
  }
  return Tls::kVerify;
}

std::vector<plan::RegistryAccess> registriesOf(const api::ImageBuildSpec& spec) {
  std::vector<plan::RegistryAccess> out;
  for (std::size_t i = 0; i < spec.registries.size(); ++i) {
    plan::RegistryAccess access;
    access.host = spec.registries[i].host;
    access.tls = tlsOf(spec.registries[i]);
    if (spec.registries[i].trustedCA) {
      access.caFile = std::string(plan::kCaDir) + "/" + std::to_string(i) + "/ca.crt";
    }
    out.push_back(std::move(access));
  }
  return out;
}

void putTimestamp(plan::BuildRequest& out, const std::optional<api::Timestamp>& timestamp) {
  using Policy = api::TimestampPolicy;
  switch (timestamp ? timestamp->policy : Policy::kNow) {
    case Policy::kNow:
      return;
    case Policy::kSource:
      out.timePolicy = plan::TimePolicy::kSource;
      return;
    case Policy::kZero:
      out.timePolicy = plan::TimePolicy::kFixed;
      return;
    case Policy::kFixed:
      out.timePolicy = plan::TimePolicy::kFixed;
      out.fixedTime = std::chrono::duration_cast<std::chrono::seconds>(
                          timestamp->time.value_or(TimePoint()).time_since_epoch())
                          .count();
  }
}

void putBuildArgs(plan::BuildRequest& out, const std::vector<api::BuildArg>& args) {
  for (const api::BuildArg& arg : args) {
    if (arg.from) {
      out.buildArgFiles.emplace_back(arg.name, "key " + quoted(arg.from->key, 253) +
                                                   " of ConfigMap " + quoted(arg.from->name, 253));
    } else {
      out.buildArgs.emplace_back(arg.name, arg.value);
    }
  }
}

void putSource(plan::BuildRequest& out, const api::Source& source) {
  out.configMap = source.configMap.has_value();
  if (source.git) {
    const api::GitSource& git = *source.git;
    out.git = plan::GitSource{git.url, git.ref.branch, git.ref.tag, git.ref.commit,
                              !git.secretRef.empty()};
  }
}
}  // namespace

std::vector<std::pair<std::string, std::string>> proxyVariables(const api::ImageBuildSpec& spec) {
  Pairs out;
  const auto put = [&](const char* upper, const char* lower, const std::string& value) {
    if (!value.empty()) {
      out.emplace_back(upper, value);
      out.emplace_back(lower, value);
    }
  };
  const api::Proxy proxy = spec.proxy.value_or(api::Proxy());
  put("HTTP_PROXY", "http_proxy", proxy.http);
  put("HTTPS_PROXY", "https_proxy", proxy.https);
  put("NO_PROXY", "no_proxy", proxy.noProxy);
  return out;
}

plan::BuildRequest makeBuildRequest(const api::ImageBuildSpec& spec) {
  plan::BuildRequest out;
  if (spec.source) {
    putSource(out, *spec.source);
  }
  if (!spec.contextDir.empty()) {
    out.contextDir = spec.contextDir;
  }
  if (!spec.dockerfile.empty()) {
    out.dockerfile = spec.dockerfile;
  }
  if (!spec.dockerfileInline.empty()) {
    out.dockerfileInline = spec.dockerfileInline;
  }
  out.target = spec.target;
  out.platform.os = "linux";
  out.platform.architecture = "amd64";
  putBuildArgs(out, spec.buildArgs);
  out.labels = pairsOf(spec.output.labels);
  for (const api::BuildContext& context : spec.buildContexts) {
    out.contexts.emplace_back(context.name, context.image);
  }
  putTimestamp(out, spec.output.timestamp);
  for (const api::BuildSecret& secret : spec.secrets) {
    out.secretIds.push_back(secret.id);
  }
  for (const api::BuildSecret& key : spec.ssh) {
    out.sshIds.push_back(key.id);
  }
  out.registries = registriesOf(spec);
  out.proxies = proxyVariables(spec);
  if (spec.trustedCA) {
    out.trustedCa = spec.trustedCA->configMapKeyRef.name;
    out.authoritiesInRun = spec.trustedCA->inRun == api::CaInRun::kEnv;
  }
  out.pullSecrets = static_cast<int>(spec.imagePullSecrets.size());
  out.maxAttempts = kMaxAttempts;
  return out;
}

std::optional<plan::CacheSource> makeCacheSource(const api::ImageBuild& build, bool read) {
  const api::Cache& cache = build.spec.cache;
  if (cache.mode != api::CacheMode::kRegistry) {
    return std::nullopt;
  }
  const bool zstd = build.spec.output.compression == api::Compression::kZstd;
  return plan::CacheSource{cache.repository, read && cache.policy != api::CachePolicy::kRefresh,
                           build.metadata.namespace_ + (zstd ? " zstd" : " gzip")};
}

plan::PublishRequest makePublishRequest(const api::ImageBuildSpec& spec, OutputTarget target) {
  plan::PublishRequest out;
  out.repository = std::move(target.repository);
  out.tags = std::move(target.tags);
  out.registries = registriesOf(spec);
  out.pullSecrets = static_cast<int>(spec.imagePullSecrets.size());
  if (spec.trustedCA) {
    out.trustedCa = spec.trustedCA->configMapKeyRef.name;
  }
  out.pushSecret = !spec.output.secretRef.empty();
  out.pushSecretName = spec.output.secretRef;
  out.dockerFormat = spec.output.format == api::OutputFormat::kDocker;
  out.zstd = spec.output.compression == api::Compression::kZstd;
  out.annotations = pairsOf(spec.output.annotations);
  out.cacheRepository = spec.cache.repository;
  return out;
}

Status checkRequestSize(const api::ImageBuildSpec& spec) {
  const std::size_t size = dumpJson(plan::toJson(makeBuildRequest(spec))).size();
  if (size > kMaxRequestBytes) {
    return invalid("spec: dockerfileInline, buildArgs and output.labels together take " +
                   std::to_string(size / 1024) + " KiB, at most " +
                   std::to_string(kMaxRequestBytes / 1024) +
                   " are possible; put the Dockerfile into a source");
  }
  return ok();
}

}  // namespace stagewright::pods
