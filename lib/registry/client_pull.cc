// Pulling: manifests, configs, blobs, tags. Mirrors are asked first, once each; only the registry
// itself is retried.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/base/hash.h"
#include "lib/base/json.h"
#include "lib/http/url.h"
#include "lib/registry/client.h"
#include "lib/registry/requester.h"

namespace stagewright::registry {

namespace {

constexpr std::int64_t kManifestLimit = 4 * 1024 * 1024;
constexpr std::int64_t kConfigLimit = 8 * 1024 * 1024;
constexpr std::int64_t kTagPageLimit = 4 * 1024 * 1024;
constexpr std::size_t kMaxTags = 100'000;

std::string acceptManifests() {
  std::string accept;
  for (const std::string_view type :
       {oci::kMediaManifest, oci::kMediaIndex, oci::kMediaDockerManifest, oci::kMediaDockerList}) {
    accept += (accept.empty() ? "" : ", ") + std::string(type);
  }
  return accept;
}

bool isIndexType(std::string_view type) {
  return type == oci::kMediaIndex || type == oci::kMediaDockerList;
}

/// The Content-Type without parameters; where it is missing or general, what the document says of
/// itself.
std::string mediaTypeOf(const http::Response& response) {
  std::string type = response.headers.find("Content-Type").value_or("");
  type = std::string(http::trim(type.substr(0, type.find(';'))));
  if (!type.empty() && type != "application/json" && !type.starts_with("text/")) {
    return type;
  }
  const Result<Json> json = parseJson(response.body);
  if (json && json->is_object()) {
    if (json->contains("mediaType") && (*json)["mediaType"].is_string()) {
      return (*json)["mediaType"].get<std::string>();
    }
    return std::string(json->contains("manifests") ? oci::kMediaIndex : oci::kMediaManifest);
  }
  return type;
}

/// Asks mirrors, then the registry: its error is what counts.
template <class Operation>
auto tryEndpoints(const std::vector<Endpoint>& endpoints, Operation operation)
    -> decltype(operation(endpoints[0])) {
  for (std::size_t i = 0; i + 1 < endpoints.size(); ++i) {
    auto result = operation(endpoints[i]);
    if (result || result.error().code == Code::kCancelled) {
      return result;
    }
  }
  return operation(endpoints.back());
}

}  // namespace

/// A blob on its way: what was received so far survives a broken connection.
struct Client::Transfer {
  const oci::Descriptor& blob;
  const http::BodySink& sink;
  std::int64_t offset = 0;
  Sha256 hash;
  bool sinkFailed = false;

  Status take(std::string_view bytes) {
    if (static_cast<std::int64_t>(bytes.size()) > blob.size - offset) {
      return invalid("the blob is larger than " + std::to_string(blob.size) + " bytes");
    }
    hash.update(bytes);
    offset += static_cast<std::int64_t>(bytes.size());
    Status sunk = sink(bytes);
    sinkFailed = !sunk;
    return sunk;
  }
};

Result<FetchedManifest> Client::fetchManifestAt(const Endpoint& endpoint,
                                                const std::string& reference,
                                                std::stop_token stop) {
  http::Request request;
  request.url = apiUrl(endpoint, "manifests/" + reference);
  request.headers.set("Accept", acceptManifests());
  request.bodyLimit = kManifestLimit;
  TRY(http::Response response, requester_->send(endpoint, pullScope(endpoint), request, stop));
  FetchedManifest manifest;
  manifest.mediaType = mediaTypeOf(response);
  manifest.digest = oci::Digest::ofBytes(response.body);
  manifest.bytes = std::move(response.body);
  if (reference.find(':') != std::string::npos && manifest.digest.str() != reference) {
    return invalid(http::describe(request) + ": the answer's digest is " + manifest.digest.str());
  }
  return manifest;
}

Result<FetchedManifest> Client::fetchManifest(const oci::Reference& reference,
                                              std::stop_token stop) {
  const oci::Repository& repository = reference.repository;
  const std::string asked = reference.digest ? reference.digest->str() : reference.tagOrLatest();
  const auto endpoints = pullEndpoints(config_.hosts, repository.registry, repository.path);
  auto result = http::retry(clock_, config_.retry, stop, [&] {
    return tryEndpoints(endpoints, [&](const Endpoint& endpoint) {
      Result<FetchedManifest> manifest = fetchManifestAt(endpoint, asked, stop);
      if (manifest && &endpoint != &endpoints.back()) {
        manifest->mirror = endpoint.host;
      }
      return manifest;
    });
  });
  if (!result) {
    return std::move(result).error().during("fetch manifest " +
                                            stagewright::quoted(reference.str()));
  }
  return result;
}

Result<oci::Digest> Client::fetchDigest(const oci::Reference& reference, std::stop_token stop) {
  const oci::Repository& repository = reference.repository;
  if (pullEndpoints(config_.hosts, repository.registry, repository.path).size() > 1) {
    TRY(const FetchedManifest manifest, fetchManifest(reference, stop));  // a mirror may be all there is
    return manifest.digest;
  }
  const Endpoint endpoint = endpointOf(config_.hosts, repository.registry, repository.path);
  http::Request request;
  request.method = "HEAD";
  request.url = apiUrl(endpoint, "manifests/" + (reference.digest ? reference.digest->str()
                                                                  : reference.tagOrLatest()));
  request.headers.set("Accept", acceptManifests());
  auto response = http::retry(clock_, config_.retry, stop, [&] {
    return requester_->send(endpoint, pullScope(endpoint), request, stop);
  });
  if (!response) {
    return std::move(response).error().during("fetch digest of " +
                                              stagewright::quoted(reference.str()));
  }
  Result<oci::Digest> digest =
      oci::Digest::parse(response->headers.find("Docker-Content-Digest").value_or(""));
  if (digest) {
    return digest;
  }
  TRY(FetchedManifest manifest, fetchManifest(reference, stop));
  return manifest.digest;
}

Result<ResolvedImage> Client::resolveImage(const oci::Reference& reference,
                                           const oci::Platform& platform, std::stop_token stop) {
  TRY(FetchedManifest fetched, fetchManifest(reference, stop));
  ResolvedImage image;
  if (isIndexType(fetched.mediaType)) {
    TRY(oci::Index index, oci::parseIndex(fetched.bytes));
    Result<oci::Descriptor> chosen = oci::selectPlatform(index, platform);
    if (!chosen) {
      return std::move(chosen).error().during("resolve image " +
                                              stagewright::quoted(reference.str()));
    }
    image.indexDigest = fetched.digest;
    oci::Reference pinned{reference.repository, std::nullopt, chosen->digest};
    TRY(fetched, fetchManifest(pinned, stop));
  }
  Result<oci::Manifest> manifest = oci::parseManifest(fetched.bytes);
  if (!manifest) {
    return std::move(manifest).error().during("resolve image " +
                                              stagewright::quoted(reference.str()));
  }
  image.digest = fetched.digest;
  image.bytes = std::move(fetched.bytes);
  image.manifest = std::move(*manifest);
  return image;
}

Result<oci::ImageConfig> Client::fetchConfig(const oci::Repository& repository,
                                             const oci::Manifest& manifest, std::stop_token stop) {
  TRY(std::string bytes, fetchBlobBytes(repository, manifest.config, kConfigLimit, stop));
  return oci::parseImageConfig(bytes);
}

/// Gets the rest of the blob from `endpoint`. A server that ignores Range sends all of it again:
/// skipped up to `offset`.
Status Client::continueTransfer(const Endpoint& endpoint, Transfer& transfer,
                                std::stop_token stop) {
  const std::int64_t start = transfer.offset;
  std::int64_t skip = 0;
  http::Request request;
  request.url = apiUrl(endpoint, "blobs/" + transfer.blob.digest.str());
  request.bodyLimit = transfer.blob.size + 1;
  if (start > 0) {
    request.headers.set("Range", "bytes=" + std::to_string(start) + "-");
  }
  request.onHead = [&](const http::Response& head) -> Status {
    skip = head.status == 206 ? 0 : start;
    const std::string range = head.headers.find("Content-Range").value_or("");
    if (head.status == 206 && !range.starts_with("bytes " + std::to_string(start) + "-")) {
      return invalid(http::describe(request) + ": Content-Range is " +
                     stagewright::quoted(range, 64));
    }
    return ok();
  };
  request.sink = [&](std::string_view bytes) -> Status {
    const auto skipped = std::min<std::int64_t>(skip, static_cast<std::int64_t>(bytes.size()));
    skip -= skipped;
    bytes.remove_prefix(static_cast<std::size_t>(skipped));
    return bytes.empty() ? ok() : transfer.take(bytes);
  };
  TRY(http::Response response, requester_->send(endpoint, pullScope(endpoint), request, stop));
  if (transfer.offset < transfer.blob.size) {
    return unavailable(http::describe(request) + ": the blob ended after " +
                       std::to_string(transfer.offset) + " of " +
                       std::to_string(transfer.blob.size) + " bytes");
  }
  return ok();
}

Status Client::fetchBlob(const oci::Repository& repository, const oci::Descriptor& blob,
                         const http::BodySink& sink, std::stop_token stop) {
  const auto endpoints = pullEndpoints(config_.hosts, repository.registry, repository.path);
  Transfer transfer{.blob = blob, .sink = sink, .hash = Sha256()};
  auto retrier = std::make_unique<http::Retrier>(clock_, config_.retry);
  const std::string operation =
      "fetch blob " + blob.digest.str() + " of " + stagewright::quoted(repository.str());
  while (true) {
    const std::int64_t before = transfer.offset;
    Status done = tryEndpoints(endpoints, [&](const Endpoint& endpoint) {
      return transfer.sinkFailed ? Status(cancelled("the receiver failed"))
                                 : continueTransfer(endpoint, transfer, stop);
    });
    if (done) {
      break;
    }
    if (transfer.sinkFailed) {
      return done;
    }
    if (transfer.offset > before) {  // progress earns a new budget
      retrier = std::make_unique<http::Retrier>(clock_, config_.retry);
    }
    if (!retrier->waitBeforeRetry(done.error(), stop)) {
      return std::move(done).error().during(operation);
    }
  }
  if (transfer.hash.hex() != blob.digest.hex()) {
    return invalid(operation + ": the bytes have another digest");
  }
  return ok();
}

Result<std::string> Client::fetchBlobBytes(const oci::Repository& repository,
                                           const oci::Descriptor& blob, std::int64_t limit,
                                           std::stop_token stop) {
  if (blob.size > limit) {
    return invalid("fetch blob " + blob.digest.str() + ": " + std::to_string(blob.size) +
                   " bytes are more than the " + std::to_string(limit) + " allowed here");
  }
  std::string bytes;
  CHECK_OK(fetchBlob(
      repository, blob,
      [&](std::string_view piece) {
        bytes += piece;
        return ok();
      },
      stop));
  return bytes;
}

Result<std::vector<std::string>> Client::fetchTags(const oci::Repository& repository,
                                                   std::stop_token stop) {
  const Endpoint endpoint = endpointOf(config_.hosts, repository.registry, repository.path);
  std::vector<std::string> tags;
  std::string url = apiUrl(endpoint, "tags/list?n=1000");
  while (!url.empty() && tags.size() < kMaxTags) {
    http::Request request;
    request.url = url;
    request.bodyLimit = kTagPageLimit;
    auto response = http::retry(clock_, config_.retry, stop, [&] {
      return requester_->send(endpoint, pullScope(endpoint), request, stop);
    });
    if (!response) {
      return std::move(response).error().during("fetch tags of " +
                                                stagewright::quoted(repository.str()));
    }
    TRY(Json json, parseJson(response->body));
    TRY(std::vector<std::string> page, JsonReader(json).strings("tags"));
    tags.insert(tags.end(), page.begin(), page.end());
    // Link: </v2/app/tags/list?last=x&n=1000>; rel="next"
    const std::string link = response->headers.find("Link").value_or("");
    const std::size_t close = link.find('>');
    if (page.empty() || !link.starts_with('<') || close == std::string::npos) {
      break;
    }
    TRY(http::Url base, http::parseUrl(url));
    TRY(http::Url next, http::resolveUrl(base, std::string_view(link).substr(1, close - 1)));
    url = next.str();
  }
  return tags;
}

}  // namespace stagewright::registry
