#include "tests/support/memory_registry.h"

#include <algorithm>

#include "lib/base/hash.h"

namespace stagewright::testing {

namespace {

using http::Request;
using http::Response;

std::string digestOf(const std::string& bytes) { return "sha256:" + sha256Hex(bytes); }

/// The value of `name` in a query, decoded only as far as digests and paths need.
std::string queryValue(const std::string& query, const std::string& name) {
  const std::string key = name + "=";
  std::size_t at = query.rfind("&" + key);
  at = query.starts_with(key) ? 0 : at == std::string::npos ? at : at + 1;
  if (at == std::string::npos) {
    return "";
  }
  std::string value = query.substr(at + key.size(), query.find('&', at) - at - key.size());
  for (const auto& [code, text] : {std::pair("%3A", ":"), std::pair("%2F", "/")}) {
    for (std::size_t hit; (hit = value.find(code)) != std::string::npos;) {
      value.replace(hit, 3, text);
    }
  }
  return value;
}

Response error(int status, const std::string& code) {
  return {status,
          {{"Content-Type", "application/json"}},
          R"({"errors":[{"code":")" + code + R"(","message":"no"}]})"};
}

}  // namespace

MemoryRegistry::Path MemoryRegistry::splitPath(const std::string& path) {
  for (const std::string kind : {"/blobs/uploads/", "/blobs/", "/manifests/", "/tags/"}) {
    if (const std::size_t at = path.find(kind);
        at != std::string::npos && path.starts_with("/v2/")) {
      return {path.substr(4, at - 4), kind, path.substr(at + kind.size())};
    }
  }
  return {};
}

Result<std::string> MemoryRegistry::readBody(const Request& request) {
  std::string body;
  char buffer[16 * 1024];
  while (request.body != nullptr) {
    TRY(std::size_t n, request.body->read(buffer, sizeof buffer));
    if (n == 0) {
      break;
    }
    body.append(buffer, n);
  }
  return body;
}

/// Delivers as a real transport does: a success goes to the sink in pieces.
Result<Response> MemoryRegistry::answer(const Request& request, const Response& response) {
  const bool success = response.status >= 200 && response.status < 300;
  if (request.method == "HEAD") {
    return Response{response.status, response.headers, ""};
  }
  if (success && static_cast<std::int64_t>(response.body.size()) > request.bodyLimit) {
    return invalid(http::describe(request) + ": the answer is too large");
  }
  if (!success || !request.sink) {
    return response;
  }
  if (request.onHead) {
    CHECK_OK(request.onHead(response));
  }
  constexpr std::size_t kPiece = 1000;
  for (std::size_t at = 0; at < response.body.size(); at += kPiece) {
    CHECK_OK(request.sink(std::string_view(response.body).substr(at, kPiece)));
  }
  return Response{response.status, response.headers, ""};
}

Result<Response> MemoryRegistry::send(const Request& request, std::stop_token stop) {
  if (stop.stop_requested()) {
    return cancelled(http::describe(request) + ": cancelled");
  }
  TRY(http::Url url, http::parseUrl(request.url));
  TRY(std::string body, readBody(request));
  auto state = state_.lock();
  const std::string authorization = request.headers.find("Authorization").value_or("");
  Response response;
  if (url.host == "auth.example") {
    response = issueToken(*state, request, body);
  } else if (url.host == "storage.example") {
    if (!authorization.empty()) {
      state->leaked.push_back(authorization);
    }
    const Path path = splitPath(url.path);
    response = blobs(state->repositories[path.repository], request, path.name);
  } else if (options_.tokens && !state->tokens.contains(authorization)) {
    response = error(401, "UNAUTHORIZED");
    response.headers.add(
        "WWW-Authenticate",
        R"(Bearer realm="https://auth.example/token",service="reg.example",scope="x")");
  } else {
    response = route(*state, request, url, body);
  }
  state.guard().unlock();  // the sink may call back
  return answer(request, response);
}

Response MemoryRegistry::issueToken(State& state, const Request& request, const std::string& form) {
  if (options_.oauthOnly && request.method == "GET") {
    return error(405, "UNSUPPORTED");
  }
  const std::string basic = "Basic " + toBase64("user:secret");
  const bool right = request.method == "GET"
                         ? request.headers.find("Authorization") == basic
                         : form.find("username=user&password=secret") != std::string::npos ||
                               form.find("refresh_token=refresh") != std::string::npos;
  if (!right) {
    return {401,
            {{"Content-Type", "application/json"}},
            R"({"details":"incorrect username or password"})"};
  }
  const std::string token = "token-" + std::to_string(++state.issued);
  state.tokens.insert("Bearer " + token);
  return {200, {}, R"({"token":")" + token + R"(","expires_in":300})"};
}

Response MemoryRegistry::route(State& state, const Request& request, const http::Url& url,
                               const std::string& body) {
  const Path path = splitPath(url.path);
  Repository& repository = state.repositories[path.repository];
  if (path.kind == "/blobs/uploads/") {
    return uploads(state, path, request, url, body);
  }
  if (path.kind == "/manifests/") {
    return manifests(repository, request, path.name, body);
  }
  if (path.kind == "/blobs/" && request.method == "GET" && options_.storageElsewhere) {
    return {307, {{"Location", "https://storage.example" + url.path}}, ""};
  }
  if (path.kind == "/blobs/") {
    return blobs(repository, request, path.name);
  }
  return error(404, "NAME_UNKNOWN");
}

Response MemoryRegistry::blobs(Repository& repository, const Request& request,
                               const std::string& digest) {
  auto it = repository.blobs.find(digest);
  if (it == repository.blobs.end()) {
    return error(404, "BLOB_UNKNOWN");
  }
  const std::string range = request.headers.find("Range").value_or("");
  if (range.empty()) {
    return {200, {{"Docker-Content-Digest", digest}}, it->second};
  }
  const std::size_t start = std::stoul(range.substr(range.find('=') + 1));
  const std::string size = std::to_string(it->second.size());
  return {206,
          {{"Content-Range", "bytes " + std::to_string(start) + "-" +
                                 std::to_string(it->second.size() - 1) + "/" + size}},
          it->second.substr(start)};
}

Response MemoryRegistry::manifests(Repository& repository, const Request& request,
                                   const std::string& name, const std::string& body) {
  if (request.method == "PUT") {
    const std::string digest = digestOf(body);
    for (const std::string& key : {name, digest}) {
      repository.manifests[key] = body;
      repository.types[key] = request.headers.find("Content-Type").value_or("");
    }
    return {201, {{"Docker-Content-Digest", digest}}, ""};
  }
  auto it = repository.manifests.find(name);
  if (it == repository.manifests.end()) {
    return error(404, "MANIFEST_UNKNOWN");
  }
  return {
      200,
      {{"Content-Type", repository.types[name]}, {"Docker-Content-Digest", digestOf(it->second)}},
      it->second};
}

Response MemoryRegistry::startUpload(State& state, const Path& path, const http::Url& url) {
  const std::string from = queryValue(url.query, "from");
  const std::string digest = queryValue(url.query, "mount");
  if (!from.empty() && options_.mounts && state.repositories[from].blobs.contains(digest)) {
    state.repositories[path.repository].blobs[digest] = state.repositories[from].blobs[digest];
    return {201, {{"Docker-Content-Digest", digest}}, ""};
  }
  const std::string id = "upload-" + std::to_string(++state.uploadsStarted);
  state.uploads[id];
  return {202, {{"Location", "/v2/" + path.repository + "/blobs/uploads/" + id + "?state=1"}}, ""};
}

Response MemoryRegistry::uploads(State& state, const Path& path, const Request& request,
                                 const http::Url& url, const std::string& body) {
  if (request.method == "POST") {
    return startUpload(state, path, url);
  }
  auto it = state.uploads.find(path.name);
  if (it == state.uploads.end()) {
    return error(404, "BLOB_UPLOAD_UNKNOWN");
  }
  if (request.method == "DELETE") {
    state.uploads.erase(it);
    return {204, {}, ""};
  }
  if (request.method == "GET") {
    const std::size_t size = it->second.size();
    return options_.resumes
               ? Response{204, {{"Range", "0-" + std::to_string(size == 0 ? 0 : size - 1)}}, ""}
               : error(416, "RANGE_INVALID");
  }
  it->second += body;
  if (request.method == "PATCH") {
    return {202, {{"Location", url.path + "?state=2"}}, ""};
  }
  const std::string digest = queryValue(url.query, "digest");
  if (digest != digestOf(it->second)) {
    return error(400, "DIGEST_INVALID");
  }
  state.repositories[path.repository].blobs[digest] = it->second;
  state.uploads.erase(it);
  return {201, {{"Docker-Content-Digest", digest}}, ""};
}

std::string MemoryRegistry::addBlob(const std::string& repository, const std::string& bytes) {
  state_.lock()->repositories[repository].blobs[digestOf(bytes)] = bytes;
  return digestOf(bytes);
}

std::string MemoryRegistry::addManifest(const std::string& repository, const std::string& tag,
                                        const std::string& mediaType, const std::string& bytes) {
  auto state = state_.lock();
  Repository& entry = state->repositories[repository];
  for (const std::string& key : {tag, digestOf(bytes)}) {
    entry.manifests[key] = bytes;
    entry.types[key] = mediaType;
  }
  return digestOf(bytes);
}

std::map<std::string, std::string> MemoryRegistry::blobs(const std::string& repository) {
  return state_.lock()->repositories[repository].blobs;
}

std::map<std::string, std::string> MemoryRegistry::manifests(const std::string& repository) {
  return state_.lock()->repositories[repository].manifests;
}

}  // namespace stagewright::testing
