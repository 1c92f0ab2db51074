// What the API server says when it refuses. Still an Error, with what a controller must tell apart
// and five codes cannot.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/json.h"

namespace stagewright::kube {

/// `code` for the usual decisions: 404 kNotFound; 409 kConflict; 401, 403 kDenied; 400, 413, 422
/// kInvalid; 408, 429, 5xx and every transport error kUnavailable; 410 kConflict (see isGone).
struct ApiError : Error {
  int status = 0;                   ///< HTTP; 0 without an answer
  std::string reason;               ///< metav1 StatusReason: AlreadyExists, Conflict, Expired, …
  std::vector<std::string> causes;  ///< reasons of details.causes

  ApiError() = default;
  ApiError(Error error) : Error(std::move(error)) {}  // NOLINT: an error without an answer

  /// The resource version or continue token is too old: list again.
  bool isGone() const { return status == 410 || reason == "Expired" || reason == "Gone"; }
  bool isAlreadyExists() const { return reason == "AlreadyExists"; }
  bool isNamespaceTerminating() const;
  /// A quota says no (403), or its counter was contended (409).
  bool isQuota() const;
};

template <class T>
class [[nodiscard]] ApiResult : public tl::expected<T, ApiError> {
 public:
  using Base = tl::expected<T, ApiError>;
  using Base::Base;
  ApiResult(Base base) : Base(std::move(base)) {}                                  // NOLINT
  ApiResult(ApiError error) : Base(tl::unexpected<ApiError>(std::move(error))) {}  // NOLINT
  ApiResult(Error error) : ApiResult(ApiError(std::move(error))) {}                // NOLINT
};

using ApiStatus = ApiResult<void>;

/// From an answer that is no success. `operation` goes in front of the server's message. A body
/// that is no Status is quoted, cut at 512 bytes.
ApiError parseApiError(int httpStatus, std::string_view body, Millis retryAfter,
                       std::string_view operation);

/// From a metav1.Status object, such as that of an ERROR event in a watch.
ApiError apiErrorOf(const Json& status, std::string_view operation);

}  // namespace stagewright::kube
