#include "cli/saved_logs.h"

#include <nlohmann/json.hpp>

#include "lib/base/json.h"
#include "lib/compress/decompressor.h"
#include "lib/plan/contract.h"

namespace stagewright::cli {

namespace {

constexpr std::int64_t kMaxCompressed = plan::kMaxLogBytes + 64 * 1024;

std::string annotation(const oci::Descriptor& of, std::string_view name) {
  const auto it = of.annotations.find(std::string(name));
  return it == of.annotations.end() ? std::string() : it->second;
}

int attemptOf(const oci::Descriptor& layer) {
  const std::string text = annotation(layer, plan::kLogAttemptAnnotation);
  const bool number = !text.empty() && text.size() <= 4 &&
                      text.find_first_not_of("0123456789") == std::string::npos;
  return number ? std::stoi(text) : 1;
}

}  // namespace

Result<oci::Digest> findSavedRun(std::string_view text, std::string_view runId) {
  TRY(const oci::Index index, oci::parseIndex(text));
  for (const oci::Descriptor& entry : index.manifests) {
    if (annotation(entry, plan::kLogRunAnnotation) == runId) {
      return entry.digest;
    }
  }
  return notFound("the logs of run " + quoted(runId, 32) + " are not kept any more");
}

Result<std::vector<SavedLog>> parseSavedRun(std::string_view text) {
  TRY(const oci::Manifest manifest, oci::parseManifest(text));
  std::vector<SavedLog> out;
  for (const oci::Descriptor& layer : manifest.layers) {
    if (layer.mediaType == plan::kMediaLog) {
      out.push_back({annotation(layer, plan::kLogStageAnnotation),
                     annotation(layer, plan::kLogNameAnnotation), attemptOf(layer), layer});
    }
  }
  return out;
}

Result<std::vector<SavedLog>> fetchSavedRun(registry::Client& client,
                                            const oci::Repository& repository,
                                            const std::string& tag, std::string_view runId,
                                            std::stop_token stop) {
  oci::Reference reference;
  reference.repository = repository;
  reference.tag = tag;
  TRY(const registry::FetchedManifest index, client.fetchManifest(reference, stop));
  TRY(const oci::Digest digest, findSavedRun(index.bytes, runId));
  reference.tag.reset();
  reference.digest = digest;
  TRY(const registry::FetchedManifest manifest, client.fetchManifest(reference, stop));
  return parseSavedRun(manifest.bytes);
}

Result<std::string> fetchSavedLog(registry::Client& client, const oci::Repository& repository,
                                  const SavedLog& log, std::stop_token stop) {
  TRY(const std::string bytes,
      client.fetchBlobBytes(repository, log.blob, kMaxCompressed, std::move(stop)));
  std::size_t at = 0;
  compress::Decompressor reader([&](char* buffer, std::size_t size) -> Result<std::size_t> {
    const std::size_t n = bytes.copy(buffer, size, at);
    at += n;
    return n;
  });
  std::string out(plan::kMaxLogBytes, '\0');  // a log that claims to be longer is cut here
  std::size_t size = 0;
  while (size < out.size()) {
    TRY(const std::size_t n, reader.read(out.data() + size, out.size() - size));
    if (n == 0) {
      break;
    }
    size += n;
  }
  out.resize(size);
  return out;
}

}  // namespace stagewright::cli
