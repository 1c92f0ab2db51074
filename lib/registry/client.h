// A client of the OCI distribution API: pull, push, mount. Authenticates by itself, retries what is
// worth it, verifies every byte against its digest.
//
// Codes of all functions: kDenied (401 or 403 after authentication), kNotFound (404), kUnavailable
// (429, 5xx, network: already retried until the budget was spent), kInvalid (a certificate that
// does not verify, another TLS fault, a digest that does not match, an answer that makes no sense),
// kCancelled. Messages name operation, object and request: `push manifest "reg/app:1": PUT
// https://…: 401 UNAUTHORIZED: …`.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/http/retry.h"
#include "lib/http/transport.h"
#include "lib/oci/image_config.h"
#include "lib/oci/manifest.h"
#include "lib/oci/reference.h"
#include "lib/registry/credentials.h"
#include "lib/registry/host_config.h"

namespace stagewright::registry {

class Requester;

struct ClientConfig {
  std::vector<HostConfig> hosts;
  Credentials credentials;
  http::RetryPolicy retry;  ///< per operation
};

/// A manifest or index as the registry has it; `digest` was computed from `bytes`.
struct FetchedManifest {
  std::string mediaType;
  oci::Digest digest;
  std::string bytes;
  std::string mirror;  ///< host of the mirror it came from, or empty
};

/// One platform's image.
struct ResolvedImage {
  oci::Digest digest;  ///< of the platform's manifest
  std::string bytes;   ///< the manifest's bytes
  oci::Manifest manifest;
  oci::Digest indexDigest;  ///< of the index it was selected from, or empty
};

struct BlobDigest {
  oci::Digest digest;
  std::int64_t size = 0;
};

/// Thread-safe: operations may run on several threads.
class Client {
 public:
  /// Borrows both collaborators.
  Client(http::Transport& transport, Clock& clock, ClientConfig config);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // --- pull ---
  /// By digest if the reference has one (and then verified against it), else by tag. At most 4 MiB.
  Result<FetchedManifest> fetchManifest(const oci::Reference& reference, std::stop_token stop);
  /// Digest of what the tag points at, by HEAD (GET where a registry does not say the digest on
  /// HEAD).
  Result<oci::Digest> fetchDigest(const oci::Reference& reference, std::stop_token stop);
  /// Follows an index to the manifest of `platform` (oci::selectPlatform); a plain manifest is
  /// taken as it is.
  Result<ResolvedImage> resolveImage(const oci::Reference& reference, const oci::Platform& platform,
                                     std::stop_token stop);
  Result<oci::ImageConfig> fetchConfig(const oci::Repository& repository,
                                       const oci::Manifest& manifest, std::stop_token stop);
  /// Streams a blob into `sink`, verifying size and digest. After a broken transfer it goes on
  /// where it was (Range), so `sink` sees every byte once. On an error the bytes already sunk must
  /// be thrown away.
  Status fetchBlob(const oci::Repository& repository, const oci::Descriptor& blob,
                   const http::BodySink& sink, std::stop_token stop);
  /// A small blob in memory; more than `limit` bytes is kInvalid.
  Result<std::string> fetchBlobBytes(const oci::Repository& repository, const oci::Descriptor& blob,
                                     std::int64_t limit, std::stop_token stop);
  Result<std::vector<std::string>> fetchTags(const oci::Repository& repository,
                                             std::stop_token stop);

  // --- push; never through mirrors ---
  Result<bool> hasBlob(const oci::Repository& repository, const oci::Digest& digest,
                       std::stop_token stop);
  /// Opens an upload and cancels it: proves that blobs may be pushed without leaving anything
  /// behind.
  Status checkPush(const oci::Repository& repository, std::stop_token stop);
  /// Cross-repository mount from `from` (same registry). False if the registry would rather have it
  /// uploaded.
  Result<bool> mountBlob(const oci::Repository& repository, const oci::Digest& digest,
                         const oci::Repository& from, std::stop_token stop);
  /// Uploads a blob whose digest is known. REQUIRES: `source` can be rewound; on a fault the whole
  /// blob is sent again.
  Status pushBlob(const oci::Repository& repository, const BlobDigest& blob,
                  http::BodySource& source, std::stop_token stop);
  /// Uploads a blob whose digest is known only once it was read: one streaming PATCH, then PUT with
  /// what `digest` says (called when `source` has ended). A broken PATCH is resumed where the
  /// registry says it is (Range): the source is rewound and the bytes the registry has are skipped.
  /// An upload that cannot be finished is cancelled.
  Result<BlobDigest> pushBlobStream(const oci::Repository& repository, http::BodySource& source,
                                    const std::function<Result<BlobDigest>()>& digest,
                                    std::stop_token stop);
  /// `reference` is a tag or a digest. Every blob must have been pushed before.
  Status pushManifest(const oci::Repository& repository, std::string_view reference,
                      std::string_view mediaType, std::string_view bytes, std::stop_token stop);

 private:
  struct Transfer;

  Result<FetchedManifest> fetchManifestAt(const Endpoint& endpoint, const std::string& reference,
                                          std::stop_token stop);
  Status continueTransfer(const Endpoint& endpoint, Transfer& transfer, std::stop_token stop);

  ClientConfig config_;
  Clock& clock_;
  std::unique_ptr<Requester> requester_;
};

}  // namespace stagewright::registry
