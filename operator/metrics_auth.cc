#include "operator/metrics_auth.h"

#include <nlohmann/json.hpp>

#include "lib/base/hash.h"
#include "lib/base/log.h"
#include "operator/json_at.h"

namespace stagewright::op {

namespace {

using Verdict = MetricsAuth::Verdict;

constexpr std::string_view kBearer = "Bearer ";
constexpr std::size_t kMaxToken = 8 * 1024;

bool isTrue(const Json& object, const char* key) {
  const Json& value = at(object, key);
  return value.is_boolean() && value.get<bool>();
}

Json tokenReview(const std::string& token) {
  return {{"apiVersion", "authentication.k8s.io/v1"},
          {"kind", "TokenReview"},
          {"spec", {{"token", token}}}};
}

/// `user` is the API server's own answer: name, groups, uid, extra.
Json accessReview(const Json& user, const std::string& path) {
  Json spec = {{"user", textAt(user, "username")},
               {"nonResourceAttributes", {{"path", path}, {"verb", "get"}}}};
  for (const char* key : {"groups", "uid", "extra"}) {
    if (user.contains(key)) {
      spec[key] = user[key];
    }
  }
  return {{"apiVersion", "authorization.k8s.io/v1"},
          {"kind", "SubjectAccessReview"},
          {"spec", std::move(spec)}};
}

}  // namespace

Verdict MetricsAuth::judge(const std::string& authorization, const std::string& path,
                           std::stop_token stop) {
  if (!authorization.starts_with(kBearer) || authorization.size() > kMaxToken) {
    return Verdict::kUnauthenticated;
  }
  const std::string token = authorization.substr(kBearer.size());
  const std::string key = sha256Hex(token + "\n" + path);
  const SteadyPoint now = clock_.steadyNow();
  {
    auto kept = kept_.lock();
    const auto it = kept->find(key);
    if (it != kept->end() && it->second.until > now) {
      return it->second.verdict;
    }
  }
  const Verdict verdict = ask(token, path, stop);
  if (verdict != Verdict::kUnavailable) {
    auto kept = kept_.lock();
    std::erase_if(*kept, [&](const auto& entry) { return entry.second.until <= now; });
    if (kept->size() < kMaxKept) {
      (*kept)[key] = {verdict, now + (verdict == Verdict::kAllowed ? kKeepAllowed : kKeepRefused)};
    }
  }
  return verdict;
}

Verdict MetricsAuth::ask(const std::string& token, const std::string& path, std::stop_token stop) {
  const kube::ApiResult<Json> who =
      client_.create(kube::kTokenReviews, "", tokenReview(token), stop);
  if (!who) {
    log::warn("cannot ask who reads metrics", {{"error", who.error().message}});
    return Verdict::kUnavailable;
  }
  const Json& identity = at(*who, "status");
  if (!isTrue(identity, "authenticated") || !identity.contains("user") ||
      !identity["user"].is_object()) {
    return Verdict::kUnauthenticated;
  }
  const kube::ApiResult<Json> may =
      client_.create(kube::kAccessReviews, "", accessReview(identity["user"], path), stop);
  if (!may) {
    log::warn("cannot ask who may read metrics", {{"error", may.error().message}});
    return Verdict::kUnavailable;
  }
  return isTrue(at(*may, "status"), "allowed") ? Verdict::kAllowed : Verdict::kForbidden;
}

}  // namespace stagewright::op
