#include "local/cache_format.h"

#include <nlohmann/json.hpp>
#include <set>

#include "lib/base/json.h"

namespace stagewright::local {

namespace {

constexpr std::size_t kMaxSteps = 100'000;

bool isKey(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

Json toJson(const std::string& key, const StepRecord& step) {
  Json json{{"key", key},
            {"created", step.created},
            {"digest", step.blob->digest.str()},
            {"diffId", step.blob->diffId.str()},
            {"size", step.blob->size}};
  if (step.blob->format == compress::Format::kZstd) {
    json["format"] = "zstd";
  }
  return json;
}

Status addStep(const JsonReader& reader, CacheContent& content) {
  TRY(const std::string key, reader.string("key"));
  if (!isKey(key)) {
    return reader.error("key: expected 64 hexadecimal digits");
  }
  StepRecord step;
  BlobRecord blob;
  TRY(step.created, reader.string("created"));
  TRY(const std::string digest, reader.string("digest"));
  TRY(blob.digest, oci::Digest::parse(digest));
  TRY(const std::string diffId, reader.string("diffId"));
  TRY(blob.diffId, oci::Digest::parse(diffId));
  TRY(blob.size, reader.integer("size"));
  if (blob.size < 0) {
    return reader.error("size: expected a size");
  }
  TRY(const std::optional<std::string> format, reader.optionalString("format"));
  blob.format = format == "zstd" ? compress::Format::kZstd : compress::Format::kGzip;
  step.blob = std::move(blob);
  content.steps[key] = std::move(step);
  return ok();
}

}  // namespace

CacheManifest makeCacheManifest(const CacheContent& content) {
  CacheManifest out;
  Json steps = Json::array();
  std::set<std::string> seen;
  for (const auto& [key, step] : content.steps) {
    steps.push_back(toJson(key, step));
    if (seen.insert(step.blob->digest.str()).second) {
      oci::Descriptor layer;
      layer.mediaType =
          std::string(step.blob->format == compress::Format::kZstd ? oci::kMediaLayerZstd : oci::kMediaLayerGzip);
      layer.digest = step.blob->digest;
      layer.size = step.blob->size;
      out.manifest.layers.push_back(std::move(layer));
    }
  }
  out.config = dumpJson({{"steps", std::move(steps)}, {"notes", content.notes}});
  out.manifest.config.mediaType = std::string(kMediaCacheConfig);
  out.manifest.config.digest = oci::Digest::ofBytes(out.config);
  out.manifest.config.size = static_cast<std::int64_t>(out.config.size());
  return out;
}

Result<CacheContent> parseCacheConfig(const std::string& config) {
  TRY(const Json json, parseJson(config));
  const JsonReader reader(json);
  CHECK_OK(reader.mustBeObject());
  CacheContent content;
  TRY(const auto steps, reader.array("steps"));
  if (steps.size() > kMaxSteps) {
    return reader.error("steps: more than 100000");
  }
  for (const JsonReader& step : steps) {
    CHECK_OK(addStep(step, content));
  }
  const auto notes = json.find("notes");
  if (notes != json.end() && notes->is_object()) {
    for (const auto& [name, text] : notes->items()) {
      if (text.is_string()) {
        content.notes[name] = text.get<std::string>();
      }
    }
  }
  return content;
}

std::string makeInlineCache(const std::vector<std::pair<std::string, std::string>>& steps) {
  Json out = Json::array();
  for (const auto& [key, created] : steps) {
    out.push_back({{"key", key}, {"created", created}});
  }
  return dumpJson(out);
}

Result<CacheContent> parseInlineCache(const oci::Manifest& manifest, const oci::ImageConfig& config) {
  CacheContent content;
  const auto found = manifest.annotations.find(std::string(kInlineCacheAnnotation));
  if (found == manifest.annotations.end()) {
    return content;
  }
  TRY(const Json json, parseJson("{\"steps\":" + found->second + "}"));
  TRY(const auto steps, JsonReader(json).array("steps"));
  if (steps.size() > manifest.layers.size() || config.diffIds.size() != manifest.layers.size()) {
    return invalid("the image's cache names more steps than it has layers");
  }
  std::size_t layer = manifest.layers.size() - steps.size();
  for (const JsonReader& step : steps) {
    StepRecord record;
    TRY(const std::string key, step.string("key"));
    if (!isKey(key)) {
      return step.error("key: expected 64 hexadecimal digits");
    }
    TRY(record.created, step.string("created"));
    const bool isZstd = manifest.layers[layer].mediaType.ends_with("zstd");
    record.blob = BlobRecord{manifest.layers[layer].digest, config.diffIds[layer], manifest.layers[layer].size,
                             isZstd ? compress::Format::kZstd : compress::Format::kGzip};
    content.steps[key] = std::move(record);
    ++layer;
  }
  return content;
}

}  // namespace stagewright::local
