// How requests reach registries and the rest of the world.
#include <algorithm>

#include "lib/api/json_fields.h"
#include "lib/api/spec_keys.h"
#include "lib/api/spec_parts.h"

namespace stagewright::api {

namespace {
constexpr std::array<std::string_view, 3> kTlsWords = {"Verify", "SkipVerify", "PlainHTTP"};
constexpr std::array<std::string_view, 2> kInRunWords = {"None", "Env"};

/// The CRD refuses the same; this guards the environment of pods, which anybody who may get pods
/// can read.
Result<std::string> parseProxyUrl(const JsonReader& reader, std::string_view key) {
  TRY(std::string url, reader.string(key, ""));
  if (url.find('@') != std::string::npos) {
    return reader.error(std::string(key) + ": credentials in a URL are refused");
  }
  const bool plain = std::none_of(url.begin(), url.end(), [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == '\x7f';
  });
  if (!url.empty() && (!plain || (!url.starts_with("http://") && !url.starts_with("https://")))) {
    return reader.error(std::string(key) + ": expected a URL such as http://proxy.example:3128");
  }
  return url;
}
}  // namespace

Result<ConfigMapKey> parseConfigMapKey(const JsonReader& reader, const std::string& path) {
  CHECK_OK(onlySpecKeys(reader, path));
  TRY(const JsonReader ref, reader.object("configMapKeyRef"));
  CHECK_OK(onlySpecKeys(ref, path + ".configMapKeyRef"));
  ConfigMapKey out;
  TRY(out.name, ref.string("name"));
  TRY(out.key, ref.string("key"));
  return out;
}

Json configMapKeyJson(const ConfigMapKey& ref) {
  return {{"configMapKeyRef", {{"name", ref.name}, {"key", ref.key}}}};
}

Result<Registry> parseRegistry(const JsonReader& reader) {
  CHECK_OK(onlySpecKeys(reader, "spec.registries[]"));
  Registry out;
  TRY(out.host, reader.string("host"));
  TRY(out.tls, optionalEnum<Tls>(reader, "tls", kTlsWords));
  TRY(const std::optional<JsonReader> trusted, reader.optionalObject("trustedCA"));
  if (trusted) {
    TRY(out.trustedCA, parseConfigMapKey(*trusted, "spec.registries[].trustedCA"));
  }
  if (out.trustedCA && out.tls && *out.tls != Tls::kVerify) {
    return reader.error("trustedCA has no effect unless tls is Verify");
  }
  return out;
}

Json toJson(const Registry& registry) {
  Json out = {{"host", registry.host}};
  putEnum(out, "tls", registry.tls, kTlsWords);
  if (registry.trustedCA) {
    out["trustedCA"] = configMapKeyJson(*registry.trustedCA);
  }
  return out;
}

Result<std::optional<Proxy>> parseProxy(const JsonReader& spec) {
  TRY(const std::optional<JsonReader> reader, spec.optionalObject("proxy"));
  if (!reader) {
    return std::optional<Proxy>();
  }
  CHECK_OK(onlySpecKeys(*reader, "spec.proxy"));
  Proxy out;
  TRY(out.http, parseProxyUrl(*reader, "http"));
  TRY(out.https, parseProxyUrl(*reader, "https"));
  TRY(out.noProxy, reader->string("noProxy", ""));
  if (!out.noProxy.empty() && out.http.empty() && out.https.empty()) {
    return reader->error("noProxy needs http or https");
  }
  return std::optional<Proxy>(std::move(out));
}

Json toJson(const Proxy& proxy) {
  Json out = Json::object();
  putText(out, "http", proxy.http);
  putText(out, "https", proxy.https);
  putText(out, "noProxy", proxy.noProxy);
  return out;
}

Result<std::optional<TrustedCA>> parseTrustedCA(const JsonReader& spec) {
  TRY(const std::optional<JsonReader> reader, spec.optionalObject("trustedCA"));
  if (!reader) {
    return std::optional<TrustedCA>();
  }
  TrustedCA out;
  TRY(out.configMapKeyRef, parseConfigMapKey(*reader, "spec.trustedCA"));
  TRY(out.inRun, optionalEnum<CaInRun>(*reader, "inRun", kInRunWords));
  return std::optional<TrustedCA>(std::move(out));
}

Json toJson(const TrustedCA& trusted) {
  Json out = configMapKeyJson(trusted.configMapKeyRef);
  putEnum(out, "inRun", trusted.inRun, kInRunWords);
  return out;
}

}  // namespace stagewright::api
