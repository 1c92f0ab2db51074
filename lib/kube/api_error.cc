#include "lib/kube/api_error.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace stagewright::kube {

namespace {

Code codeOf(int status) {
  switch (status) {
    case 404:
      return Code::kNotFound;
    case 409:
    case 410:
      return Code::kConflict;
    case 401:
    case 403:
      return Code::kDenied;
    case 408:
    case 429:
      return Code::kUnavailable;
    default:
      break;
  }
  if (status >= 500) {
    return Code::kUnavailable;
  }
  return status >= 400 ? Code::kInvalid : Code::kInternal;
}

const Json* member(const Json& object, const char* key) {
  if (!object.is_object()) {
    return nullptr;
  }
  const auto it = object.find(key);
  return it == object.end() ? nullptr : &*it;
}

std::string textOf(const Json& object, const char* key) {
  const Json* value = member(object, key);
  return value != nullptr && value->is_string() ? value->get<std::string>() : "";
}

/// details: {causes: [{reason}], retryAfterSeconds}
void readDetails(const Json& status, ApiError& error) {
  const Json* details = member(status, "details");
  if (details == nullptr) {
    return;
  }
  if (const Json* seconds = member(*details, "retryAfterSeconds");
      seconds != nullptr && seconds->is_number_integer()) {
    const Millis wait =
        std::chrono::seconds(std::clamp<std::int64_t>(seconds->get<std::int64_t>(), 0, 3600));
    error.retryAfter = std::max(error.retryAfter, wait);
  }
  const Json* causes = member(*details, "causes");
  for (std::size_t i = 0; causes != nullptr && causes->is_array() && i < causes->size(); ++i) {
    error.causes.push_back(textOf((*causes)[i], "reason"));
  }
}

ApiError fromStatus(const Json& status, int httpStatus, Millis retryAfter,
                    std::string_view operation) {
  ApiError error;
  error.status = httpStatus;
  error.code = codeOf(httpStatus);
  error.retryAfter = retryAfter;
  error.reason = textOf(status, "reason");
  error.message = std::string(operation) + ": " + std::to_string(httpStatus) + " " +
                  (error.reason.empty() ? "" : error.reason + ": ") + textOf(status, "message");
  readDetails(status, error);
  return error;
}

}  // namespace

bool ApiError::isNamespaceTerminating() const {
  return std::find(causes.begin(), causes.end(), "NamespaceTerminating") != causes.end();
}

bool ApiError::isQuota() const {
  // The server gives quota refusals no reason of their own; kubectl and the controllers read this
  // text too.
  return (status == 403 && message.find("exceeded quota") != std::string::npos) ||
         (status == 409 && message.find("resourcequotas") != std::string::npos);
}

ApiError parseApiError(int httpStatus, std::string_view body, Millis retryAfter,
                       std::string_view operation) {
  const Result<Json> status = parseJson(body);
  if (status && textOf(*status, "kind") == "Status") {
    return fromStatus(*status, httpStatus, retryAfter, operation);
  }
  ApiError error;
  error.status = httpStatus;
  error.code = codeOf(httpStatus);
  error.retryAfter = retryAfter;
  error.message =
      std::string(operation) + ": " + std::to_string(httpStatus) + " " + stagewright::quoted(body);
  return error;
}

ApiError apiErrorOf(const Json& status, std::string_view operation) {
  const Json* code = member(status, "code");
  const int httpStatus = code != nullptr && code->is_number_integer() ? code->get<int>() : 500;
  return fromStatus(status, httpStatus, Millis(0), operation);
}

}  // namespace stagewright::kube
