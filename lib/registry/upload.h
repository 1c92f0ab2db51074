// One blob upload: opened by POST, fed by PATCH, ended by PUT or DELETE (OCI distribution
// specification, "Pushing blobs").
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>

#include "lib/base/error.h"
#include "lib/http/transport.h"
#include "lib/oci/digest.h"
#include "lib/registry/requester.h"

namespace stagewright::registry {

/// Not thread-safe. Borrows the requester.
class Upload {
 public:
  static Result<Upload> start(Requester& requester, const Endpoint& endpoint, std::stop_token stop);
  /// Takes over an upload that another request was answered with (a mount that was not made).
  static Result<Upload> adopt(Requester& requester, const Endpoint& endpoint,
                              const http::Request& request, const http::Response& response);

  /// Streams what `body` yields to the end of the upload.
  Status append(http::BodySource& body, std::stop_token stop);
  /// How many bytes the registry has.
  Result<std::int64_t> fetchOffset(std::stop_token stop);
  /// Ends the upload; `body` (or nothing) is the whole or the last part of it.
  Status finish(const oci::Digest& digest, http::BodySource* body, std::stop_token stop);
  /// Tells the registry to forget it. Never waits long, ignores stop requests and failures: the
  /// registry's own housekeeping removes what we could not.
  void cancel();

 private:
  Upload(Requester& requester, Endpoint endpoint)
      : requester_(&requester), endpoint_(std::move(endpoint)) {}
  /// Reads Location, relative or absolute.
  Status follow(const http::Request& request, const http::Response& response);

  Requester* requester_;
  Endpoint endpoint_;
  std::string location_;
};

}  // namespace stagewright::registry
