#include "lib/registry/errors.h"

#include <nlohmann/json.hpp>

#include "lib/base/json.h"
#include "lib/http/headers.h"
#include "lib/http/retry.h"

namespace stagewright::registry {

namespace {

constexpr std::size_t kMaxText = 300;

Code codeOf(int status) {
  if (status == 401 || status == 403) {
    return Code::kDenied;
  }
  if (status == 404) {
    return Code::kNotFound;
  }
  if (status == 409) {
    return Code::kConflict;
  }
  return http::isRetriableStatus(status) ? Code::kUnavailable : Code::kInvalid;
}

/// One line without control characters: it goes into status and logs.
std::string plainLine(std::string_view text) {
  std::string line(http::trim(text.substr(0, kMaxText)));
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      c = ' ';
    }
  }
  return line;
}

std::string textOf(const Json& value, const char* key) {
  auto it = value.find(key);
  return it != value.end() && it->is_string() ? plainLine(it->get<std::string>()) : "";
}

/// What the body says: `CODE: message` of the first error, or of a token server's answer.
std::string bodyText(const http::Response& response) {
  const Result<Json> json = parseJson(response.body);
  if (!json || !json->is_object()) {
    const std::string type = response.headers.find("Content-Type").value_or("");
    return type.starts_with("text/plain") ? plainLine(response.body) : "";
  }
  const auto errors = json->find("errors");
  if (errors != json->end() && errors->is_array() && !errors->empty() &&
      errors->front().is_object()) {
    const std::string code = textOf(errors->front(), "code");
    const std::string message = textOf(errors->front(), "message");
    return code + (code.empty() || message.empty() ? "" : ": ") + message;
  }
  for (const char* key : {"details", "error_description", "message", "error"}) {
    if (std::string text = textOf(*json, key); !text.empty()) {
      return text;
    }
  }
  return "";
}

}  // namespace

Error makeStatusError(std::string_view operation, const http::Response& response, TimePoint now) {
  Error error;
  error.code = codeOf(response.status);
  error.message = std::string(operation) + ": " + std::to_string(response.status);
  if (const std::string text = bodyText(response); !text.empty()) {
    error.message += " " + text;
  }
  if (const auto wish = response.headers.find("Retry-After");
      wish && error.code == Code::kUnavailable) {
    error.retryAfter = http::parseRetryAfter(*wish, now).value_or(Millis(0));
  }
  return error;
}

}  // namespace stagewright::registry
