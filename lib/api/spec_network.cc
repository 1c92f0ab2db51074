// How requests reach registries and the rest of the world.
#include <algorithm>

#include "lib/api/json_fields.h"
#include "lib/api/spec_keys.h"
#include "lib/api/spec_parts.h"

namespace stagewright::api {

namespace {
constexpr std::array<std::string_view, 3> kTlsWords = {"Verify", "SkipVerify", "PlainHTTP"};

Result<std::optional<ConfigMapKey>> parseTrustedCA(const JsonReader& registry) {
  TRY(const std::optional<JsonReader> reader, registry.optionalObject("trustedCA"));
  if (!reader) {
    return std::optional<ConfigMapKey>();
  }
  CHECK_OK(onlySpecKeys(*reader, "spec.registries[].trustedCA"));
  TRY(const JsonReader ref, reader->object("configMapKeyRef"));
  CHECK_OK(onlySpecKeys(ref, "spec.registries[].trustedCA.configMapKeyRef"));
  ConfigMapKey out;
  TRY(out.name, ref.string("name"));
  TRY(out.key, ref.string("key"));
  return std::optional<ConfigMapKey>(std::move(out));
}

/// The CRD refuses the same; this guards the environment of pods, which anybody who may get pods can
/// read.
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

Result<Registry> parseRegistry(const JsonReader& reader) {
  CHECK_OK(onlySpecKeys(reader, "spec.registries[]"));
  Registry out;
  TRY(out.host, reader.string("host"));
  TRY(out.tls, optionalEnum<Tls>(reader, "tls", kTlsWords));
  TRY(out.trustedCA, parseTrustedCA(reader));
  if (out.trustedCA && out.tls && *out.tls != Tls::kVerify) {
    return reader.error("trustedCA has no effect unless tls is Verify");
  }
  return out;
}

Json toJson(const Registry& registry) {
  Json out = {{"host", registry.host}};
  putEnum(out, "tls", registry.tls, kTlsWords);
  if (registry.trustedCA) {
    out["trustedCA"]["configMapKeyRef"] = {{"name", registry.trustedCA->name},
                                           {"key", registry.trustedCA->key}};
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

}  // namespace stagewright::api
