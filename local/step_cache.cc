#include "local/step_cache.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "builder-pod/stage/copy_engine.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/json.h"
#include "local/file_body.h"

namespace stagewright::local {

namespace {

constexpr std::int64_t kConfigLimit = 64 * 1024 * 1024;

std::string cacheBlobName(const oci::Digest& digest) { return "/blobs/sha256/" + std::string(digest.hex()); }

std::string nameOf(const CacheLocation& location) {
  return location.type == CacheLocation::Type::kRegistry ? location.place : "directory " + location.place;
}

}  // namespace

void StepCache::load(const std::vector<CacheLocation>& from, const oci::Platform& platform, Progress& progress,
                     std::stop_token stop) {
  for (const CacheLocation& location : from) {
    const int vertex = progress.begin("importing cache from " + nameOf(location));
    const auto reference = location.type == CacheLocation::Type::kRegistry ? oci::parseReference(location.place)
                                                                           : Result<oci::Reference>(oci::Reference{});
    auto content = !reference                                        ? Result<CacheContent>(reference.error())
                   : location.type == CacheLocation::Type::kRegistry ? loadRegistry(*reference, platform, stop)
                                                                     : loadDirectory(location.place);
    progress.end(vertex, content ? Progress::End::kDone : Progress::End::kFailed);
    if (!content) {
      progress.warn("no cache is imported from " + nameOf(location) + ": " + content.error().message);
      continue;
    }
    add(std::move(*content), location.type == CacheLocation::Type::kRegistry ? Origin(reference->repository) : Origin(location.place));
  }
}

Result<CacheContent> StepCache::loadRegistry(const oci::Reference& reference, const oci::Platform& platform,
                                             std::stop_token stop) const {
  TRY(const registry::ResolvedImage image, client_.resolveImage(reference, platform, stop));
  if (image.manifest.config.mediaType == kMediaCacheConfig) {
    TRY(const std::string config, client_.fetchBlobBytes(reference.repository, image.manifest.config, kConfigLimit, stop));
    return parseCacheConfig(config);
  }
  TRY(const oci::ImageConfig config, client_.fetchConfig(reference.repository, image.manifest, stop));
  return parseInlineCache(image.manifest, config);
}

Result<CacheContent> StepCache::loadDirectory(const std::string& directory) const {
  TRY(const std::string text, loadFile(directory + "/index.json", static_cast<std::size_t>(kConfigLimit)));
  TRY(const oci::Index index, oci::parseIndex(text));
  if (index.manifests.size() != 1) {
    return invalid(directory + "/index.json: expected one manifest");
  }
  TRY(const std::string bytes, loadFile(directory + cacheBlobName(index.manifests[0].digest), static_cast<std::size_t>(kConfigLimit)));
  TRY(const oci::Manifest manifest, oci::parseManifest(bytes));
  if (manifest.config.mediaType != kMediaCacheConfig) {
    return invalid(directory + ": it holds no cache of ours but " + stagewright::quoted(manifest.config.mediaType));
  }
  TRY(const std::string config, loadFile(directory + cacheBlobName(manifest.config.digest), static_cast<std::size_t>(kConfigLimit)));
  if (oci::Digest::ofBytes(config) != manifest.config.digest) {
    return invalid(directory + ": the cache's config has another digest");
  }
  return parseCacheConfig(config);
}

void StepCache::add(CacheContent content, const Origin& origin) {
  for (const auto& [key, step] : content.steps) {
    origins_.emplace(step.blob->digest.str(), origin);
  }
  steps_.merge(content.steps);
  notes_.merge(content.notes);
}

std::optional<StepRecord> StepCache::findStep(const std::string& key) const {
  const auto found = steps_.find(key);
  return found == steps_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::string> StepCache::findNote(const std::string& name) const {
  const auto found = notes_.find(name);
  return found == notes_.end() ? std::nullopt : std::optional(found->second);
}

Status StepCache::readBlob(const Origin& origin, const BlobRecord& blob, const http::BodySink& sink,
                           std::stop_token stop) const {
  if (const auto* repository = std::get_if<oci::Repository>(&origin)) {
    oci::Descriptor descriptor;
    descriptor.mediaType = std::string(oci::kMediaLayerGzip);
    descriptor.digest = blob.digest;
    descriptor.size = blob.size;
    return client_.fetchBlob(*repository, descriptor, sink, std::move(stop));
  }
  TRY(FileBody file, FileBody::open(std::get<std::string>(origin) + cacheBlobName(blob.digest), blob.size));
  std::string buffer(256 * 1024, '\0');
  Sha256 hash;
  for (;;) {
    TRY(const std::size_t n, file.read(buffer.data(), buffer.size()));
    if (n == 0) {
      return hash.hex() == blob.digest.hex() ? ok() : Status(invalid("blob " + blob.digest.str() + " of the cache is damaged"));
    }
    hash.update(buffer.data(), n);
    CHECK_OK(sink(std::string_view(buffer).substr(0, n)));
  }
}

Status StepCache::fetchBlob(const BlobRecord& blob, std::stop_token stop) const {
  const std::string path = store_.blobPath(blob.digest);
  if (::access(path.c_str(), R_OK) == 0) {
    return ok();
  }
  const auto origin = origins_.find(blob.digest.str());
  if (origin == origins_.end()) {
    return internal("no cache has the blob " + blob.digest.str());
  }
  const std::string temporary = store_.scratch() + "/cached-" + toHex(randomBytes(6));
  const Fd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) {
    return systemError("open", temporary, errno);
  }
  const auto sink = [&](std::string_view bytes) { return writeAll(file.get(), bytes, temporary); };
  CHECK_OK(readBlob(origin->second, blob, sink, std::move(stop)));
  return ::rename(temporary.c_str(), path.c_str()) == 0 ? ok() : Status(systemError("rename", path, errno));
}

Status StepCache::save(const CacheContent& content, const CacheLocation& to, std::stop_token stop) const {
  const CacheManifest cache = makeCacheManifest(content);
  if (to.type == CacheLocation::Type::kDirectory) {
    return write(cache, content, to.place);
  }
  TRY(const oci::Reference reference, oci::parseReference(to.place));
  return push(cache, content, reference, std::move(stop));
}

Status StepCache::push(const CacheManifest& cache, const CacheContent& content, const oci::Reference& to,
                       std::stop_token stop) const {
  const auto place = [&](const oci::Digest& digest, std::int64_t size, http::BodySource& body) -> Status {
    TRY(const bool exists, client_.hasBlob(to.repository, digest, stop));
    return exists ? ok() : client_.pushBlob(to.repository, {digest, size}, body, stop);
  };
  for (const auto& [key, step] : content.steps) {
    TRY(FileBody body, FileBody::open(store_.blobPath(step.blob->digest), step.blob->size));
    CHECK_OK(place(step.blob->digest, step.blob->size, body));
  }
  const std::string path = store_.scratch() + "/cache-config-" + toHex(randomBytes(4));
  CHECK_OK(saveFileAtomically(path, cache.config));
  TRY(FileBody config, FileBody::open(path, cache.manifest.config.size));
  CHECK_OK(place(cache.manifest.config.digest, cache.manifest.config.size, config));
  return client_.pushManifest(to.repository, to.tagOrLatest(), cache.manifest.mediaType,
                              oci::serializeManifest(cache.manifest), stop);
}

Status StepCache::write(const CacheManifest& cache, const CacheContent& content, const std::string& directory) const {
  CHECK_OK(makeDirectories(directory + "/blobs/sha256"));
  for (const auto& [key, step] : content.steps) {
    const std::string target = directory + cacheBlobName(step.blob->digest);
    if (::access(target.c_str(), R_OK) == 0) {
      continue;
    }
    const std::string from = store_.blobPath(step.blob->digest);
    const Fd in(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
    const Fd out(in ? ::open((target + ".new").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : -1);
    if (!out) {
      return systemError("open", in ? target : from, errno);
    }
    stage::Content bytes;
    bytes.fd = in.get();
    bytes.size = step.blob->size;
    CHECK_OK(stage::copyBytes(bytes, out.get(), target));
    if (::rename((target + ".new").c_str(), target.c_str()) != 0) {
      return systemError("rename", target, errno);
    }
  }
  const std::string manifest = oci::serializeManifest(cache.manifest);
  oci::Descriptor descriptor;
  descriptor.mediaType = cache.manifest.mediaType;
  descriptor.digest = oci::Digest::ofBytes(manifest);
  descriptor.size = static_cast<std::int64_t>(manifest.size());
  CHECK_OK(saveFileAtomically(directory + cacheBlobName(cache.manifest.config.digest), cache.config));
  CHECK_OK(saveFileAtomically(directory + cacheBlobName(descriptor.digest), manifest));
  CHECK_OK(saveFileAtomically(directory + "/oci-layout", R"({"imageLayoutVersion":"1.0.0"})"));
  return saveFileAtomically(directory + "/index.json",
                            dumpJson({{"schemaVersion", 2},
                                      {"mediaType", oci::kMediaIndex},
                                      {"manifests", Json::array({oci::toJson(descriptor)})}}));
}

}  // namespace stagewright::local
