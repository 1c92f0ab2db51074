// The cache that a policy gives to builds of many namespaces and names.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/error.h"

namespace stagewright::policy {

/// `registry.example/cache/$(namespace)/$(name)`. kInvalid unless $(namespace) is a component of
/// the path by itself: then no two namespaces can get the same repository, whatever they and their
/// builds are called.
Status checkCachePattern(std::string_view pattern);

/// The repository of one build. REQUIRES: checkCachePattern says yes.
std::string cacheRepository(std::string_view pattern, std::string_view ns, std::string_view name);

}  // namespace stagewright::policy
