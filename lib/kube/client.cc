#include "lib/kube/client.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/kube/list_reader.h"

namespace stagewright::kube {

namespace {

constexpr int kMaxTries = 10;
/// Bookmarks come once a minute, or a little later, even when nothing changes; a much longer silence
/// is a dead connection. A server without them (its watch cache is off) costs us a new watch each
/// time, but no list. One constant, because the transport keeps a pool of connections for each
/// timeout.
constexpr std::chrono::seconds kWatchSilence{150};
constexpr std::size_t kMaxInitial = 256 << 20;  ///< as much as the answer to a list

bool isSuccess(int status) { return status >= 200 && status < 300; }

std::string nameOf(const Resource& resource, std::string_view ns, std::string_view name) {
  std::string text(resource.plural);
  if (!name.empty()) {
    text += " " + stagewright::quoted(ns.empty() ? std::string(name)
                                                 : std::string(ns) + "/" + std::string(name));
  } else if (!ns.empty()) {
    text += " in " + stagewright::quoted(ns);
  }
  return text;
}

std::string numberText(const std::optional<std::int64_t>& number) {
  return number ? std::to_string(*number) : "";
}

Query writeQuery(const WriteOptions& options) {
  return {{"fieldManager", options.fieldManager},
          {"force", options.force ? "true" : ""},
          {"dryRun", options.dryRun ? "All" : ""}};
}

/// The wait that the server asks for, at least a second; nothing if this answer is final.
std::optional<Millis> askedToWait(const ApiResponse& response) {
  if (response.status == 429 || (response.status >= 500 && response.retryAfter > Millis(0))) {
    return std::max(response.retryAfter, Millis(1000));
  }
  return std::nullopt;
}

}  // namespace

ApiResult<std::string> ApiClient::call(const ApiRequest& request, std::string_view operation,
                                       std::stop_token stop) {
  const SteadyPoint deadline = clock_.steadyNow() + options_.retryDeadline;
  bool transportFailed = false;
  for (int attempt = 1;; ++attempt) {
    Result<ApiResponse> response = transport_.send(request, stop);
    if (!response) {
      if (response.error().code != Code::kUnavailable || std::exchange(transportFailed, true)) {
        return std::move(response).error().during(operation);
      }
      continue;
    }
    if (isSuccess(response->status)) {
      return std::move(response->body);
    }
    const std::optional<Millis> wait = askedToWait(*response);
    if (!wait || attempt >= kMaxTries || clock_.steadyNow() + *wait > deadline) {
      return parseApiError(response->status, response->body, response->retryAfter, operation);
    }
    if (!clock_.sleepFor(*wait, stop)) {
      return cancelled(std::string(operation) + ": stopped");
    }
  }
}

ApiResult<Json> ApiClient::callJson(const ApiRequest& request, std::string_view operation,
                                    std::stop_token stop) {
  TRY(std::string body, call(request, operation, stop));
  Result<Json> value = parseJson(body);
  if (!value) {
    return std::move(value).error().during(operation);
  }
  return std::move(*value);
}

ApiResult<Json> ApiClient::get(const Resource& resource, std::string_view ns, std::string_view name,
                               std::stop_token stop) {
  ApiRequest request{.path = resourcePath(resource, ns, name)};
  request.idleTimeout = options_.idleTimeout;
  return callJson(request, "get " + nameOf(resource, ns, name), stop);
}

ApiResult<Json> ApiClient::getPath(std::string_view path, std::stop_token stop) {
  ApiRequest request{.path = std::string(path)};
  request.idleTimeout = options_.idleTimeout;
  return callJson(request, "get " + std::string(path), stop);
}

ApiResult<ListMeta> ApiClient::list(const Resource& resource, std::string_view ns,
                                    const ListOptions& options,
                                    const std::function<void(Json&)>& onItem,
                                    std::stop_token stop) {
  const Query query = {{"labelSelector", options.labelSelector},
                       {"fieldSelector", options.fieldSelector},
                       {"resourceVersion", options.resourceVersion},
                       {"continue", options.continueToken},
                       {"limit", options.limit > 0 ? std::to_string(options.limit) : ""}};
  ApiRequest request{.path = resourcePath(resource, ns) + queryText(query)};
  request.idleTimeout = options_.idleTimeout;
  const std::string operation = "list " + nameOf(resource, ns, "");
  TRY(std::string body, call(request, operation, stop));
  Result<ListMeta> meta = readList(body, onItem);
  if (!meta) {
    return std::move(meta).error().during(operation);
  }
  return std::move(*meta);
}

ApiResult<Json> ApiClient::create(const Resource& resource, std::string_view ns, const Json& object,
                                  std::stop_token stop, const WriteOptions& options) {
  const std::string name = object.contains("metadata") ? object["metadata"].value("name", "") : "";
  const ApiRequest request{
      "POST", resourcePath(resource, ns, "", options.subresource) + queryText(writeQuery(options)),
      "application/json", dumpJson(object), options_.idleTimeout};
  return callJson(request, "create " + nameOf(resource, ns, name), stop);
}

ApiResult<Json> ApiClient::replace(const Resource& resource, std::string_view ns,
                                   std::string_view name, const Json& object, std::stop_token stop,
                                   const WriteOptions& options) {
  const ApiRequest request{
      "PUT", resourcePath(resource, ns, name, options.subresource) + queryText(writeQuery(options)),
      "application/json", dumpJson(object), options_.idleTimeout};
  return callJson(request, "replace " + nameOf(resource, ns, name), stop);
}

ApiResult<Json> ApiClient::patch(const Resource& resource, std::string_view ns,
                                 std::string_view name, PatchType type, const Json& body,
                                 std::stop_token stop, const WriteOptions& options) {
  const bool apply = type == PatchType::kApply;
  const ApiRequest request{
      "PATCH",
      resourcePath(resource, ns, name, options.subresource) + queryText(writeQuery(options)),
      apply ? "application/apply-patch+yaml" : "application/merge-patch+json", dumpJson(body),
      options_.idleTimeout};
  return callJson(request, "patch " + nameOf(resource, ns, name), stop);
}

ApiResult<Json> ApiClient::remove(const Resource& resource, std::string_view ns,
                                  std::string_view name, const DeleteOptions& options,
                                  std::stop_token stop) {
  Json body = {
      {"kind", "DeleteOptions"}, {"apiVersion", "v1"}, {"propagationPolicy", options.propagation}};
  if (!options.uid.empty()) {
    body["preconditions"]["uid"] = options.uid;
  }
  if (!options.resourceVersion.empty()) {
    body["preconditions"]["resourceVersion"] = options.resourceVersion;
  }
  if (options.gracePeriodSeconds) {
    body["gracePeriodSeconds"] = *options.gracePeriodSeconds;
  }
  const ApiRequest request{"DELETE", resourcePath(resource, ns, name), "application/json",
                           dumpJson(body), options_.idleTimeout};
  return callJson(request, "delete " + nameOf(resource, ns, name), stop);
}

ApiStatus ApiClient::stream(const ApiRequest& request, const StreamLimits& limits,
                            const LineHandler& onLine, std::string_view operation,
                            std::stop_token stop) {
  Result<ApiResponse> response = transport_.stream(request, limits, onLine, stop);
  if (!response) {
    return std::move(response).error().during(operation);
  }
  if (!isSuccess(response->status)) {
    return parseApiError(response->status, response->body, response->retryAfter, operation);
  }
  return {};
}

ApiStatus ApiClient::watch(const Resource& resource, std::string_view ns,
                           const WatchOptions& options, const LineHandler& onLine,
                           std::stop_token stop) {
  const Query query = {{"watch", "1"},
                       {"allowWatchBookmarks", "true"},
                       {"labelSelector", options.labelSelector},
                       {"resourceVersion", options.resourceVersion},
                       {"sendInitialEvents", options.initialEvents ? "true" : ""},
                       {"resourceVersionMatch", options.initialEvents ? "NotOlderThan" : ""},
                       {"timeoutSeconds", std::to_string(options.timeoutSeconds)}};
  ApiRequest request{.path = resourcePath(resource, ns) + queryText(query)};
  request.idleTimeout = kWatchSilence;
  StreamLimits limits;
  if (options.initialEvents) {
    limits.queueBytes = kMaxInitial;  // they come as fast as the server can, and we parse each
  }
  return stream(request, limits, onLine, "watch " + nameOf(resource, ns, ""), stop);
}

ApiStatus ApiClient::log(std::string_view ns, std::string_view pod, const LogOptions& options,
                         const LineHandler& onLine, std::stop_token stop) {
  const Query query = {{"container", options.container},
                       {"follow", options.follow ? "true" : ""},
                       {"tailLines", numberText(options.tailLines)},
                       {"limitBytes", numberText(options.limitBytes)}};
  ApiRequest request{.path = resourcePath(kPods, ns, pod, "log") + queryText(query)};
  request.idleTimeout = options.idleTimeout;
  return stream(request, options.limits, onLine,
                "log of pod " + stagewright::quoted(std::string(ns) + "/" + std::string(pod)),
                stop);
}

}  // namespace stagewright::kube
