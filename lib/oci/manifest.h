// Descriptors, manifests and indexes (OCI image-spec 1.1; the Docker schema 2 media types are read as their equals).
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/json.h"
#include "lib/oci/digest.h"

namespace stagewright::oci {

inline constexpr std::string_view kMediaManifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view kMediaIndex = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view kMediaConfig = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view kMediaLayerTar = "application/vnd.oci.image.layer.v1.tar";
inline constexpr std::string_view kMediaLayerGzip = "application/vnd.oci.image.layer.v1.tar+gzip";
inline constexpr std::string_view kMediaLayerZstd = "application/vnd.oci.image.layer.v1.tar+zstd";
inline constexpr std::string_view kMediaDockerManifest = "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view kMediaDockerList = "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view kMediaDockerConfig = "application/vnd.docker.container.image.v1+json";
inline constexpr std::string_view kMediaDockerLayer = "application/vnd.docker.image.rootfs.diff.tar.gzip";

struct Platform {
  std::string os = "linux";
  std::string architecture = "amd64";
  std::string variant;

  std::string str() const;  ///< linux/amd64, linux/arm64/v8
  bool operator==(const Platform&) const = default;
};

/// `linux/amd64`, `linux/arm/v7`; normalises x86_64, aarch64 and so on as containerd does. kInvalid otherwise.
Result<Platform> parsePlatform(std::string_view text);

struct Descriptor {
  std::string mediaType;
  Digest digest;
  std::int64_t size = 0;
  std::optional<Platform> platform;
  std::map<std::string, std::string> annotations;

  bool operator==(const Descriptor&) const = default;
};

Result<Descriptor> parseDescriptor(const JsonReader& reader);
Json toJson(const Descriptor& descriptor);

struct Manifest {
  std::string mediaType = std::string(kMediaManifest);
  Descriptor config;
  std::vector<Descriptor> layers;
  std::map<std::string, std::string> annotations;
};

/// At most 4 MiB, at most 4096 layers; sizes must not be negative. kInvalid otherwise, schema 1 included.
Result<Manifest> parseManifest(std::string_view bytes);
/// The exact bytes that are pushed; equal manifests give equal bytes.
std::string serializeManifest(const Manifest& manifest);

struct Index {
  std::string mediaType = std::string(kMediaIndex);
  std::vector<Descriptor> manifests;
};
Result<Index> parseIndex(std::string_view bytes);
/// The entry for `platform`: exact variant first, then the best compatible one as containerd orders them. kNotFound
/// lists what there is. Attestation entries (platform unknown/unknown) are skipped.
Result<Descriptor> selectPlatform(const Index& index, const Platform& platform);

}  // namespace stagewright::oci
