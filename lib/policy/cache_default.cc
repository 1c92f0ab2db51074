#include "lib/policy/cache_default.h"

#include "lib/oci/reference.h"
#include "lib/policy/pattern.h"

namespace stagewright::policy {

namespace {
constexpr std::string_view kNamespace = "$(namespace)";
constexpr std::string_view kName = "$(name)";
constexpr std::size_t kLongestNamespace = 63;
constexpr std::size_t kLongestName = 40;
}  // namespace

Status checkCachePattern(std::string_view pattern) {
  if ((std::string(pattern) + "/").find("/" + std::string(kNamespace) + "/") == std::string::npos) {
    return invalid("cache.repository " + quoted(pattern, 256) +
                   ": $(namespace) must stand between slashes in it: namespaces share no cache");
  }
  const Result<oci::Repository> longest = oci::parseRepository(cacheRepository(
      pattern, std::string(kLongestNamespace, 'n'), std::string(kLongestName, 'n')));
  if (!longest) {
    return Error(longest.error()).during("cache.repository " + quoted(pattern, 256));
  }
  return ok();
}

std::string cacheRepository(std::string_view pattern, std::string_view ns, std::string_view name) {
  return substitute(substitute(pattern, kNamespace, ns), kName, name);
}

}  // namespace stagewright::policy
