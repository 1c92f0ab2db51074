// The transport over libcurl: HTTP/1.1, connections reused, proxies from the environment.
#pragma once

#include <memory>
#include <string>

#include "lib/http/transport.h"

namespace stagewright::http {

struct CurlOptions {
  std::string userAgent = "stagewright/" STAGEWRIGHT_VERSION;  ///< goes out with every request
  /// PEM file of authorities that every request trusts besides the system's and its own; may be
  /// empty.
  std::string caFile;
};

/// One per process is enough.
std::unique_ptr<Transport> makeCurlTransport(CurlOptions options = {});

}  // namespace stagewright::http
