#include "lib/registry/upload.h"

#include <charconv>

#include "lib/http/url.h"

namespace stagewright::registry {

namespace {

/// Registries move a blob to its place while they answer PUT: large ones to slow storage.
constexpr Millis kCommitIdle{300'000};
constexpr Millis kCancelTotal{3'000};

/// `0-1023` means 1024 bytes; `0-0` is what an empty upload has too, and is answered as none.
Result<std::int64_t> parseRange(const std::string& range) {
  const std::string_view text =
      range.starts_with("bytes=") ? std::string_view(range).substr(6) : range;
  std::int64_t last = 0;
  auto [end, ec] = std::from_chars(text.data() + std::min<std::size_t>(2, text.size()),
                                   text.data() + text.size(), last);
  if (!text.starts_with("0-") || ec != std::errc() || end != text.data() + text.size() ||
      last < 0) {
    return invalid("the registry's Range " + quoted(range, 64) + " makes no sense");
  }
  return last == 0 ? 0 : last + 1;
}

}  // namespace

Status Upload::follow(const http::Request& request, const http::Response& response) {
  const auto location = response.headers.find("Location");
  if (!location) {
    return invalid(http::describe(request) + ": the answer has no Location");
  }
  TRY(http::Url base, http::parseUrl(request.url));
  Result<http::Url> url = http::resolveUrl(base, *location);
  if (!url) {
    return std::move(url).error().during(http::describe(request) + ": Location");
  }
  // A registry behind a TLS proxy that does not know of it answers http://: same host, so TLS is
  // kept.
  if (base.scheme == "https" && url->scheme == "http") {
    if (url->host != base.host) {
      return invalid(http::describe(request) + ": Location leads from https to " +
                     http::redactUrl(url->str()));
    }
    url->scheme = base.scheme;
    url->port = base.port;
  }
  location_ = url->str();
  return ok();
}

Result<Upload> Upload::start(Requester& requester, const Endpoint& endpoint, std::stop_token stop) {
  http::Request request;
  request.method = "POST";
  request.url = apiUrl(endpoint, "blobs/uploads/");
  TRY(http::Response response, requester.send(endpoint, pushScope(endpoint), request, stop));
  return adopt(requester, endpoint, request, response);
}

Result<Upload> Upload::adopt(Requester& requester, const Endpoint& endpoint,
                             const http::Request& request, const http::Response& response) {
  Upload upload(requester, endpoint);
  CHECK_OK(upload.follow(request, response));
  return upload;
}

Status Upload::append(http::BodySource& body, std::stop_token stop) {
  http::Request request;
  request.method = "PATCH";
  request.url = location_;
  request.headers.set("Content-Type", "application/octet-stream");
  request.body = &body;
  TRY(http::Response response, requester_->send(endpoint_, pushScope(endpoint_), request, stop));
  return follow(request, response);
}

Result<std::int64_t> Upload::fetchOffset(std::stop_token stop) {
  http::Request request;
  request.url = location_;
  TRY(http::Response response, requester_->send(endpoint_, pushScope(endpoint_), request, stop));
  if (response.headers.find("Location")) {
    CHECK_OK(follow(request, response));
  }
  const auto range = response.headers.find("Range");
  if (!range) {
    return 0;
  }
  return parseRange(*range);
}

Status Upload::finish(const oci::Digest& digest, http::BodySource* body, std::stop_token stop) {
  http::Request request;
  request.method = "PUT";
  TRY(http::Url url, http::parseUrl(location_));
  http::addQuery(url, "digest", digest.str());
  request.url = url.str();
  request.timeouts.idle = kCommitIdle;
  if (body != nullptr) {
    request.headers.set("Content-Type", "application/octet-stream");
    request.body = body;
  }
  TRY(http::Response response, requester_->send(endpoint_, pushScope(endpoint_), request, stop));
  const auto confirmed = response.headers.find("Docker-Content-Digest");
  if (confirmed && *confirmed != digest.str()) {
    return invalid(http::describe(request) + ": the registry stored it as " +
                   quoted(*confirmed, 100));
  }
  return ok();
}

void Upload::cancel() {
  http::Request request;
  request.method = "DELETE";
  request.url = location_;
  request.timeouts.total = kCancelTotal;
  static_cast<void>(requester_->send(endpoint_, pushScope(endpoint_), request, std::stop_token()));
}

}  // namespace stagewright::registry
