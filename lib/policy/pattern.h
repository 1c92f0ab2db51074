// Patterns for images in a BuildPolicy.
#pragma once

#include <string>
#include <string_view>

#include "lib/oci/reference.h"

namespace stagewright::policy {

/// `text` with every `variable`, such as `$(namespace)`, replaced by `value`.
std::string substitute(std::string_view text, std::string_view variable, std::string_view value);

/// `registry.example` is every image of a registry; `registry.example/base/*` every image right
/// below a path, `registry.example/base/**` at any depth; `docker.io/library/golang:1.*` only such
/// tags. `*` does not match a slash, `**` does. Names are compared in full: `golang` is
/// docker.io/library/golang. `$(namespace)` is the namespace of the build.
bool matchesImage(std::string_view pattern, const oci::Repository& repository,
                  const std::string& tag, std::string_view ns);

}  // namespace stagewright::policy
