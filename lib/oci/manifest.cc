#include "lib/oci/manifest.h"

#include <nlohmann/json.hpp>

namespace stagewright::oci {

namespace {

constexpr std::size_t kMaxManifestBytes = 4U * 1024 * 1024;  // the limit registries apply as well
constexpr std::size_t kMaxLayers = 4096;
constexpr std::size_t kMaxIndexEntries = 4096;

Result<std::map<std::string, std::string>> parseAnnotations(const JsonReader& reader) {
  std::map<std::string, std::string> out;
  TRY(const auto object, reader.optionalObject("annotations"));
  if (!object) {
    return out;
  }
  for (const auto& [key, value] : object->value().items()) {
    TRY(out[key], JsonReader(value, object->path() + "." + key).asString());
  }
  return out;
}

Result<std::optional<Platform>> parseDescriptorPlatform(const JsonReader& reader) {
  TRY(const auto object, reader.optionalObject("platform"));
  if (!object) {
    return std::optional<Platform>();
  }
  Platform out;
  TRY(out.os, object->string("os"));
  TRY(out.architecture, object->string("architecture"));
  TRY(out.variant, object->string("variant", ""));
  return std::optional<Platform>(std::move(out));
}

Status checkSize(std::string_view what, std::string_view bytes) {
  if (bytes.size() > kMaxManifestBytes) {
    return invalid(std::string(what) + " is larger than 4 MiB");
  }
  return ok();
}

/// Reads what manifests and indexes have in common. `mediaType` is empty if absent, as OCI allows.
Result<std::string> parseHead(const JsonReader& reader, std::string_view what) {
  CHECK_OK(reader.mustBeObject());
  TRY(const std::int64_t schema, reader.integer("schemaVersion"));
  if (schema == 1) {
    return invalid(
        std::string(what) +
        ": Docker schema 1 images are not supported: push the image again with a current client");
  }
  if (schema != 2) {
    return reader.error("schemaVersion: expected 2, got " + std::to_string(schema));
  }
  return reader.string("mediaType", "");
}

Result<std::vector<Descriptor>> parseDescriptors(const JsonReader& reader, std::string_view key,
                                                 std::size_t limit) {
  TRY(const auto items, reader.array(key));
  if (items.size() > limit) {
    return reader.error(std::string(key) + ": more than " + std::to_string(limit) + " entries");
  }
  std::vector<Descriptor> out;
  out.reserve(items.size());
  for (const JsonReader& item : items) {
    TRY(Descriptor descriptor, parseDescriptor(item));
    out.push_back(std::move(descriptor));
  }
  return out;
}

}  // namespace

Result<Descriptor> parseDescriptor(const JsonReader& reader) {
  CHECK_OK(reader.mustBeObject());
  Descriptor out;
  TRY(out.mediaType, reader.string("mediaType", ""));
  TRY(const std::string digest, reader.string("digest"));
  auto parsed = Digest::parse(digest);
  if (!parsed) {
    return reader.error("digest: " + parsed.error().message);
  }
  out.digest = *std::move(parsed);
  TRY(out.size, reader.integer("size"));
  if (out.size < 0) {
    return reader.error("size: must not be negative");
  }
  TRY(out.platform, parseDescriptorPlatform(reader));
  TRY(out.annotations, parseAnnotations(reader));
  return out;
}

Json toJson(const Descriptor& descriptor) {
  Json out = {{"mediaType", descriptor.mediaType},
              {"digest", descriptor.digest.str()},
              {"size", descriptor.size}};
  if (descriptor.platform) {
    Json platform = {{"os", descriptor.platform->os},
                     {"architecture", descriptor.platform->architecture}};
    if (!descriptor.platform->variant.empty()) {
      platform["variant"] = descriptor.platform->variant;
    }
    out["platform"] = std::move(platform);
  }
  if (!descriptor.annotations.empty()) {
    out["annotations"] = descriptor.annotations;
  }
  return out;
}

Result<Manifest> parseManifest(std::string_view bytes) {
  CHECK_OK(checkSize("the manifest", bytes));
  TRY(const Json json, parseJson(bytes));
  const JsonReader reader(json);
  TRY(const std::string mediaType, parseHead(reader, "manifest"));
  if (mediaType == kMediaIndex || mediaType == kMediaDockerList ||
      (mediaType.empty() && reader.has("manifests"))) {
    return reader.error("expected an image manifest, got an index");
  }
  if (!mediaType.empty() && mediaType != kMediaManifest && mediaType != kMediaDockerManifest) {
    return reader.error("mediaType: unknown type " + quoted(mediaType, 160));
  }
  Manifest out;
  out.mediaType = mediaType.empty() ? std::string(kMediaManifest) : mediaType;
  TRY(const JsonReader config, reader.object("config"));
  TRY(out.config, parseDescriptor(config));
  TRY(out.layers, parseDescriptors(reader, "layers", kMaxLayers));
  TRY(out.annotations, parseAnnotations(reader));
  return out;
}

std::string serializeManifest(const Manifest& manifest) {
  Json out = {{"schemaVersion", 2},
              {"mediaType", manifest.mediaType},
              {"config", toJson(manifest.config)},
              {"layers", Json::array()}};
  for (const Descriptor& layer : manifest.layers) {
    out["layers"].push_back(toJson(layer));
  }
  if (!manifest.annotations.empty()) {
    out["annotations"] = manifest.annotations;
  }
  return dumpJson(out);
}

Result<Index> parseIndex(std::string_view bytes) {
  CHECK_OK(checkSize("the index", bytes));
  TRY(const Json json, parseJson(bytes));
  const JsonReader reader(json);
  TRY(const std::string mediaType, parseHead(reader, "index"));
  if (mediaType == kMediaManifest || mediaType == kMediaDockerManifest ||
      (mediaType.empty() && reader.has("config"))) {
    return reader.error("expected an index, got an image manifest");
  }
  if (!mediaType.empty() && mediaType != kMediaIndex && mediaType != kMediaDockerList) {
    return reader.error("mediaType: unknown type " + quoted(mediaType, 160));
  }
  Index out;
  out.mediaType = mediaType.empty() ? std::string(kMediaIndex) : mediaType;
  TRY(out.manifests, parseDescriptors(reader, "manifests", kMaxIndexEntries));
  return out;
}

}  // namespace stagewright::oci
