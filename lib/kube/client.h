// Requests to the API server in the API's own words. Objects stay JSON: we write only what we own.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/json.h"
#include "lib/kube/api_error.h"
#include "lib/kube/resource.h"
#include "lib/kube/transport.h"

namespace stagewright::kube {

struct ListOptions {
  std::string labelSelector{};
  std::string fieldSelector{};
  std::string resourceVersion{};
  std::string continueToken{};
  int limit = 0;  ///< 0: none
};

/// The part of a list beside its items.
struct ListMeta {
  std::string resourceVersion;
  std::string continueToken;
};

struct WatchOptions {
  std::string labelSelector{};
  std::string resourceVersion{};
  int timeoutSeconds = 290;
  /// WatchList: the server first tells every object that exists as ADDED and then a bookmark that
  /// says so (isEndOfInitialEvents). A server that cannot do it refuses with 4xx.
  bool initialEvents = false;
};

struct LogOptions {
  std::string container{};
  bool follow = false;
  std::optional<std::int64_t> tailLines{};
  std::optional<std::int64_t> limitBytes{};
  StreamLimits limits{};
  /// The longest silence of a followed log: a container that waits says nothing, and may do so for
  /// long.
  Millis idleTimeout{std::chrono::minutes(15)};
};

enum class PatchType { kMerge, kApply };

struct WriteOptions {
  std::string subresource{};  ///< "status"
  std::string fieldManager = "stagewright";
  bool force = false;  ///< apply only: take over fields that others own
  bool dryRun = false;
};

struct DeleteOptions {
  std::string uid{};              ///< precondition, if set
  std::string resourceVersion{};  ///< precondition, if set
  std::string propagation = "Background";
  std::optional<std::int64_t> gracePeriodSeconds{};
};

/// Thread-safe. On 429, and on 5xx that carries Retry-After, a request is sent again as the server
/// asks, at most ten times and within the deadline of its options; a failure of the transport once,
/// at once, because a kept connection may have gone stale. So a create may meet its own first try:
/// kConflict with isAlreadyExists().
class ApiClient {
 public:
  struct Options {
    Millis idleTimeout{30'000};
    Millis retryDeadline{30'000};  ///< 0: never wait for the server
  };
  ApiClient(ApiTransport& transport, Clock& clock) : ApiClient(transport, clock, Options()) {}
  ApiClient(ApiTransport& transport, Clock& clock, Options options)
      : transport_(transport), clock_(clock), options_(options) {}

  ApiResult<Json> get(const Resource& resource, std::string_view ns, std::string_view name,
                      std::stop_token stop);
  /// Any path, such as /version.
  ApiResult<Json> getPath(std::string_view path, std::stop_token stop);
  /// One page. `onItem` sees each item, which is then dropped: no more than one is in memory as a
  /// tree. The items of a list carry neither kind nor apiVersion.
  ApiResult<ListMeta> list(const Resource& resource, std::string_view ns,
                           const ListOptions& options, const std::function<void(Json&)>& onItem,
                           std::stop_token stop);
  ApiResult<Json> create(const Resource& resource, std::string_view ns, const Json& object,
                         std::stop_token stop, const WriteOptions& options = {});
  /// PUT: conflicts unless the object carries the current resourceVersion.
  ApiResult<Json> replace(const Resource& resource, std::string_view ns, std::string_view name,
                          const Json& object, std::stop_token stop,
                          const WriteOptions& options = {});
  ApiResult<Json> patch(const Resource& resource, std::string_view ns, std::string_view name,
                        PatchType type, const Json& body, std::stop_token stop,
                        const WriteOptions& options = {});
  /// The object as the server last saw it, or a Status.
  ApiResult<Json> remove(const Resource& resource, std::string_view ns, std::string_view name,
                         const DeleteOptions& options, std::stop_token stop);
  /// Lines of a watch, one event each, until the server ends it. `onLine` returning false ends it
  /// too.
  ApiStatus watch(const Resource& resource, std::string_view ns, const WatchOptions& options,
                  const LineHandler& onLine, std::stop_token stop);
  /// Lines of a container's log. Reconnecting is the caller's affair.
  ApiStatus log(std::string_view ns, std::string_view pod, const LogOptions& options,
                const LineHandler& onLine, std::stop_token stop);

 private:
  ApiResult<std::string> call(const ApiRequest& request, std::string_view operation,
                              std::stop_token stop);
  ApiResult<Json> callJson(const ApiRequest& request, std::string_view operation,
                           std::stop_token stop);
  ApiStatus stream(const ApiRequest& request, const StreamLimits& limits, const LineHandler& onLine,
                   std::string_view operation, std::stop_token stop);

  ApiTransport& transport_;
  Clock& clock_;
  Options options_;
};

}  // namespace stagewright::kube
