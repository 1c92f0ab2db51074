// Redirects, followed by hand: few, never down to plain HTTP, and never with credentials to another
// origin.
#pragma once

#include <optional>
#include <stop_token>

#include "lib/base/error.h"
#include "lib/http/transport.h"

namespace stagewright::http {

inline constexpr int kMaxRedirects = 5;

/// The request that follows `response`, or nothing if it is no redirect (301, 302, 303, 307, 308
/// with a Location). Another origin gets neither Authorization nor Cookie, and its certificate is
/// verified whatever was said about the first. kInvalid: https to http, a broken Location, a method
/// other than GET and HEAD (registries do not redirect uploads).
Result<std::optional<Request>> planRedirect(const Request& request, const Response& response);

/// send(), following at most kMaxRedirects.
Result<Response> sendFollowing(Transport& transport, Request request, std::stop_token stop);

}  // namespace stagewright::http
