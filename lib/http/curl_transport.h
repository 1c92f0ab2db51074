// The transport over libcurl: HTTP/1.1, connections reused, proxies from the environment.
#pragma once

#include <memory>
#include <string>

#include "lib/http/transport.h"

namespace stagewright::http {

/// One per process is enough. `userAgent` goes out with every request.
std::unique_ptr<Transport> makeCurlTransport(
    std::string userAgent = "stagewright/" STAGEWRIGHT_VERSION);

}  // namespace stagewright::http
