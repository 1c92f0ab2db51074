// Error answers of registries, classified.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/http/transport.h"

namespace stagewright::registry {

/// `<operation>: 401 UNAUTHORIZED: authentication required`. 401 and 403 are kDenied, 404
/// kNotFound, 409 kConflict, retriable ones kUnavailable with the server's Retry-After, everything
/// else kInvalid.
Error makeStatusError(std::string_view operation, const http::Response& response, TimePoint now);

}  // namespace stagewright::registry
