#include "lib/http/redirect.h"

#include "lib/http/url.h"

namespace stagewright::http {

namespace {

bool isRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

}  // namespace

Result<std::optional<Request>> planRedirect(const Request& request, const Response& response) {
  const std::optional<std::string> location = response.headers.find("Location");
  if (!isRedirect(response.status) || !location) {
    return std::optional<Request>();
  }
  const std::string operation = describe(request);
  if (request.method != "GET" && request.method != "HEAD") {
    return invalid(operation + ": the server redirects to " + redactUrl(*location) +
                   ", which is followed only for GET");
  }
  Result<Url> from = parseUrl(request.url);
  if (!from) {
    return std::move(from).error().during(operation);
  }
  Result<Url> to = resolveUrl(*from, *location);
  if (!to) {
    return std::move(to).error().during(operation + ": redirect");
  }
  if (from->scheme == "https" && to->scheme == "http") {
    return invalid(operation + ": refused to follow a redirect from https to " +
                   redactUrl(to->str()));
  }
  Request next = request;
  next.url = to->str();
  if (from->origin() != to->origin()) {
    next.headers.remove("Authorization");
    next.headers.remove("Cookie");
    next.tls.verify = true;
  }
  return std::optional<Request>(std::move(next));
}

Result<Response> sendFollowing(Transport& transport, Request request, std::stop_token stop) {
  for (int redirects = 0;; ++redirects) {
    TRY(Response response, transport.send(request, stop));
    TRY(std::optional<Request> next, planRedirect(request, response));
    if (!next) {
      return response;
    }
    if (redirects == kMaxRedirects) {
      return invalid(describe(request) + ": more than " + std::to_string(kMaxRedirects) +
                     " redirects");
    }
    request = std::move(*next);
  }
}

}  // namespace stagewright::http
