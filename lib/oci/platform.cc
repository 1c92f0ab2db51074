// Platforms as containerd writes, normalises and orders them (containerd/platforms: normalizeArch,
// platformVector).
#include <algorithm>
#include <array>
#include <cctype>

#include "lib/oci/manifest.h"

namespace stagewright::oci {

namespace {

constexpr std::size_t kMaxPlatformText = 128;

constexpr std::array<std::string_view, 14> kArchitectures = {
    "386",      "amd64",  "arm",     "arm64", "loong64", "mips",  "mips64",
    "mips64le", "mipsle", "ppc64le", "ppc64", "riscv64", "s390x", "wasm"};

std::string lowered(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

bool isComponent(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return c < 0x80 && (std::isalnum(c) != 0 || c == '_' || c == '.' || c == '-');
  });
}

/// Variants that mean the same: v8 is arm64's only default, v7 arm's, v1 amd64's.
void normalize(Platform& p) {
  if (p.os == "macos") {
    p.os = "darwin";
  }
  if (p.architecture == "i386") {
    p.architecture = "386";
    p.variant.clear();
  } else if (p.architecture == "x86_64" || p.architecture == "x86-64" ||
             p.architecture == "amd64") {
    p.architecture = "amd64";
    p.variant = p.variant == "v1" ? "" : p.variant;
  } else if (p.architecture == "aarch64" || p.architecture == "arm64") {
    p.architecture = "arm64";
    p.variant = p.variant == "8" || p.variant == "v8" ? "" : p.variant;
  } else if (p.architecture == "armhf") {
    p.architecture = "arm";
    p.variant = "v7";
  } else if (p.architecture == "armel") {
    p.architecture = "arm";
    p.variant = "v6";
  } else if (p.architecture == "arm") {
    if (p.variant.empty()) {
      p.variant = "v7";
    } else if (p.variant.size() == 1 &&
               std::isdigit(static_cast<unsigned char>(p.variant[0])) != 0) {
      p.variant.insert(0, "v");
    }
  }
}

/// N of `vN`, 0 for anything else.
int variantNumber(std::string_view variant) {
  if (variant.size() != 2 || variant[0] != 'v' || variant[1] < '1' || variant[1] > '9') {
    return 0;
  }
  return variant[1] - '0';
}

Platform with(const Platform& p, std::string_view architecture, int variant) {
  Platform out = p;
  out.architecture = std::string(architecture);
  out.variant = variant == 0 ? std::string() : "v" + std::to_string(variant);
  normalize(out);
  return out;
}

void addArm(const Platform& p, int variant, std::vector<Platform>& out) {
  for (int v = variant; v >= 5; --v) {
    out.push_back(with(p, "arm", v));
  }
}

/// What runs on `wanted`, best first.
std::vector<Platform> compatible(const Platform& wanted) {
  std::vector<Platform> out = {wanted};
  const int variant = variantNumber(wanted.variant);
  if (wanted.architecture == "amd64") {
    for (int v = variant - 1; v >= 1; --v) {
      out.push_back(with(wanted, "amd64", v));
    }
    out.push_back(with(wanted, "386", 0));
  } else if (wanted.architecture == "arm") {
    addArm(wanted, variant - 1, out);
  } else if (wanted.architecture == "arm64") {
    if (variant > 8) {
      out.push_back(with(wanted, "arm64", 8));
    }
    addArm(wanted, 8, out);
  }
  return out;
}

bool isAttestation(const Platform& p) { return p.os == "unknown" && p.architecture == "unknown"; }

}  // namespace

std::string Platform::str() const {
  return os + "/" + architecture + (variant.empty() ? "" : "/" + variant);
}

Result<Platform> parsePlatform(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return invalid("invalid platform " + quoted(text, 128) + ": " + std::string(why));
  };
  if (text.empty() || text.size() > kMaxPlatformText) {
    return bad("expected os/architecture[/variant]");
  }
  std::vector<std::string> parts;
  std::string_view rest = text;
  while (true) {
    const std::size_t slash = parts.size() == 3 ? std::string_view::npos : rest.find('/');
    parts.push_back(lowered(rest.substr(0, slash)));
    if (!isComponent(parts.back())) {
      return invalid(quoted(rest.substr(0, slash)) + " is an invalid component of " + quoted(text, 128) +
                     ": platform specifier component must match \"^[A-Za-z0-9_.-]+$\": invalid argument");
    }
    if (slash == std::string_view::npos) {
      break;
    }
    rest.remove_prefix(slash + 1);
  }
  if (parts.size() > 3) {
    return bad("expected os/architecture[/variant]");
  }
  Platform out;
  if (parts.size() == 1 && parts[0] == "linux") {
    out = Platform{};
  } else if (parts.size() == 1) {  // an architecture alone means linux
    out = Platform{"linux", parts[0], ""};
  } else {
    out = Platform{parts[0], parts[1], parts.size() == 3 ? parts[2] : std::string()};
  }
  normalize(out);
  if (parts.size() == 1 && parts[0] != "linux" && std::find(kArchitectures.begin(), kArchitectures.end(),
                                     out.architecture) == kArchitectures.end()) {
    return bad("expected os/architecture[/variant]");
  }
  return out;
}

Result<Descriptor> selectPlatform(const Index& index, const Platform& platform) {
  Platform wanted = platform;
  normalize(wanted);
  for (const Platform& candidate : compatible(wanted)) {
    for (const Descriptor& entry : index.manifests) {
      if (!entry.platform) {
        continue;
      }
      Platform offered = *entry.platform;
      normalize(offered);
      if (offered == candidate) {
        return entry;
      }
    }
  }
  std::string offers;
  for (const Descriptor& entry : index.manifests) {
    if (entry.platform && !isAttestation(*entry.platform)) {
      offers += (offers.empty() ? "" : ", ") + entry.platform->str();
    }
  }
  return notFound(
      "no image for platform " + platform.str() +
      (offers.empty() ? std::string(": the index lists none") : ": there is " + offers));
}

}  // namespace stagewright::oci
