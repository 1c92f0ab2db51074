// Platforms and image names, as far as the build checks judge them (§10).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace stagewright::dockerfile {

struct PlatformName {
  std::string os;
  std::string architecture;
  std::string variant;

  std::string text() const;  ///< os/architecture[/variant]
};

/// `os`, `architecture` or `os/architecture[/variant]`, normalised as containerd does; what is
/// missing comes from `fallback`. Nothing if it is no platform.
std::optional<PlatformName> parsePlatformName(std::string_view text, const PlatformName& fallback);

/// Whether `text` is an image name as distribution's reference grammar has it:
/// `[host[:port]/]path[:tag][@digest]`.
bool isImageName(std::string_view text);

}  // namespace stagewright::dockerfile
